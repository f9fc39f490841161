#include "tests/schema/schemas.h"

#include <algorithm>
#include <cmath>
#include <regex>

#include "base/error.h"
#include "base/files.h"

namespace tests {
namespace {

using Json = base::Json;
using base::concat;

bool is_of_type(const Json& value, const std::string& type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_boolean();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "number") return value.is_number();
  if (type == "integer")
    return value.is_number_integer() ||
           (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>());
  return false;
}

bool matches(const std::string& text, const std::string& pattern) {
  static std::map<std::string, std::regex> known;  // they are slow to make
  return std::regex_search(text, known.try_emplace(pattern, pattern).first->second);
}

/// The keywords, and whether their values hold schemas: one, a list of them, or some by name.
enum class Holds { kNothing, kOne, kList, kNamed };
const std::map<std::string, Holds>& keywords() {
  using enum Holds;
  static const std::map<std::string, Holds> known = {{"$schema", kNothing},
                                                     {"$id", kNothing},
                                                     {"$defs", kNamed},
                                                     {"$ref", kNothing},
                                                     {"title", kNothing},
                                                     {"type", kNothing},
                                                     {"enum", kNothing},
                                                     {"const", kNothing},
                                                     {"minimum", kNothing},
                                                     {"maximum", kNothing},
                                                     {"pattern", kNothing},
                                                     {"required", kNothing},
                                                     {"minItems", kNothing},
                                                     {"maxItems", kNothing},
                                                     {"items", kOne},
                                                     {"additionalProperties", kOne},
                                                     {"anyOf", kList},
                                                     {"unevaluatedProperties", kOne},
                                                     {"oneOf", kList},
                                                     {"properties", kNamed},
                                                     {"patternProperties", kNamed}};
  return known;
}

}  // namespace

std::filesystem::path schema_folder() {
  return std::filesystem::path(ISODROP_SOURCE_DIR) / "docs/schema";
}

Schemas::Schemas() {
  for (const auto& entry : std::filesystem::directory_iterator(schema_folder()))
    files_[entry.path().filename().string()] = base::read_json(entry.path());
}

std::pair<const Json*, std::string> Schemas::find(const std::string& ref,
                                                  const std::string& file) const {
  const std::size_t hash = std::min(ref.find('#'), ref.size());
  const std::string name = hash == 0 ? file : ref.substr(0, hash);
  const auto found = files_.find(name);
  if (found == files_.end()) return {nullptr, name};
  const Json::json_pointer pointer(hash < ref.size() ? ref.substr(hash + 1) : "");
  if (!found->second.contains(pointer)) return {nullptr, name};
  return {&found->second.at(pointer), name};
}

std::vector<std::string> Schemas::errors(const std::string& schema, const Json& value) const {
  const auto [found, file] = find(schema, "");
  if (found == nullptr) return {"no schema " + schema};
  Errors errors;
  Keys seen;
  check(*found, file, value, "", errors, seen);
  return errors;
}

