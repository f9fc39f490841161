#include "cli/studies.h"

#include <cstdlib>

#include "isodrop_version.h"
#include "lab/runs/processes.h"

namespace cli {
namespace fs = std::filesystem;

fs::path studies_folder() {
  if (const char* given = std::getenv("ISODROP_STUDIES"); given != nullptr && *given != '\0')
    return given;
  std::error_code code;  // what cannot be looked at is not there
  const fs::path program = fs::read_symlink(lab::this_program(), code);
  const fs::path installed = (program.parent_path() / ISODROP_SHARE / "studies").lexically_normal();
  return !code && fs::is_directory(installed, code) ? installed : fs::path(ISODROP_STUDIES);
}

fs::path study_file(const std::string& given) {
  const fs::path path = given;
  std::error_code code;
  if (path.has_parent_path() || fs::exists(path, code)) return path;
  for (const fs::path& folder : {studies_folder(), studies_folder() / "more"})
    for (const std::string& name : {given, given + ".toml"})
      if (fs::is_regular_file(folder / name, code)) return folder / name;
  return path;
}

}  // namespace cli
