// Tasks beside language modelling, by running the real binary.
#include <gtest/gtest.h>

#include "tests/cli/cli_harness.h"

namespace tests {
namespace {

using Json = nlohmann::json;

class CliTasks : public testing::Test {
 protected:
  void SetUp() override {
    std::string table = "a,b,y,kind\n";
    for (int i = 0; i < 60; ++i) {
      const int a = i * 37 % 60, b = i * 11 % 7;
      table += std::to_string(a) + ',' + std::to_string(b) + ',' + std::to_string(3 * a - b) +
               (a < 30 ? ",low\n" : ",high\n");
    }
    folder.write("mixed.csv", table);
    std::string numbers = "a,b,y\n";
    for (int i = 0; i < 60; ++i)
      numbers += std::to_string(i) + ',' + std::to_string(i % 7) + ',' + std::to_string(-i) + '\n';
    folder.write("numbers.csv", numbers);
    folder.write("bad.csv", "a,b,y\n1,2,3\n4,,6\n");
  }
  Result run(const Words& args) const {
    Result r = isodrop(args, folder.path());
    EXPECT_EQ(r.code, 0) << describe(args, r);
    return r;
  }
  std::string refused(const Words& args) const {
    return only_error(args, isodrop(args, folder.path()));  // exit code 2
  }

  const TempFolder folder;
  const Words kSmall = {"--n-layer",     "1", "--n-head", "2",       "--n-embd", "16",
                        "--batch",       "8", "--budget", "10steps", "--lr",     "1e-2",
                        "--eval-tokens", "64"};
  const Words kNumbers = {"--task",   "regression", "--csv",        "numbers.csv",
                          "--target", "y",          "--block-size", "2"};
};

TEST_F(CliTasks, EachTrainsAndSaysItsLossPerTarget) {
  std::string kinds = "a,b,kind\n";
  for (int i = 0; i < 60; ++i)
    kinds += std::to_string(i % 9) + ',' + std::to_string(i % 7) + (i % 2 ? ",odd\n" : ",even\n");
  folder.write("kinds.csv", kinds);
  const std::vector<Words> tasks = {kNumbers,
                                    {"--task", "classification", "--csv", "kinds.csv", "--target",
                                     "kind", "--columns-per-token", "2", "--block-size", "1"},
                                    {"--task", "in_context", "--block-size", "4"}};
  for (const Words& task : tasks) {
    const Result r = run(Words{"train", "--out", "out"} + kSmall + task);
    EXPECT_NE(r.out.find(" nats/target, lowest"), std::string::npos) << r.out;
    EXPECT_EQ(r.out.find("bits/byte"), std::string::npos) << r.out;
    EXPECT_EQ(r.out.find("best possible") != std::string::npos, task[1] == "in_context") << r.out;
    const Json data = Json::parse(folder.read("out/data.json"));
    EXPECT_EQ(data["task"], task[1]);
    run(Words{"train", "--dry-run"} + kSmall + task);
    const std::string probed = refused({"probe", "out", "--dropout", "0.1"});
    EXPECT_NE(probed.find("task=" + task[1] + ": a probe reads tokens"), std::string::npos)
        << probed;
  }
}

TEST_F(CliTasks, AreComparedAndProfiled) {
  const Result r = run(Words{"compare", "--arm", "none", "--arm", "dropout=0.1", "--seeds", "2",
                             "--min-seeds", "2", "--out", "cmp", "--verbose"} +
                       kSmall + kNumbers);
  EXPECT_NE(r.out.find("'y' from 2 columns, trained on 48 rows"), std::string::npos) << r.out;
  run(Words{"profile", "--preset", "tiny", "--steps", "3"} + kNumbers);
}

TEST_F(CliTasks, BadTablesAreRefusedInOneLine) {
  const auto with = [&](const Words& more) {
    return refused(Words{"train", "--out", "out"} + kSmall + more);
  };
  const auto expect = [](const std::string& error, const std::string& part) {
    EXPECT_NE(error.find(part), std::string::npos) << error;
  };
  expect(with({"--task", "regression", "--csv", "bad.csv", "--target", "y", "--block-size", "2"}),
         "bad.csv:3: column 'b': is missing; fill it in, or leave out the row or the column");
  expect(
      with({"--task", "regression", "--csv", "mixed.csv", "--target", "kind"}),
      "mixed.csv:2: column 'kind': 'low' is not a number; for classes give --task classification");
  expect(with({"--task", "regression", "--csv", "none.csv", "--target", "y"}),
         "--csv 'none.csv': no such file; check the path");
  expect(with({"--task", "regression", "--csv", "numbers.csv", "--target", "z"}),
         "numbers.csv:1: no column is called 'z', the target; choose from a, b, y");
  expect(with({"--task", "regression", "--csv", "numbers.csv", "--target", "y"}),
         "a row of numbers.csv has 2 feature columns, 1 of them a token; give --block-size 2");
  expect(with({"--task", "regression"}), "task=regression needs a table; give its file with --csv");
  expect(with({"--csv", "numbers.csv"}), "csv='numbers.csv' has no effect with task=lm");
  expect(with(kNumbers + Words{"--text", "t.txt"}),
         "text='t.txt' has no effect with task=regression");
  expect(with(kNumbers + Words{"--reg", "z_loss:0.1"}), "z_loss adds to the loss of classes");
  expect(refused({"train", "--task", "in_context", "--budget", "2epochs"}),
         "rows that are all new have no epochs");
}

}  // namespace
}  // namespace tests
