// Texts that are kept whole in the repository. ISODROP_UPDATE_GOLDEN=1 in the environment writes
// them again: isodrop_quick_tests --gtest_filter='Help.*:Schema.*'.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace tests {

inline void expect_golden(const std::filesystem::path& path, const std::string& text) {
  if (std::getenv("ISODROP_UPDATE_GOLDEN") != nullptr) {
    std::filesystem::create_directories(path.parent_path());
    ASSERT_TRUE(std::ofstream(path, std::ios::binary) << text) << path;
    return;
  }
  std::ostringstream kept;
  kept << std::ifstream(path, std::ios::binary).rdbuf();
  const std::string old = kept.str();
  if (old == text) return;
  // The first line that differs is enough to see what has changed.
  const auto at = std::mismatch(old.begin(), old.end(), text.begin(), text.end());
  const auto line = [](const std::string& of, std::string::const_iterator it) {
    const std::size_t before = of.rfind('\n', static_cast<std::size_t>(it - of.begin()));
    const std::size_t begin = before == of.npos || before + 1 >= of.size() ? 0 : before + 1;
    return of.substr(begin, of.find('\n', begin + 1) - begin);
  };
  ADD_FAILURE() << path.filename() << " has\n  " << line(old, at.first) << "\nand now it is\n  "
                << line(text, at.second)
                << "\nIf the new text is right, write it: ISODROP_UPDATE_GOLDEN=1 "
                   "isodrop_quick_tests --gtest_filter='Help.*:Schema.*'";
}

}  // namespace tests
