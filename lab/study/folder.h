// The folder of a study: what it is, its last report, and what was measured beside its runs (which
// are in the store).
#pragma once
#include <filesystem>
#include <string>

#include "base/json.h"

namespace lab {

using base::Json;

/// `out`, or where it is empty out/compare-<identity>.
std::filesystem::path study_path(const std::filesystem::path& out, const Json& identity);

class StudyFolder {
 public:
  /// Looks at the folder and writes nothing; an empty `path` is out/compare-<identity>. Throws
  /// base::Error where it holds anything but this identity.
  StudyFolder(std::filesystem::path path, Json identity);
  /// Creates it where it is not there yet. Throws base::Error where that cannot be.
  void create() const;

  const std::filesystem::path& path() const { return path_; }
  /// A JSON file in it; null where there is none. Throws base::Error.
  Json load(const std::string& name) const;
  void save(const std::string& name, const Json& json) const;

 private:
  std::filesystem::path path_;
  Json identity_;
};

/// Throws base::Error where `folder` holds a study, into which nothing else may be written.
void refuse_study(const std::filesystem::path& folder);

}  // namespace lab
