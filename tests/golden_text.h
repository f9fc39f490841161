// Texts that are kept whole in the repository. ISODROP_UPDATE_GOLDEN=1 in the environment writes
// them again: isodrop_quick_tests --gtest_filter='Help.*:Schema.*'.
#pragma once
#include <gtest/gtest.h>

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
  EXPECT_EQ(kept.str(), text) << path.filename()
                              << ": where the new text is right, write it again: "
                                 "ISODROP_UPDATE_GOLDEN=1 isodrop_quick_tests "
                                 "--gtest_filter='Help.*:Schema.*'";
}

}  // namespace tests