void Schemas::check(const Json& schema, const std::string& file, const Json& value,
                    const std::string& place, Errors& errors, Keys& seen) const {
  const auto wrong = [&](const auto&... why) {
    std::string brief = value.dump().substr(0, 60);
    errors.push_back(concat(place.empty() ? "/" : place, ": ", brief, " ", why...));
  };
  if (schema.is_boolean()) {
    if (!schema.get<bool>()) wrong("is not to be there");
    return;
  }
  if (schema.contains("$ref")) {
    const auto [meant, other] = find(schema["$ref"], file);
    check(*meant, other, value, place, errors, seen);
  }
  if (schema.contains("type")) {
    const Json& type = schema["type"];
    const Json types = type.is_array() ? type : Json::array({type});
    if (std::none_of(types.begin(), types.end(),
                     [&](const Json& t) { return is_of_type(value, t); }))
      return wrong("is not of type ", type.dump());
  }
  if (schema.contains("const") && value != schema["const"])
    wrong("is not ", schema["const"].dump());
  if (schema.contains("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
    wrong("is none of ", schema["enum"].dump());
  if (value.is_number() && schema.contains("minimum") && value < schema["minimum"])
    wrong("is below ", schema["minimum"].dump());
  if (value.is_number() && schema.contains("maximum") && value > schema["maximum"])
    wrong("is above ", schema["maximum"].dump());
  if (value.is_string() && schema.contains("pattern") && !matches(value, schema["pattern"]))
    wrong("does not match ", schema["pattern"].dump());
  if (value.is_array()) {
    if (value.size() < schema.value("minItems", std::size_t{0}) ||
        value.size() > schema.value("maxItems", value.size()))
      wrong("has ", value.size(), " items");
    for (std::size_t i = 0; i < value.size() && schema.contains("items"); ++i) {
      Keys own;
      check(schema["items"], file, value[i], concat(place, "/", i), errors, own);
    }
  }
  check_branches(schema, file, value, place, errors, seen);
  if (value.is_object()) check_object(schema, file, value, place, errors, seen);
}

void Schemas::check_branches(const Json& schema, const std::string& file, const Json& value,
                             const std::string& place, Errors& errors, Keys& seen) const {
  for (const char* keyword : {"anyOf", "oneOf"}) {
    if (!schema.contains(keyword)) continue;
    std::size_t hits = 0;
    Errors nearest;  // of the branch that fails least
    for (const Json& branch : schema[keyword]) {
      Errors here;
      Keys keys;
      check(branch, file, value, place, here, keys);
      if (here.empty()) {
        ++hits;
        seen.insert(keys.begin(), keys.end());
      } else if (nearest.empty() || here.size() < nearest.size()) {
        nearest = std::move(here);
      }
    }
    if (hits == 0) errors.insert(errors.end(), nearest.begin(), nearest.end());
    if (hits > 1 && std::string(keyword) == "oneOf")
      errors.push_back(concat(place, ": is ", hits, " of the things that it must be one of"));
  }
}

void Schemas::check_object(const Json& schema, const std::string& file, const Json& value,
                           const std::string& place, Errors& errors, Keys& seen) const {
  const Json none = Json::object();
  const Json& named = schema.contains("properties") ? schema["properties"] : none;
  const Json& patterns = schema.contains("patternProperties") ? schema["patternProperties"] : none;
  for (const Json& key : schema.value("required", Json::array()))
    if (!value.contains(key.get<std::string>()))
      errors.push_back(concat(place, ": has no ", key.dump()));
  for (const auto& [key, member] : value.items()) {
    const std::string at = concat(place, "/", key);
    Keys own;
    bool known = named.contains(key);
    if (known) check(named[key], file, member, at, errors, own);
    for (const auto& [pattern, rule] : patterns.items())
      if (matches(key, pattern)) {
        known = true;
        check(rule, file, member, at, errors, own);
      }
    if (!known && schema.contains("additionalProperties")) {
      known = true;
      check(schema["additionalProperties"], file, member, at, errors, own);
    }
    if (!known && !seen.contains(key) && schema.contains("unevaluatedProperties"))
      check(schema["unevaluatedProperties"], file, member, at, errors, own);
    if (known) seen.insert(key);
  }
}

std::vector<std::string> Schemas::own_errors() const {
  Errors errors;
  for (const auto& [name, schema] : files_) {
    if (schema.value("$schema", "") != "https://json-schema.org/draft/2020-12/schema" ||
        schema.value("$id", "") != name || schema.value("title", "").empty())
      errors.push_back(name +
                       ": has no $schema of 2020-12, no title, or an $id that is not its name");
    check_schema(schema, name, name, errors);
  }
  return errors;
}

void Schemas::check_schema(const Json& schema, const std::string& file, const std::string& place,
                           Errors& errors) const {
  if (schema.is_boolean()) return;
  for (const auto& [key, value] : schema.items()) {
    const auto known = keywords().find(key);
    if (known == keywords().end()) {
      errors.push_back(concat(place, ": ", key, " is no keyword that the validator knows"));
      continue;
    }
    const std::string at = concat(place, "/", key);
    if (known->second == Holds::kOne)
      check_schema(value, file, at, errors);
    else if (known->second != Holds::kNothing)
      for (const auto& [name, part] : value.items())
        check_schema(part, file, concat(at, "/", name), errors);
  }
  if (schema.contains("$ref") && find(schema["$ref"], file).first == nullptr)
    errors.push_back(concat(place, ": ", schema["$ref"].dump(), " is not there"));
  // Those of the tables are parts of closed objects.
  if (schema.contains("properties") && !schema.contains("additionalProperties") &&
      !schema.contains("unevaluatedProperties") && file != "tables.json")
    errors.push_back(concat(place, ": takes any key"));
}

}  // namespace tests
