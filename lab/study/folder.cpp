#include "lab/study/folder.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "lab/runs/spec.h"

namespace lab {
namespace fs = std::filesystem;
namespace {

constexpr const char* kIdentity = "study.json";
constexpr const char* kOlder = "comparison.json";  // of isodrop before runs had ids

/// Where two identities first differ, for the error message.
std::string difference(const Json& a, const Json& b, const std::string& path) {
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, value] : b.items()) {
      if (!a.contains(key)) return path + key;
      if (a[key] != value) return difference(a[key], value, path + key + ".");
    }
    for (const auto& [key, value] : a.items())
      if (!b.contains(key)) return path + key;
  }
  const std::string name = path.substr(0, path.empty() ? 0 : path.size() - 1);
  const auto brief = [](const Json& j) {
    std::string text = base::json_compact(j);
    if (text.size() > 60) text.replace(57, text.npos, "...");
    return text;
  };
  return name + " is " + brief(a) + " there, " + brief(b) + " here";
}

bool there(const fs::path& path) {
  std::error_code code;  // create() refuses what cannot be read, with the reason
  return fs::exists(path, code);
}

/// Whether the folder is free: missing, empty, or with a kIdentity that is still being written.
bool vacant(const fs::path& path) {
  if (!there(path)) return true;
  std::error_code code;
  fs::directory_iterator entries(path, code);
  return !code && std::all_of(begin(entries), end(entries), [](const fs::directory_entry& entry) {
    const std::string name = entry.path().filename().string();
    return name.starts_with(kIdentity) && name.ends_with(".tmp");
  });
}

}  // namespace

fs::path study_path(const fs::path& out, const Json& identity) {
  return out.empty() ? fs::path("out") / ("compare-" + fingerprint(identity).substr(0, 12)) : out;
}

StudyFolder::StudyFolder(fs::path path, Json identity)
    : path_(study_path(path, identity)), identity_(std::move(identity)) {
  base::require(!there(path_ / kOlder), "--out ", path_.string(),
                ": holds a comparison made by an older isodrop, which kept its runs there; choose "
                "another folder");
  // Before the test for kIdentity, which another command may write meanwhile.
  const bool free = vacant(path_);
  if (there(path_ / kIdentity)) {
    const Json other = base::read_json(path_ / kIdentity, base::Whose::kStore);
    base::require(other == identity_, "--out ", path_.string(), ": holds another comparison (",
                  difference(other, identity_, ""), "); choose another folder");
    return;
  }
  base::require(free, "--out ", path_.string(),
                ": exists and holds no comparison; choose a new or an empty folder");
}

void StudyFolder::create() const {
  base::make_folder(path_);
  if (!there(path_ / kIdentity)) base::write_json(path_ / kIdentity, identity_);
}

Json StudyFolder::load(const std::string& name) const {
  return there(path_ / name) ? base::read_json(path_ / name, base::Whose::kStore) : Json(nullptr);
}

void StudyFolder::save(const std::string& name, const Json& json) const {
  base::write_json(path_ / name, json);
}

void refuse_study(const fs::path& folder) {
  base::require(!there(folder / kIdentity) && !there(folder / kOlder), "--out ", folder.string(),
                ": holds a comparison; choose another folder");
}

}  // namespace lab
