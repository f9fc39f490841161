// `isodrop list`, and the exit code of what the tables refuse.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>

#include "cli/commands.h"

namespace {

TEST(List, ShowsEveryTable) {
  std::set<std::string_view> names;
  for (const cli::Listing& listing : cli::listings()) {
    names.insert(listing.name);
    EXPECT_FALSE(listing.entries().empty()) << listing.name;
    for (const cli::ListEntry& entry : listing.entries()) {
      EXPECT_FALSE(entry.help.empty()) << entry.name;
      for (const auto& [label, detail] : entry.details)
        EXPECT_FALSE(detail.empty()) << entry.name << ' ' << label;
    }
  }
  for (const char* name : {"regularizers", "hooks", "schedules", "norms", "placements",
                           "activations", "inits", "presets", "settings"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(List, ExitCodes) {
  const auto code = [](const std::string& args) {
    const std::string command = "'" ISODROP_BINARY "' " + args + " >/dev/null 2>&1";
    return WEXITSTATUS(std::system(command.c_str()));
  };
  EXPECT_EQ(code("list regularizers"), 0);
  EXPECT_EQ(code("list settings --format json"), 0);
  EXPECT_EQ(code("list"), 2);
  EXPECT_EQ(code("list regularisers"), 2);
  EXPECT_EQ(code("train --reg dropout:2"), 2);
  EXPECT_EQ(code("train --norm batch"), 2);
  EXPECT_EQ(code("train --norm-place middle"), 2);
  EXPECT_EQ(code("train --activation mish"), 2);
  EXPECT_EQ(code("compare --arm reg=drop_path:0.1@emb"), 2);
}

}  // namespace
