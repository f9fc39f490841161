// A folder for what nobody keeps.
#pragma once
#include <filesystem>
#include <memory>

#include "base/files.h"

namespace cli {

/// A new folder that is this user's alone and gone when this ends. Removes those that killed
/// processes have left.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  std::unique_ptr<base::RunLock> lock_;  // by which others see that somebody uses it
};

}  // namespace cli
