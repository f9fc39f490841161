#include "models/regularizer_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/text.h"

namespace models {
namespace {

using base::Error;
using base::quote;
using base::trim;
using Names = std::vector<std::string_view>;

constexpr std::string_view kNone = "none";

template <class... Args>
[[noreturn]] void refuse(fmt::format_string<Args...> message, Args&&... args) {
  throw Error(fmt::format(message, std::forward<Args>(args)...));
}

/// "did you mean 'X'? There are A, B, C"
std::string choices(std::string_view name, const Names& valid) {
  const std::string_view near = base::nearest(name, valid);
  return near.empty() ? fmt::format("choose from {}", base::join(valid))
                      : fmt::format("did you mean '{}'? There are {}", near, base::join(valid));
}

template <class Table>
Names names_of(const Table& table) {
  Names out;
  for (const auto& row : table) out.push_back(row.name);
  return out;
}

/// Cuts `text` at the first `mark` and returns what follows; empty and false if there is none.
bool split(std::string_view& text, char mark, std::string_view& rest) {
  const auto at = text.find(mark);
  if (at == text.npos) return false;
  rest = trim(text.substr(at + 1));
  text = trim(text.substr(0, at));
  return true;
}

bool number(std::string_view text, double& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size();
}

std::string range(const Regularizer& kind) {
  return kind.is_share ? std::string("a rate in [0, 1)")
                       : fmt::format("a coefficient in [0, {}]", kMaxCoefficient);
}

double parse_rate(const Regularizer& kind, std::string_view text) {
  double rate = 0;
  if (!number(text, rate))
    refuse("{}:{} is not a number; give {}", kind.name, quote(text), range(kind));
  if (!(rate >= 0 && (kind.is_share ? rate < 1 : rate <= kMaxCoefficient)))
    refuse("{}:{} is out of range; give {}", kind.name, text, range(kind));
  if (kind.noise != nullptr && kind.noise->points != nullptr && ops::keep_threshold(rate) == 0)
    refuse(
        "{}:{} is so close to 1 that masks of 16 bits would drop everything (at most 0.99999 "
        "works)",
        kind.name, text);
  return rate;
}

std::vector<HookId> parse_hooks(const Regularizer& kind, std::string_view text) {
  if (kind.hooks.empty())
    refuse("{} takes no hook: it acts on {}; write {}:RATE", kind.name, kind.granularity,
           kind.name);
  std::vector<bool> given(std::size(kHookIds), false);
  for (bool more = true; more;) {
    std::string_view rest;
    more = split(text, '/', rest);
    const auto is = [&](HookId hook) { return to_string(hook) == text; };
    const auto* hook = std::find_if(std::begin(kHookIds), std::end(kHookIds), is);
    const Names valid = names(kind.hooks);
    if (hook == std::end(kHookIds))
      refuse("unknown hook {} of {}; {}", quote(text), kind.name, choices(text, valid));
    if (std::find(kind.hooks.begin(), kind.hooks.end(), *hook) == kind.hooks.end())
      refuse("{} has no meaning at {}; it may act at {}", kind.name, text, base::join(valid));
    if (given[static_cast<std::size_t>(*hook)])
      refuse("{} is given hook {} twice; give it once", kind.name, text);
    given[static_cast<std::size_t>(*hook)] = true;
    text = rest;
  }
  std::vector<HookId> hooks;
  for (const HookId hook : kHookIds)
    if (given[static_cast<std::size_t>(hook)]) hooks.push_back(hook);
  return hooks;
}

RateSchedule parse_schedule(std::string_view text) {
  std::string_view fraction;
  const bool has_fraction = split(text, ':', fraction);
  for (const ScheduleKind& kind : schedule_kinds()) {
    if (kind.name != text) continue;
    if (!kind.takes_fraction && has_fraction)
      refuse("schedule {} takes no fraction; write ~{}", text, text);
    if (!kind.takes_fraction) return {&kind, 0};
    double F = 0;
    if (!has_fraction || !number(fraction, F) || !(F > 0 && F < 1))
      refuse("schedule {} needs a fraction of the budget in (0, 1){}; write ~{}:0.2, say", text,
             has_fraction ? fmt::format(", not {}", quote(fraction)) : std::string(), text);
    return {&kind, F};
  }
  refuse("unknown schedule {}; {}", quote(text), choices(text, names_of(schedule_kinds())));
}

RegularizerSetting parse_item(std::string_view text) {
  const std::string_view whole = text;
  std::string_view schedule, hooks, rate;
  const bool has_schedule = split(text, '~', schedule);
  const bool has_hooks = split(text, '@', hooks);
  const bool has_rate = split(text, ':', rate);
  if (whole.empty() || text.empty())
    refuse("no regularizer in {}; write {}", quote(whole), kRegularizerForms);
  if (text == kNone) refuse("'none' stands alone; leave it out of the sum");
  const Regularizer* kind = find_regularizer(text);
  if (kind == nullptr)
    refuse("unknown regularizer {}; {}", quote(text), choices(text, names_of(regularizer_table())));
  if (kind->family == Family::kOptimizer)
    refuse("{} is a setting of its own; write {}={}", text, text, has_rate ? rate : "0.1");
  if (!has_rate || rate.empty())
    refuse("{} has no rate; write {}:RATE with {}", whole, text, range(*kind));
  RegularizerSetting out{kind, parse_rate(*kind, rate), kind->default_hooks, {}};
  if (has_hooks) out.hooks = parse_hooks(*kind, hooks);
  if (has_schedule) out.schedule = parse_schedule(schedule);
  return out;
}

}  // namespace

std::vector<RegularizerSetting> parse_regularizers(std::string_view text) {
  std::vector<RegularizerSetting> out;
  text = trim(text);
  if (text == kNone) return out;
  for (bool more = true; more;) {
    std::string_view rest;
    more = split(text, '+', rest);
    RegularizerSetting item = parse_item(text);
    if (item.rate > 0) out.push_back(std::move(item));
    text = rest;
  }
  check(out);
  return out;
}

std::string to_string(const std::vector<RegularizerSetting>& settings) {
  std::string out;
  for (const RegularizerSetting& s : settings) {
    if (!out.empty()) out += '+';
    fmt::format_to(std::back_inserter(out), "{}:{}", s.kind->name, s.rate);
    if (s.hooks != s.kind->default_hooks)
      fmt::format_to(std::back_inserter(out), "@{}", base::join(names(s.hooks), "/"));
    if (s.schedule.kind == &schedule_kinds().front()) continue;
    fmt::format_to(std::back_inserter(out), "~{}", s.schedule.kind->name);
    if (s.schedule.kind->takes_fraction)
      fmt::format_to(std::back_inserter(out), ":{}", s.schedule.fraction);
  }
  return out.empty() ? std::string(kNone) : out;
}

}  // namespace models
