// JSON as every room writes it: keys in the order they are put in, and null for what is not known.
#pragma once
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace base {

using Json = nlohmann::ordered_json;

/// The number; null where it is not finite, which JSON cannot say.
inline Json or_null(double x) { return std::isfinite(x) ? Json(x) : Json(nullptr); }
inline Json or_null(const std::optional<double>& x) { return x ? or_null(*x) : Json(nullptr); }

/// Integers that a double may not hold (from 2^53 on) are decimal strings.
inline Json exact(std::uint64_t n) {
  return n < (std::uint64_t{1} << 53) ? Json(n) : Json(std::to_string(n));
}

/// Room for so many members: where an object grows it copies what it has, whatever its size.
inline void reserve(Json& object, std::size_t members) {
  object.get_ref<Json::object_t&>().reserve(members);
}

/// Adds a key that is not there yet; looks for none, which every other way does.
inline void append(Json& object, std::string key, Json value) {
  object.get_ref<Json::object_t&>().emplace_back(std::move(key), std::move(value));
}

/// A value that is JSON text already, for what would be too large as a tree: json_text() writes it
/// as it is, json_compact() refuses it. Nothing else writes JSON for anybody to read: of dump()
/// such a value would be a list of bytes (tests/layering_test.cpp looks for it).
Json ready(std::string_view text);
/// As dump(2) and a line's end, with what is ready(). Like json_compact() it never fails: bytes
/// that are no UTF-8 become U+FFFD.
std::string json_text(const Json& json);
/// In one line, without its end. Throws std::logic_error for what is ready(), which may be lines.
std::string json_compact(const Json& json);

/// Parses, trusting nothing: a key that is given twice is an error as well. Throws base::Error
/// with `name`, what is wrong and `way_out`.
Json parse_json(std::string_view text, const std::string& name, std::string_view way_out);

}  // namespace base
