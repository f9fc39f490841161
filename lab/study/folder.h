// The folder of a study: its identity, its last report, its choices and step times. Runs are in the
// store.
#pragma once
#include <filesystem>
#include <string>

#include "base/json.h"

namespace lab {

using base::Json;

/// `out`, or out/compare-<identity> if it is empty.
std::filesystem::path study_path(const std::filesystem::path& out, const Json& identity);

class StudyFolder {
 public:
  /// Looks at the folder and writes nothing; an empty `path` is out/compare-<identity>. Throws
  /// base::Error if it holds anything but this identity.
  StudyFolder(std::filesystem::path path, Json identity);
  /// Creates it if it does not exist. Throws base::Error.
  void create() const;

  const std::filesystem::path& path() const { return path_; }
  /// A JSON file in it; null if it does not exist. Throws base::Error.
  Json load(const std::string& name) const;
  void save(const std::string& name, const Json& json) const;

 private:
  std::filesystem::path path_;
  Json identity_;
};

/// Throws base::Error if `folder` holds a study: nothing else may be written there.
void refuse_study(const std::filesystem::path& folder);

}  // namespace lab
