// Settings in words: values, domains, help.
#include <fmt/format.h>

#include "engine/suggest.h"
#include "train/overload.h"
#include "train/settings.h"

namespace train {
namespace {

constexpr double kUnlimited = 9e18;  // a limit from here on is not worth telling

}  // namespace

std::string value_text(const Settings& settings, const Row& row) {
  return std::visit(Overload{[&](std::optional<double> Settings::*m) -> std::string {
                               return (settings.*m).has_value() ? fmt::format("{}", *(settings.*m))
                                                                : "auto";
                             },
                             [&](auto m) -> std::string { return fmt::format("{}", settings.*m); }},
                    row.member);
}

std::string domain_text(const Row& row) {
  const auto limits = [](auto d, bool open_low, bool open_high) {
    if (static_cast<double>(d.high) >= kUnlimited) return fmt::format("of at least {}", d.low);
    return fmt::format("in {}{}, {}{}", open_low ? '(' : '[', d.low, d.high, open_high ? ')' : ']');
  };
  const bool maybe = std::holds_alternative<std::optional<double> Settings::*>(row.member);
  return std::visit(
      Overload{[&](const Integers& d) { return "a whole number " + limits(d, false, false); },
               [](const Seeds&) -> std::string { return "a whole number in [0, 2^64)"; },
               [&](const Reals& d) {
                 return "a number " + limits(d, d.open_low, d.open_high) +
                        (maybe ? ", or auto" : "");
               },
               [](const Rate&) -> std::string { return "a rate in [0, 1)"; },
               [](const Switch&) -> std::string { return "true or false"; },
               [](const Choices& d) { return "one of " + engine::join(d.list()); },
               [](const Text& d) { return std::string(d.what); }},
      row.domain);
}

std::string hint_text(const Row& row) {
  return std::visit(Overload{[](const Integers&) -> std::string { return "N"; },
                             [](const Seeds&) -> std::string { return "N"; },
                             [](const Reals&) -> std::string { return "X"; },
                             [](const Rate&) -> std::string { return "P"; },
                             [](const Switch&) -> std::string { return ""; },
                             [](const Choices&) -> std::string { return "NAME"; },
                             [](const Text& d) { return std::string(d.hint); }},
                    row.domain);
}

std::string help_text(const Row& row, const Settings& defaults) {
  const std::string value = value_text(defaults, row), domain = domain_text(row);
  std::string out(row.help);
  if (const auto at = domain.find(" in "); at != domain.npos)
    out += ", " + domain.substr(at + 1);
  else if (!domain.starts_with("a ") && !std::holds_alternative<Switch>(row.domain))
    out += ": " + domain;
  return value.empty() ? out : fmt::format("{} (default {})", out, value);
}

}  // namespace train
