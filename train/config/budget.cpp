#include "train/config/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

/// Of the prefixes k, K, M, G and T; 1 for anything else.
double multiplier(char c) {
  const std::size_t thousands = std::string_view("kMGT").find(c == 'K' ? 'k' : c);
  return thousands == std::string_view::npos ? 1 : std::array{1e3, 1e6, 1e9, 1e12}[thousands];
}

bool countable(Kind kind) { return kind == Kind::kTokens || kind == Kind::kSteps; }

/// The whole number that is meant: 0.77 * 1e6 is not quite 770000.
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

/// What was spent in a budget's own unit.
double amount_of(Kind kind, const Spent& spent) {
  switch (kind) {
    case Kind::kFlops:
      return spent.flops;
    case Kind::kTokens:
      return spent.tokens;
    case Kind::kSteps:
      return static_cast<double>(spent.steps);
    case Kind::kEpochs:
      return spent.epochs;
    case Kind::kSeconds:
      return spent.seconds;
  }
  return 0;
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
  return std::clamp(amount_of(kind, spent) / amount, 0.0, 1.0);
}

std::int64_t Budget::steps_for(double tokens_per_step, double flops_per_step,
                               double tokens_per_epoch) const {
  const double per_step = amount_of(kind, {.steps = 1,
                                           .tokens = tokens_per_step,
                                           .flops = flops_per_step,
                                           .epochs = tokens_per_step / tokens_per_epoch});
  if (!fixed_steps() || !(per_step > 0) || !std::isfinite(per_step))
    throw std::logic_error("steps_for: a step must cost something, and not in seconds");
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
