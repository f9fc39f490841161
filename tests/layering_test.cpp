// The rooms: base < engine < ops < models < data < train < lab < cli. A lower room includes no
// higher one, and neither do the rooms inside them.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
constexpr std::array<std::string_view, 8> kRooms = {"base", "engine", "ops", "models",
                                                    "data", "train",  "lab", "cli"};

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

/// What a room inside a room may include of its neighbours; the outer room's own folder counts as
/// one. The same table stands in docs/architecture.md.
struct Inner {
  std::string_view room;
  std::vector<std::string_view> may;  // include
};
const std::vector<Inner>& inner_rooms() {
  static const std::vector<Inner> rooms = {
      {"data/tokenizer", {}},
      {"data/text", {"data/tokenizer"}},
      {"data/table", {"data/text", "data/tokenizer"}},
      {"data/synthetic", {"data/text", "data/tokenizer"}},
      {"train/config", {}},
      {"train/tasks", {"train/config"}},
      {"train/optim", {}},
      {"train/distributed", {"train/optim"}},
      {"train/log", {"train/config"}},
      {"train/storage", {"train/config", "train/tasks", "train/optim", "train/log"}},
      {"lab/stats", {}},
      {"lab/probe", {"lab/stats"}},
      {"lab/runs", {"lab/stats", "lab/probe"}},
      {"lab/study", {"lab/runs", "lab/stats"}},
      {"lab/report/html", {}},
      {"lab/report", {"lab/runs", "lab/stats", "lab/study", "lab/report/html"}},
      {"lab/session", {"lab/runs", "lab/study", "lab/report"}},
      {"lab/batch", {"lab/runs", "lab/study", "lab/session"}},
      {"lab/advise", {"lab/stats", "lab/study", "lab/report", "lab/session"}},
      {"lab/inspect", {"lab/probe", "lab/runs", "lab/stats", "lab/study", "lab/report/html"}},
  };
  return rooms;
}

/// "lab/stats" for "lab/stats/stats.h", "train" for "train/trainer.h".
std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/')); }

/// Includes of an inner room that leave it for a neighbour it may not see.
std::vector<std::string> inner_trespasses(const Inner& inner,
                                          const std::vector<Include>& includes) {
  std::vector<std::string> wrong;
  const std::string outer(inner.room.substr(0, inner.room.find('/')));
  for (const Include& i : includes) {
    const std::string to = folder_of(i.target);
    if (to != outer && !to.starts_with(outer + "/")) continue;
    if (to == inner.room || std::find(inner.may.begin(), inner.may.end(), to) != inner.may.end())
      continue;
    wrong.push_back(i.file + " includes " + i.target);
  }
  return wrong;
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
    if (i.target == "mpi.h" && i.file != "train/distributed/mpi_communicator.cpp")
      wrong.push_back(i.file +
                      " includes mpi.h: train/distributed/mpi_communicator.cpp is the door to MPI");
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

TEST(Layering, NoInnerRoomNamesAnother) {
  for (const Inner& inner : inner_rooms()) {
    const std::vector<Include> includes = includes_of(inner.room);
    EXPECT_FALSE(includes.empty()) << "nothing found in " << inner.room;
    for (const std::string& wrong : inner_trespasses(inner, includes)) ADD_FAILURE() << wrong;
  }
}

// Statistics know numbers alone.
TEST(Layering, StatisticsKnowNobody) {
  for (const Include& i : includes_of("lab/stats"))
    EXPECT_TRUE(folder_of(i.target) == "lab/stats" || room_of(i.target) == "engine" ||
                room_of(i.target) == "base" || room_of(i.target) == "boost" ||
                room_of(i.target) == "Eigen" || i.target.find('/') == std::string::npos ||
                i.target.starts_with("fmt/"))
        << i.file << " includes " << i.target;
}

TEST(Layering, EveryFolderBelongsToARoom) {
  for (const std::string_view room : kRooms)
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(ISODROP_SOURCE_DIR) / room))
      if (entry.is_directory()) {
        const std::string path = fs::relative(entry.path(), ISODROP_SOURCE_DIR).string();
        EXPECT_TRUE(std::any_of(inner_rooms().begin(), inner_rooms().end(),
                                [&](const Inner& inner) { return inner.room == path; }))
            << path << " is no room that this test knows";
      }
}

