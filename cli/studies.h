// Where the studies are that come with isodrop.
#pragma once
#include <filesystem>
#include <string>

namespace cli {

/// $ISODROP_STUDIES; else, where the program is installed, share/isodrop/studies beside its bin/;
/// else the source tree's.
std::filesystem::path studies_folder();

/// A file as it is given; a name without a folder that is no file here is one of studies_folder(),
/// with or without ".toml".
std::filesystem::path study_file(const std::string& given);

}  // namespace cli
