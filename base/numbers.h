// Numbers and times as people write them.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace base {

/// Strict numbers: the whole text, no sign but '-', finite. Returns errc{} when read, otherwise
/// invalid_argument or result_out_of_range.
std::errc parse_number(std::string_view text, std::int64_t& out);
std::errc parse_number(std::string_view text, std::uint64_t& out);
std::errc parse_number(std::string_view text, double& out);

/// "10min", "90s", "1.5h" or a number of seconds. Throws base::Error.
double parse_time(const std::string& text, const std::string& source);

}  // namespace base
