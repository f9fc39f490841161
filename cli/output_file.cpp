#include "cli/output_file.h"

#include <filesystem>

#include "engine/error.h"
#include "engine/suggest.h"

namespace cli {

std::unique_ptr<train::AtomicFile> open_output(const Parsed& args, std::string_view flag) {
  const std::string& path = args.text(flag);
  if (path.empty()) return nullptr;
  engine::require(!std::filesystem::is_directory(path), "--", flag, " ", engine::quote(path),
                  ": is a folder; give the name of a file");
  try {
    return std::make_unique<train::AtomicFile>(path);
  } catch (const engine::Error& e) {
    const std::string_view reason = e.what();
    throw engine::Error(engine::concat("--", flag, ": ", reason.substr(0, reason.find(';')),
                                       "; give a file in a folder that can be written to"));
  }
}

void finish(train::AtomicFile& file, std::string_view text) {
  file.write(text);
  file.commit();
}

}  // namespace cli
