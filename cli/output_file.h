// Files that a flag names, such as --trace.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "cli/options.h"
#include "train/files.h"

namespace cli {

/// The file of the flag, to be opened before anything is computed, so that nothing is lost to a
/// path that cannot be written; null where the flag has no value. Throws engine::Error.
std::unique_ptr<train::AtomicFile> open_output(const Parsed& args, std::string_view flag);

/// The file becomes `text`.
void finish(train::AtomicFile& file, std::string_view text);

}  // namespace cli