// No two rooms include each other, by whatever way: every room may include earlier rows alone.
TEST(Layering, InnerRoomsHaveAnOrder) {
  const std::vector<Inner>& rooms = inner_rooms();
  for (std::size_t i = 0; i < rooms.size(); ++i)
    for (const std::string_view other : rooms[i].may)
      EXPECT_TRUE(std::any_of(rooms.begin(), rooms.begin() + static_cast<std::ptrdiff_t>(i),
                              [&](const Inner& earlier) { return earlier.room == other; }))
          << rooms[i].room << " may include " << other << ", which is no earlier row";
}

TEST(Layering, TheEngineKnowsNoOp) {
  for (const Include& i : includes_of("engine"))
    EXPECT_TRUE(room_of(i.target) == "engine" || room_of(i.target) == "base" ||
                i.target.find('/') == std::string::npos || i.target.starts_with("sys/"))
        << i.file << " includes " << i.target;
}

/// Lines of the source that write JSON in another way than base/json.h, where text that is ready()
/// would become a list of bytes.
std::vector<std::string> other_writers(const std::string& file, std::istream& in) {
  std::vector<std::string> found;
  for (std::string line; std::getline(in, line);)
    if (line.find(".dump(") != line.npos && line.find("nlohmann::json(json).dump()") == line.npos)
      found.push_back(file + ": " + line);  // sorted by its keys it is hashed, not shown
  return found;
}

TEST(Layering, JsonIsWrittenInOneWay) {
  int files = 0;
  for (const char* room : {"lab", "cli"})
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(ISODROP_SOURCE_DIR) / room)) {
      if (entry.path().extension() != ".cpp" && entry.path().extension() != ".h") continue;
      ++files;
      std::ifstream in(entry.path());
      for (const std::string& line : other_writers(entry.path().filename(), in))
        ADD_FAILURE() << line << ": take base::json_text() or json_compact()";
    }
  EXPECT_GT(files, 100);
  std::istringstream wrong("fmt::print(\"{}\\n\", json.dump(2));");
  EXPECT_EQ(other_writers("x.cpp", wrong).size(), 1U);
}

TEST(Layering, TheTestItselfSeesATrespass) {
  EXPECT_EQ(trespasses("ops", {{"ops/x.cpp", "models/gpt.h"}}).size(), 1U);
  EXPECT_EQ(trespasses("engine", {{"engine/x.h", "tests/y.h"}}).size(), 1U);
  EXPECT_EQ(trespasses("ops", {{"ops/x.h", "dnnl.hpp"}}).size(), 1U);
  EXPECT_EQ(trespasses("ops", {{"ops/onednn.cpp", "dnnl.hpp"}}).size(), 0U);
  EXPECT_EQ(trespasses("train", {{"train/x.h", "mpi.h"}}).size(), 1U);
  EXPECT_EQ(trespasses("train", {{"train/distributed/mpi_communicator.cpp", "mpi.h"}}).size(), 0U);
  EXPECT_EQ(trespasses("lab", {{"lab/x.cpp", "cxxopts.hpp"}}).size(), 1U);
  const Inner study{"lab/study", {"lab/runs"}};
  EXPECT_EQ(inner_trespasses(study, {{"lab/study/x.cpp", "lab/report/r.h"}}).size(), 1U);
  EXPECT_EQ(inner_trespasses(study, {{"lab/study/x.cpp", "lab/runs/r.h"}}).size(), 0U);
  EXPECT_EQ(inner_trespasses(study, {{"lab/study/x.cpp", "train/trainer.h"}}).size(), 0U);
  EXPECT_EQ(trespasses("lab", {{"lab/x.cpp", "train/y.h"}, {"lab/x.cpp", "lab/z.h"}}).size(), 0U);
}

}  // namespace
