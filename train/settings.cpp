#include "train/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/suggest.h"
#include "train/budget.h"

namespace train {
namespace {

using engine::Error;
using engine::quote;
using Json = nlohmann::json;
using Value = std::variant<std::int64_t, double, bool, std::string, std::optional<double>>;

constexpr double kUnlimited = 9e18;   // a limit from here on is not worth telling
constexpr double kRateSteps = 65536;  // masks compare 16 random bits

template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;

bool utf8(const std::string& text) {
  try {
    Json(text).dump();
    return true;
  } catch (const Json::type_error&) {
    return false;
  }
}

/// A complaint about a setting: "--lr 'x' is not a number; give a number of at least 0".
[[noreturn]] void refuse(const Row& row, std::string_view source, std::string_view shown,
                         std::string_view wrong) {
  const bool flag = source.starts_with("--");
  const std::string where = flag             ? std::string(source)
                            : source.empty() ? std::string(row.name)
                                             : fmt::format("{}: {}", source, row.name);
  throw Error(fmt::format("{} {} {}; give {}", where, shown, wrong, domain_text(row)));
}

template <class Number>
Number read_number(const Row& row, std::string_view text, std::string_view source) {
  Number out{};
  const std::errc error = parse_number(text, out);
  if (error == std::errc::result_out_of_range) refuse(row, source, quote(text), "is out of range");
  if (error != std::errc{})
    refuse(row, source, quote(text),
           std::is_same_v<Number, std::int64_t> ? "is not a whole number" : "is not a number");
  return out;
}

Value read_text(const Row& row, std::string_view text, std::string_view source) {
  const auto real = [&] { return read_number<double>(row, text, source); };
  return std::visit(Overload{[&](std::int64_t Settings::*) -> Value {
                               return read_number<std::int64_t>(row, text, source);
                             },
                             [&](double Settings::*) -> Value { return real(); },
                             [&](std::optional<double> Settings::*) -> Value {
                               return text == "auto" ? std::optional<double>{}
                                                     : std::optional(real());
                             },
                             [&](bool Settings::*) -> Value {
                               if (text != "true" && text != "false")
                                 refuse(row, source, quote(text), "is neither true nor false");
                               return text == "true";
                             },
                             [&](std::string Settings::*) -> Value {
                               if (text.empty()) refuse(row, source, "''", "is empty");
                               return std::string(text);
                             }},
                    row.member);
}

Value read_json(const Row& row, const Json& json, std::string_view source,
                const std::string& shown) {
  const auto need = [&](bool ok, std::string_view wrong) {
    if (!ok) refuse(row, source, shown, wrong);
  };
  const auto real = [&] {
    need(json.is_number(), "is not a number");
    need(std::isfinite(json.get<double>()), "is out of range");
    return json.get<double>();
  };
  return std::visit(
      Overload{[&](std::int64_t Settings::*) -> Value {
                 need(json.is_number_integer(), "is not a whole number");
                 need(!json.is_number_unsigned() || json.get<std::uint64_t>() <= INT64_MAX,
                      "is out of range");
                 return json.get<std::int64_t>();
               },
               [&](double Settings::*) -> Value { return real(); },
               [&](std::optional<double> Settings::*) -> Value {
                 return json.is_null() ? std::optional<double>{} : std::optional(real());
               },
               [&](bool Settings::*) -> Value {
                 need(json.is_boolean(), "is neither true nor false");
                 return json.get<bool>();
               },
               [&](std::string Settings::*) -> Value {
                 need(json.is_string(), "is not a string");
                 return json.get<std::string>();
               }},
      row.member);
}

/// Checks the value against the row's domain and stores it. `shown` is how it was given.
void store(Settings& settings, const Row& row, const Value& value, std::string_view source,
           const std::string& shown) {
  const auto within = [&](bool ok) {
    if (!ok) refuse(row, source, shown, "is out of range");
  };
  double number = 0;
  bool numeric = false;
  if (const auto* real = std::get_if<double>(&value)) number = *real, numeric = true;
  if (const auto* maybe = std::get_if<std::optional<double>>(&value))
    number = maybe->value_or(0), numeric = maybe->has_value();
  std::visit(
      Overload{[&](const Integers& d) {
                 const auto i = std::get<std::int64_t>(value);
                 within(i >= d.low && i <= d.high);
               },
               [&](const Reals& d) {
                 within(!numeric || ((d.open_low ? number > d.low : number >= d.low) &&
                                     (d.open_high ? number < d.high : number <= d.high)));
               },
               [&](const Rate&) {
                 within(number >= 0 && number < 1);
                 if (std::round((1 - number) * kRateSteps) < 1)
                   refuse(row, source, shown,
                          "is so close to 1 that masks of 16 bits would drop everything (at most "
                          "0.99999 works)");
               },
               [&](const Switch&) {},
               [&](const Choices& d) {
                 const auto& text = std::get<std::string>(value);
                 const auto list = d.list();
                 if (std::find(list.begin(), list.end(), text) != list.end()) return;
                 const std::string_view near = engine::nearest(text, list);
                 refuse(row, source, shown,
                        near.empty() ? "is unknown"
                                     : fmt::format("is unknown; did you mean '{}'?", near));
               },
               [&](const Text& d) {
                 const auto& text = std::get<std::string>(value);
                 if (text.find('\0') != text.npos) refuse(row, source, shown, "has a NUL byte");
                 if (!utf8(text))
                   refuse(row, source, shown, "is not UTF-8, as config.json must be");
                 if (d.check == nullptr) return;
                 try {
                   d.check(text);
                 } catch (const Error& e) {
                   if (source.empty()) throw;
                   throw Error(fmt::format("{}: {}", source, e.what()));
                 }
               }},
      row.domain);
  std::visit([&]<class T>(T Settings::*member) { settings.*member = std::get<T>(value); },
             row.member);
}

const Row& row_or_throw(std::string_view name, std::string_view source) {
  const Row* row = find_setting(name);
  if (row == nullptr)
    throw Error(fmt::format("{}{}unknown setting {}; {}", source, source.empty() ? "" : ": ",
                            quote(name), engine::suggest(name, setting_names())));
  return *row;
}

}  // namespace

void set(Settings& settings, std::string_view name, std::string_view value,
         std::string_view source) {
  const Row& row = row_or_throw(name, source);
  store(settings, row, read_text(row, value, source), source, quote(value));
  if (row.name != "preset") return;
  for (const auto& [preset_name, preset_value] : preset_of(settings).values)
    set(settings, preset_name, preset_value, "preset");
}

Settings resolve(const Settings& base, std::span<const Assignment> given) {
  Settings out = base;
  for (const bool preset : {true, false})
    for (const Assignment& a : given)
      if ((a.name == "preset") == preset) set(out, a.name, a.value, a.source);
  return out;
}

nlohmann::ordered_json to_json(const Settings& settings) {
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  for (const Row& row : settings_table()) {
    auto& slot = out[std::string(row.name)];
    std::visit(Overload{[&](std::optional<double> Settings::*m) {
                          if ((settings.*m).has_value()) slot = *(settings.*m);
                        },
                        [&](auto m) { slot = settings.*m; }},
               row.member);
  }
  return out;
}

Settings from_json(const Json& json, std::string_view source) {
  if (!json.is_object())
    throw Error(
        fmt::format("{}: settings must be a JSON object, not {}", source, json.type_name()));
  Settings out;
  for (const auto& [name, value] : json.items()) {
    const Row& row = row_or_throw(name, source);
    const std::string shown = quote(value.dump(-1, ' ', false, Json::error_handler_t::replace));
    store(out, row, read_json(row, value, source, shown), source, shown);
  }
  validate(out, source);
  return out;
}

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
