// A folder for what nobody keeps.
#pragma once
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "engine/error.h"
#include "train/files.h"

namespace cli {

/// A folder that is gone when this ends.
class Scratch {
 public:
  Scratch() {
    std::error_code error;
    path_ = std::filesystem::temp_directory_path(error) / fmt::format("isodrop-{}", getpid());
    engine::require(!error, "no folder for temporary files: ", error.message(),
                    "; set TMPDIR to one that is there");
    train::make_folder(path_);
  }
  ~Scratch() {
    std::error_code none;
    std::filesystem::remove_all(path_, none);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace cli
