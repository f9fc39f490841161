// JSON as every room writes it: keys in insertion order, null for unknown values.
#pragma once
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace base {

using Json = nlohmann::ordered_json;

/// The number, or null if it is not finite.
inline Json or_null(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }
inline Json or_null(const std::optional<double>& x) { return x ? or_null(*x) : Json(nullptr); }

/// Integers from 2^53 on, which a double may not hold, are decimal strings.
inline Json exact(std::uint64_t n) {
  return n < (std::uint64_t{1} << 53) ? Json(n) : Json(std::to_string(n));
}

/// Reserves room: an object that grows copies all it has.
inline void reserve(Json& object, std::size_t members) {
  object.get_ref<Json::object_t&>().reserve(members);
}

/// Adds a new key without searching for it, as every other way does.
inline void append(Json& object, std::string key, Json value) {
  object.get_ref<Json::object_t&>().emplace_back(std::move(key), std::move(value));
}

/// A value that is JSON text already, for what is too large as a tree. json_text() writes it as it
/// is, json_compact() refuses it, dump() must not be used (tests/layering_test.cpp checks).
Json ready(std::string_view text);
/// As dump(2) and a line end. Like json_compact() it replaces bytes that are not UTF-8 by U+FFFD.
std::string json_text(const Json& json);
/// On one line, without its end. Throws std::logic_error for values of ready().
std::string json_compact(const Json& json);

/// Parses, trusting nothing: repeated keys are errors. Throws base::Error with `name`, the problem
/// and `way_out`.
Json parse_json(std::string_view text, const std::string& name, std::string_view way_out);

}  // namespace base
