#include "train/config/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "train/config/budget.h"

namespace train {
namespace {

using base::Error;
using base::quote;
using Value =
    std::variant<std::int64_t, std::uint64_t, double, bool, std::string, std::optional<double>>;

constexpr double kRateSteps = 65536;  // masks compare 16 random bits

/// An error about a setting: "--lr 'x' is not a number; give a number of at least 0".
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
  const std::errc error = base::parse_number(text, out);
  if (error == std::errc::result_out_of_range) refuse(row, source, quote(text), "is out of range");
  if (error != std::errc{})
    refuse(row, source, quote(text),
           std::is_integral_v<Number> ? "is not a whole number" : "is not a number");
  return out;
}

Value read_text(const Row& row, std::string_view text, std::string_view source) {
  return std::visit(
      [&]<class T>(T Settings::*) -> Value {
        if constexpr (std::is_same_v<T, bool>) {
          if (text != "true" && text != "false")
            refuse(row, source, quote(text), "is neither true nor false");
          return text == "true";
        } else if constexpr (std::is_same_v<T, std::string>) {
          if (text.empty()) refuse(row, source, "''", "is empty");
          return std::string(text);
        } else if constexpr (std::is_same_v<T, std::optional<double>>) {
          return text == "auto" ? T{} : T(read_number<double>(row, text, source));
        } else {
          return read_number<T>(row, text, source);
        }
      },
      row.member);
}

using Shown = std::function<std::string()>;

Value read_json(const Row& row, const base::Json& json, std::string_view source,
                const Shown& shown) {
  const auto need = [&](bool ok, std::string_view wrong) {
    if (!ok) refuse(row, source, shown(), wrong);
  };
  return std::visit(
      [&]<class T>(T Settings::*) -> Value {
        if constexpr (std::is_same_v<T, std::int64_t>) {
          need(json.is_number_integer(), "is not a whole number");
          need(!json.is_number_unsigned() || json.get<std::uint64_t>() <= INT64_MAX,
               "is out of range");
        } else if constexpr (std::is_same_v<T, std::uint64_t>) {
          const auto seed = seed_from_json(json);
          need(seed.has_value(), "is not a seed");
          return *seed;
        } else if constexpr (std::is_same_v<T, bool>) {
          need(json.is_boolean(), "is neither true nor false");
        } else if constexpr (std::is_same_v<T, std::string>) {
          need(json.is_string(), "is not a string");
        } else {
          if (std::is_same_v<T, std::optional<double>> && json.is_null())
            return std::optional<double>();
          need(json.is_number(), "is not a number");
          need(std::isfinite(json.get<double>()), "is out of range");
          return T(json.get<double>());
        }
        if constexpr (!std::is_same_v<T, std::optional<double>>) return json.get<T>();
      },
      row.member);
}

/// Checks the value against the row's domain and stores it. shown() is how it was given.
void store(Settings& settings, const Row& row, Value value, std::string_view source,
           const Shown& shown) {
  const auto within = [&](bool ok) {
    if (!ok) refuse(row, source, shown(), "is out of range");
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
               [](const Seeds&) {},
               [&](const Reals& d) {
                 within(!numeric || ((d.open_low ? number > d.low : number >= d.low) &&
                                     (d.open_high ? number < d.high : number <= d.high)));
               },
               [&](const Rate&) {
                 within(number >= 0 && number < 1);
                 if (std::round((1 - number) * kRateSteps) < 1)
                   refuse(row, source, shown(),
                          "is so close to 1 that masks of 16 bits would drop everything (at most "
                          "0.99999 works)");
               },
               [&](const Switch&) {},
               [&](const Choices& d) {
                 const auto& text = std::get<std::string>(value);
                 const auto list = d.list();
                 if (std::find(list.begin(), list.end(), text) != list.end()) return;
                 const std::string_view near = base::nearest(text, list);
                 refuse(row, source, shown(),
                        near.empty() ? "is unknown"
                                     : fmt::format("is unknown; did you mean '{}'?", near));
               },
               [&](const Text& d) {
                 auto& text = std::get<std::string>(value);
                 if (text.find('\0') != text.npos) refuse(row, source, shown(), "has a NUL byte");
                 if (!base::is_utf8(text))
                   refuse(row, source, shown(), "is not UTF-8, as config.json must be");
                 if (base::printable(text) != text)
                   refuse(row, source, shown(), "has control characters; leave them out");
                 if (d.canonical == nullptr) return;
                 try {
                   text = d.canonical(text);
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
                            quote(name), base::suggest(name, setting_names())));
  return *row;
}

}  // namespace

void set(Settings& settings, std::string_view name, std::string_view value,
         std::string_view source) {
  const Row& row = row_or_throw(name, source);
  store(settings, row, read_text(row, value, source), source, [&] { return quote(value); });
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

std::optional<std::uint64_t> seed_from_json(const base::Json& json) {
  if (json.is_number_unsigned() || (json.is_number_integer() && json.get<std::int64_t>() >= 0))
    return json.get<std::uint64_t>();
  std::uint64_t seed = 0;
  if (!json.is_string() ||
      base::parse_number(json.get_ref<const std::string&>(), seed) != std::errc{})
    return {};
  return seed;
}

bool equal_in(const Row& row, const Settings& a, const Settings& b) {
  return std::visit([&](auto m) { return a.*m == b.*m; }, row.member);
}

base::Json json_value(const Settings& settings, const Row& row) {
  return std::visit(Overload{[&](std::optional<double> Settings::*m) {
                               return (settings.*m).has_value() ? base::Json(*(settings.*m))
                                                                : base::Json(nullptr);
                             },
                             [&](std::uint64_t Settings::*m) { return base::exact(settings.*m); },
                             [&](auto m) { return base::Json(settings.*m); }},
                    row.member);
}

base::Json to_json(const Settings& settings) {
  base::Json out = base::Json::object();
  for (const Row& row : settings_table())
    base::append(out, std::string(row.name), json_value(settings, row));
  return out;
}

Settings from_json(const base::Json& json, std::string_view source) {
  if (!json.is_object())
    throw Error(
        fmt::format("{}: settings must be a JSON object, not {}", source, json.type_name()));
  Settings out;
  for (const auto& [name, value] : json.items()) {
    const Row& row = row_or_throw(name, source);
    if (row.name != name)
      throw Error(
          fmt::format("{}: unknown setting {}; did you mean '{}'?", source, quote(name), row.name));
    const auto shown = [&value = value] {
      return quote(value.dump(-1, ' ', false, base::Json::error_handler_t::replace));
    };
    store(out, row, read_json(row, value, source, shown), source, shown);
  }
  validate(out, source);
  return out;
}

}  // namespace train
