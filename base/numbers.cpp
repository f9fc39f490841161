#include "base/numbers.h"

#include <charconv>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace base {
namespace {

constexpr double kLongest = 365 * 86400.0;

template <class Number>
std::errc from_whole(std::string_view text, Number& out) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, out);
  if (error == std::errc::invalid_argument || stop != end) return std::errc::invalid_argument;
  return error;
}

}  // namespace

std::errc parse_number(std::string_view text, std::int64_t& out) { return from_whole(text, out); }

std::errc parse_number(std::string_view text, std::uint64_t& out) {
  std::int64_t negative = 0;
  if (from_whole(text, negative) == std::errc{} && negative < 0)
    return std::errc::result_out_of_range;
  return from_whole(text, out);
}

std::errc parse_number(std::string_view text, double& out) {
  const std::errc error = from_whole(text, out);
  if (error == std::errc{} && !std::isfinite(out)) return std::errc::invalid_argument;  // "nan"
  return error;
}

double parse_time(const std::string& text, const std::string& source) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"min", 60}, {"s", 1}, {"m", 60}, {"h", 3600}, {"", 1}};
  for (const auto& [unit, factor] : kUnits) {
    if (!text.ends_with(unit)) continue;
    double value = 0;
    const std::string_view number =
        trim(std::string_view(text).substr(0, text.size() - unit.size()));
    if (parse_number(number, value) != std::errc{}) break;
    require(value > 0 && value * factor <= kLongest, source, " ", quote(text),
            ": give a time above 0 and at most a year");
    return value * factor;
  }
  throw Error(source + " " + quote(text) + ": give a time, such as 10min, 90s or 1.5h");
}

}  // namespace base
