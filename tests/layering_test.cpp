// The rooms: engine < ops < models < train < lab < cli. A lower room names no higher one.
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
constexpr std::array<std::string_view, 6> kRooms = {"engine", "ops", "models",
                                                    "train",  "lab", "cli"};

struct Include {
  std::string file;    // "ops/gelu.cpp"
  std::string target;  // "engine/op.h", "dnnl.hpp"
};

std::vector<Include> includes_of(std::string_view room) {
  std::vector<Include> found;
  const fs::path root = ISODROP_SOURCE_DIR;
  const std::regex pattern(R"(^\s*#\s*include\s*["<]([^">]+)[">])");
  if (!fs::exists(root / room)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
    const std::string extension = entry.path().extension();
    if (extension != ".h" && extension != ".cpp") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);)
      if (std::smatch match; std::regex_search(line, match, pattern))
        found.push_back({fs::relative(entry.path(), root).string(), match[1]});
  }
  return found;
}

std::string room_of(const std::string& path) { return path.substr(0, path.find('/')); }

/// Everything a room includes that it may not.
std::vector<std::string> trespasses(std::string_view room, const std::vector<Include>& includes) {
  std::vector<std::string> wrong;
  bool higher = false;
  for (const std::string_view other : kRooms) {
    if (higher)
      for (const Include& i : includes)
        if (room_of(i.target) == other) wrong.push_back(i.file + " includes " + i.target);
    higher = higher || other == room;
  }
  for (const Include& i : includes) {
    if (room_of(i.target) == "tests" || room_of(i.target) == "benchmarks")
      wrong.push_back(i.file + " includes " + i.target);
    if (i.target.starts_with("dnnl") && i.file != "ops/onednn.cpp")
      wrong.push_back(i.file + " includes " + i.target + ": ops/onednn.cpp is the door to oneDNN");
    if (i.target.starts_with("cxxopts") && room != "cli")
      wrong.push_back(i.file + " includes " + i.target +
                      ": the command line is the business of cli");
  }
  return wrong;
}

TEST(Layering, NoRoomNamesAHigherOne) {
  for (const std::string_view room : kRooms) {
    const std::vector<Include> includes = includes_of(room);
    EXPECT_FALSE(includes.empty()) << "nothing found in " << room;
    for (const std::string& wrong : trespasses(room, includes)) ADD_FAILURE() << wrong;
  }
}

TEST(Layering, TheEngineKnowsNoOp) {
  for (const Include& i : includes_of("engine"))
    EXPECT_TRUE(room_of(i.target) == "engine" || i.target.find('/') == std::string::npos ||
                i.target.starts_with("sys/"))
        << i.file << " includes " << i.target;
}

TEST(Layering, TheTestItselfSeesATrespass) {
  EXPECT_EQ(trespasses("ops", {{"ops/x.cpp", "models/gpt.h"}}).size(), 1U);
  EXPECT_EQ(trespasses("engine", {{"engine/x.h", "tests/y.h"}}).size(), 1U);
  EXPECT_EQ(trespasses("ops", {{"ops/x.h", "dnnl.hpp"}}).size(), 1U);
  EXPECT_EQ(trespasses("ops", {{"ops/onednn.cpp", "dnnl.hpp"}}).size(), 0U);
  EXPECT_EQ(trespasses("lab", {{"lab/x.cpp", "cxxopts.hpp"}}).size(), 1U);
  EXPECT_EQ(trespasses("lab", {{"lab/x.cpp", "train/y.h"}, {"lab/x.cpp", "lab/z.h"}}).size(), 0U);
}

}  // namespace
