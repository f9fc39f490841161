// The JSON Schemas of docs/schema (draft 2020-12), and whether a value is as one of them says.
#pragma once
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace tests {

class Schemas {
 public:
  using Json = base::Json;
  /// Reads all of them.
  Schemas();
  /// What is wrong with the value, each with its place; empty where it is as "FILE.json" or
  /// "FILE.json#/$defs/NAME" says.
  std::vector<std::string> errors(const std::string& schema, const Json& value) const;
  /// What is wrong with the schemas themselves: keywords that errors() does not know, references
  /// to nothing, objects that take any key.
  std::vector<std::string> own_errors() const;
  const std::map<std::string, Json>& files() const { return files_; }

 private:
  using Keys = std::set<std::string>;
  using Errors = std::vector<std::string>;
  /// `seen`: the keys of the value that the schema names.
  void check(const Json& schema, const std::string& file, const Json& value,
             const std::string& place, Errors& errors, Keys& seen) const;
  void check_object(const Json& schema, const std::string& file, const Json& value,
                    const std::string& place, Errors& errors, Keys& seen) const;
  void check_branches(const Json& schema, const std::string& file, const Json& value,
                      const std::string& place, Errors& errors, Keys& seen) const;
  void check_schema(const Json& schema, const std::string& file, const std::string& place,
                    Errors& errors) const;
  /// The schema that is meant and its file; null where there is none.
  std::pair<const Json*, std::string> find(const std::string& ref, const std::string& file) const;
  std::map<std::string, Json> files_;
};

/// The folder with the schemas.
std::filesystem::path schema_folder();

}  // namespace tests
