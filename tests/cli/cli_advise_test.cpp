// `isodrop advise` by the real binary.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "cli/options.h"
#include "lab/runs/spec.h"
#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace {

using namespace tests;
using Json = nlohmann::json;
namespace fs = std::filesystem;

class CliAdvise : public testing::Test {
 protected:
  void SetUp() override { folder.write("text.txt", small_text(3000)); }
  static Words advise(const Words& more) {
    return Words{"advise",       "--text", "text.txt", "--preset", "tiny", "--n-embd", "8",
                 "--block-size", "8",      "--batch",  "4",        "--lr", "0.01"} +
           more;
  }
  std::string error(const Words& more) const {
    const Words args = advise(more);
    return only_error(args, isodrop(args, folder.path()));
  }
  std::size_t runs_in(const std::string& store) const {
    std::size_t count = 0;
    std::error_code none_yet;
    for (const auto& entry : fs::directory_iterator(folder.path() / store, none_yet))
      count += fs::exists(entry.path() / "record.json") ? 1 : 0;
    return count;
  }
  const TempFolder folder;
};

TEST_F(CliAdvise, AnswersAndGoesOnWhereItWasKilled) {
  const Words more = {"--budget", "16steps", "--seeds", "2", "--jobs", "2", "--threads", "2"};
  const Words calm = advise(more + Words{"--out", "calm", "--store", "calm-runs"});
  const Result r = isodrop(calm, folder.path());
  ASSERT_EQ(r.code, 0) << describe(calm, r);
  EXPECT_NE(r.out.find("Nothing can be said yet: 2 seeds are too few to tell, 8 are needed"),
            r.out.npos)
      << r.out;
  EXPECT_NE(r.out.find("isodrop train --preset tiny --n-embd 8 --block-size 8 --batch 4 --lr 0.01 "
                       "--text text.txt --budget 16steps --threads 2\n"),
            r.out.npos)
      << r.out;
  EXPECT_NE(r.out.find("inconclusive"), r.out.npos) << r.out;
  EXPECT_TRUE(fs::exists(folder.path() / "calm/report.html"));
  const std::size_t made = runs_in("calm-runs");

  const Words args = advise(more + Words{"--out", "killed", "--store", "runs"});
  {
    Process killed(args, folder.path());
    while (runs_in("runs") < made / 2 && killed.running())
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    killed.kill();
    killed.wait();
  }
  ASSERT_GE(runs_in("runs"), made / 2);
  // The time that earlier commands took counts, however often it is killed.
  const auto spent = [&] {
    return lab::Json::parse(folder.read("killed/spent.json"))["what"]["seconds"].get<double>();
  };
  EXPECT_GT(spent(), 0);
  const lab::Json long_ago = {{"seconds", 5000.0}, {"budgets", 1.0}};
  folder.write("killed/spent.json", lab::sealed({{"what", long_ago}}).dump());
  const Words json = args + Words{"--format", "json"};
  const Result on = isodrop(json, folder.path());
  ASSERT_EQ(on.code, 0) << describe(json, on);
  EXPECT_GT(spent(), 5000);
  EXPECT_EQ(runs_in("runs"), made) << "none is made twice";
  const Json answer = json_of(json, on);
  const Json undisturbed = Json::parse(folder.read("calm/advice.json"));
  EXPECT_EQ(answer["advice"], undisturbed["advice"]);
  EXPECT_EQ(answer["tried"], undisturbed["tried"]);
  EXPECT_EQ(answer["advice"]["too_close"].size(), 2U);
  EXPECT_EQ(answer["report"]["cells"][0]["arms"].size(), 3U);

  // The number of seeds was written down.
  std::string seeds = folder.read("killed/seeds.json");
  seeds.replace(seeds.find("\"what\": 2"), 9, "\"what\": 3");
  folder.write("killed/seeds.json", seeds);
  const Words again = advise({"--budget", "16steps", "--out", "killed", "--store", "runs"});
  EXPECT_NE(only_error(again, isodrop(again, folder.path())).find("was changed by hand"),
            std::string::npos);
}

TEST_F(CliAdvise, SaysWhatItWouldTake) {
  const Words args = advise({"--time", "2h", "--dry-run", "--format", "json"});
  const Result r = isodrop(args, folder.path());
  ASSERT_EQ(r.code, 0) << describe(args, r);
  const Json plan = json_of(args, r);
  EXPECT_GT(plan["regimes"], 20);
  EXPECT_EQ(plan["seeds"], 12);
  EXPECT_LE(plan["seconds_at_most"], 0.9 * 7200) << "by the measurement that planned it";
  EXPECT_TRUE(plan["budget"].get<std::string>().ends_with("steps"));
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
}

TEST_F(CliAdvise, RefusesWhatIsNotOneQuestion) {
  EXPECT_NE(error({}).find("advise needs --time T"), std::string::npos);
  EXPECT_NE(error({"--time", "1min", "--budget", "9steps"}).find("--time with --budget"),
            std::string::npos);
  EXPECT_NE(error({"--time", "soon"}).find("--time 'soon': give a time"), std::string::npos);
  EXPECT_NE(error({"--time", "0.5s"}).find("--time 0.5 s: too little"), std::string::npos);
  EXPECT_NE(error({"--budget", "5s"}).find("give it in flops, tokens or steps"), std::string::npos);
  EXPECT_NE(error({"--budget", "100steps", "--budget-share", "0.5"}).find("--budget-share"),
            std::string::npos);
  EXPECT_NE(error({"--budget", "9steps", "--plan", "x"}).find("--plan"), std::string::npos);
  EXPECT_NE(error({"--budget", "4steps"}).find("less than one step"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder.path() / "out"));
}

TEST(Advice, TheCommandHasWhatIsNotAsThePresetHasItInQuotesThatAShellReads) {
  train::Settings s = train::resolve({}, std::vector<train::Assignment>{{"preset", "tiny", ""}});
  EXPECT_EQ(cli::train_command_text(s), "isodrop train --preset tiny");
  s.dropout = 0.1;
  s.text = "my book's.txt";
  s.bias = true;
  s.n_embd = 128;
  EXPECT_EQ(cli::train_command_text(s),
            "isodrop train --preset tiny --n-embd 128 --bias --dropout 0.1 --text "
            "'my book'\\''s.txt'");
}

}  // namespace
