#include "train/config/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "base/error.h"
#include "base/text.h"

namespace train {
namespace {

using base::Error;
using Kind = Budget::Kind;

constexpr double kMostSteps = 9007199254740992.0;  // 2^53: whole numbers are exact up to here

struct Unit {
  std::string_view name;
  Kind kind;
  double seconds = 1;
};
// The first spelling of a kind is the canonical one.
constexpr Unit kUnits[] = {
    {"flops", Kind::kFlops},         {"flop", Kind::kFlops},      {"tok", Kind::kTokens},
    {"token", Kind::kTokens},        {"tokens", Kind::kTokens},   {"steps", Kind::kSteps},
    {"step", Kind::kSteps},          {"epochs", Kind::kEpochs},   {"epoch", Kind::kEpochs},
    {"s", Kind::kSeconds},           {"sec", Kind::kSeconds},     {"second", Kind::kSeconds},
    {"seconds", Kind::kSeconds},     {"min", Kind::kSeconds, 60}, {"minute", Kind::kSeconds, 60},
    {"minutes", Kind::kSeconds, 60}, {"h", Kind::kSeconds, 3600},
};

std::string_view unit_of(Kind kind) {
  return std::find_if(std::begin(kUnits), std::end(kUnits),
                      [&](const Unit& u) { return u.kind == kind; })
      ->name;
}

double multiplier(char c) {
  switch (c) {
    case 'k':
      return 1e3;
    case 'K':
      return 1e3;
    case 'M':
      return 1e6;
    case 'G':
      return 1e9;
    case 'T':
      return 1e12;
    default:
      return 1;
  }
}

bool countable(Kind kind) { return kind == Kind::kTokens || kind == Kind::kSteps; }

/// 0.77 * 1e6 is not quite 770000: the whole number that is meant, where there is one.
double whole_if_near(double x) {
  const double whole = std::round(x);
  return std::abs(x - whole) <= 1e-9 * x ? whole : x;
}

/// The shortest digits that read back the same, "1e12" rather than "1e+12".
std::string digits(double x, std::chars_format format) {
  char buffer[64];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, x, format);
  std::string out(buffer, result.ptr);
  if (const auto e = out.find('e'); e != out.npos) {
    std::string exponent = out.substr(e + 1);
    const bool negative = exponent[0] == '-';
    exponent.erase(0, std::min(exponent.find_first_not_of("+-0"), exponent.size()));
    out.resize(e);
    if (!exponent.empty()) out += (negative ? "e-" : "e") + exponent;
  }
  return out;
}

}  // namespace

Budget Budget::parse(std::string_view text) {
  const auto refuse = [&](std::string_view why) {
    throw Error(
        fmt::format("budget {} {}; give one like {}", base::quote(text), why, kBudgetForms));
  };
  double amount = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, amount);
  if (error == std::errc::invalid_argument) refuse("does not begin with a number");
  if (error != std::errc{} && !text.starts_with('-')) refuse("is out of range");
  if (std::isnan(amount) || std::isinf(amount)) refuse("is not a finite number");
  if (amount <= 0 || text.starts_with('-')) refuse("is not above 0");

  std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  const auto find = [](std::string_view name) {
    return std::find_if(std::begin(kUnits), std::end(kUnits),
                        [&](const Unit& u) { return u.name == name; });
  };
  const Unit* found = find(unit);
  if (found == std::end(kUnits) && !unit.empty() && multiplier(unit[0]) > 1) {
    amount *= multiplier(unit[0]);
    unit.remove_prefix(1);
    found = find(unit);
  }
  if (unit.empty()) refuse("has no unit");
  if (found == std::end(kUnits)) refuse(fmt::format("has the unknown unit {}", base::quote(unit)));

  Budget out{found->kind, amount * found->seconds};
  if (countable(out.kind)) {
    out.amount = whole_if_near(out.amount);
    if (out.amount != std::round(out.amount) && out.amount < kMostSteps)
      refuse("is not a whole number of " +
             std::string(out.kind == Kind::kSteps ? "steps" : "tokens"));
  }
  const double most = out.kind == Kind::kFlops ? 1e30 : kMostSteps;
  if (!(out.amount <= most)) refuse("is out of range");
  return out;
}

std::string Budget::to_string() const {
  const std::string unit(unit_of(kind));
  if (kind == Kind::kFlops) return digits(amount, std::chars_format::scientific) + unit;
  if (kind == Kind::kTokens)
    for (const char suffix : {'T', 'G', 'M', 'k'}) {
      const double scale = multiplier(suffix), scaled_amount = amount / scale;
      if (scaled_amount < 1) continue;
      const std::string text = digits(scaled_amount, std::chars_format::fixed);
      if (text.size() <= 6 && parse(text + suffix + unit) == *this) return text + suffix + unit;
    }
  const bool readable = amount >= 1e-4 && amount <= kMostSteps;
  return digits(amount, readable ? std::chars_format::fixed : std::chars_format::scientific) + unit;
}

Budget Budget::scaled(double share) const {
  if (!(share > 0) || !std::isfinite(share))
    throw Error(fmt::format("budget {}: the share {} is not above 0", to_string(), share));
  Budget out{kind, amount * share};
  if (countable(kind)) out.amount = std::round(out.amount);
  if (!(out.amount > 0))
    throw Error(fmt::format("budget {}: {} of it is less than one step; give a larger budget",
                            to_string(), share));
  return out;
}

double Budget::fraction_spent(const Spent& spent) const {
  double used = 0;
  switch (kind) {
    case Kind::kFlops:
      used = spent.flops;
      break;
    case Kind::kTokens:
      used = spent.tokens;
      break;
    case Kind::kSteps:
      used = static_cast<double>(spent.steps);
      break;
    case Kind::kEpochs:
      used = spent.epochs;
      break;
    case Kind::kSeconds:
      used = spent.seconds;
      break;
  }
  return std::clamp(used / amount, 0.0, 1.0);
}

std::int64_t Budget::steps_for(double tokens_per_step, double flops_per_step,
                               double tokens_per_epoch) const {
  double per_step = 0;  // of the budget's own unit
  switch (kind) {
    case Kind::kFlops:
      per_step = flops_per_step;
      break;
    case Kind::kTokens:
      per_step = tokens_per_step;
      break;
    case Kind::kSteps:
      per_step = 1;
      break;
    case Kind::kEpochs:
      per_step = tokens_per_step / tokens_per_epoch;
      break;
    case Kind::kSeconds:
      throw std::logic_error("steps_for: a budget in seconds has no fixed number of steps");
  }
  if (!(per_step > 0) || !std::isfinite(per_step))
    throw std::logic_error("steps_for: a step must cost something");
  const double steps = whole_if_near(amount / per_step);
  if (steps < 1)
    throw Error(fmt::format("budget {} is less than one step, which costs {}{}; give at least that",
                            to_string(), digits(per_step, std::chars_format::general),
                            unit_of(kind)));
  if (steps > kMostSteps)
    throw Error(
        fmt::format("budget {} makes {} steps, more than can be counted; give a smaller one",
                    to_string(), steps));
  return static_cast<std::int64_t>(std::round(steps));
}

}  // namespace train
