// docs/claims by the real binary.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/cli/cli_harness.h"

namespace {

using namespace tests;
using Json = nlohmann::json;
namespace fs = std::filesystem;

// What stands in docs/claims is of the study files as they are, and its figures come out again.
TEST(PublishedClaims, AreThoseOfTheStudyFilesAndComeOutAgain) {
  const TempFolder folder;
  const fs::path root = ISODROP_SOURCE_DIR, claims = root / "docs/claims",
                 text = root / "../shared/data/tinyshakespeare.txt";
  std::size_t found = 0;
  for (const bool of_text : {false, true}) {
    if (of_text && !fs::exists(text)) continue;  // of a text that is no part of isodrop
    Words args = {"study", "--from", claims.string(), "--format", "json"};
    if (of_text) args = args + Words{"--text", text.string()};
    Words verdicts;
    for (const auto& entry : fs::directory_iterator(claims)) {
      const std::string name = entry.path().stem();
      if (entry.path().extension() != ".json" || name.ends_with("-on-text") != of_text) continue;
      const fs::path file = name + ".toml";
      args.push_back(fs::exists(root / "studies" / file) ? root / "studies" / file
                                                         : root / "studies/more" / file);
      verdicts.push_back(Json::parse(std::ifstream(entry.path()))["verdict"]);
    }
    if (verdicts.empty()) continue;
    const Result r = isodrop(args, folder.path());
    ASSERT_EQ(r.code, 0) << describe(args, r);
    const Json studies = json_of(args, r)["studies"];
    ASSERT_EQ(studies.size(), verdicts.size());
    for (std::size_t i = 0; i < verdicts.size(); ++i) EXPECT_EQ(studies[i]["verdict"], verdicts[i]);
    found += verdicts.size();
  }
  EXPECT_GE(found, 9U);
}

}  // namespace
