// --config: the names of the flags, places of what is wrong, flags that win, and a run remade.
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "base/files.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "tests/cli/cli_harness.h"
#include "tests/expect_error.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

cli::Command command(std::string_view name) {
  for (const cli::CommandEntry& entry : cli::commands())
    if (entry.name == name) return cli::make(entry);
  throw std::logic_error("no such command");
}

class ConfigFile : public testing::Test {
 protected:
  cli::Parsed parse(const std::string& toml, Words flags = {}, std::string_view of = "train") {
    const std::string path = folder.write("c.toml", toml).string();
    flags.insert(flags.begin(), {"isodrop", "--config", path});
    std::vector<const char*> argv;
    for (const std::string& word : flags) argv.push_back(word.c_str());
    return cli::parse(command(of), static_cast<int>(argv.size()), argv.data());
  }
  const TempFolder folder;
};

// config.json is what is read back of a run; config.toml must be the same facts.
TEST_F(ConfigFile, WhatIsWrittenReadsBackAsTheSameSettings) {
  using train::Settings;
  std::vector<Settings> all(7);
  all[1].seed = ~std::uint64_t{0};
  all[2].min_lr = 1.23456789012345e-5;
  all[2].lr = 1e22;
  all[3].text = "a \"b\" \\ c \xC3\xA9.txt";
  all[3].val = "v", all[3].test = "t";
  all[4].preset = "gpt2";  // with none of its values: they stand in the file, too
  all[5].bias = true;
  all[5].recompute = true;
  all[5].reg = "dropout:0.1@attn+drop_path:0.25";
  all[5].beta2 = 0.1 + 0.2;
  all[6].budget = "1e+12flops";
  all[6].seed = std::uint64_t{1} << 53;
  for (Settings& s : all) {
    train::set(s, "reg", s.reg);  // to their canonical spelling
    train::set(s, "budget", s.budget);
    const std::string toml = train::to_toml(s);
    EXPECT_EQ(parse(toml).settings, s) << toml;
    EXPECT_EQ(train::from_json(train::to_json(s), "json"), s);
    for (const train::Row& row : train::settings_table())
      EXPECT_EQ(toml.find("\n" + std::string(row.name) + " = ") == toml.npos,
                train::value_text(s, row).empty())
          << row.name;
  }
}

TEST_F(ConfigFile, FlagsWin) {
  const std::string file = "n-layer = 3\nn_embd = 64\nlr = 1\nout = 'here'\ndry-run = true\n";
  const cli::Parsed plain = parse(file);
  EXPECT_EQ(plain.settings.n_layer, 3);
  EXPECT_EQ(plain.settings.lr, 1);
  EXPECT_EQ(plain.text("out"), "here");
  EXPECT_TRUE(plain.has("dry-run"));
  EXPECT_TRUE(plain.given.contains("n_layer"));
  const cli::Parsed over = parse(file, {"--n-layer", "5", "--out", "there", "--dry-run=false"});
  EXPECT_EQ(over.settings.n_layer, 5);
  EXPECT_EQ(over.settings.n_embd, 64);
  EXPECT_EQ(over.text("out"), "there");
  EXPECT_FALSE(over.has("dry-run"));
  const cli::Parsed preset = parse("preset = 'nano'\n" + file, {"--preset", "gpt2"});
  EXPECT_EQ(preset.settings.n_embd, 768) << "a preset that is a flag wins over sizes of the file";
  EXPECT_EQ(parse(file + "preset = 'nano'\n").settings.n_embd, 64) << "but not one of the file";
}

TEST_F(ConfigFile, OfOtherCommands) {
  const cli::Parsed compare =
      parse("arm = ['none', 'dropout=0.1']\nseeds = 3\nmargin = 0.5\n", {}, "compare");
  EXPECT_EQ(compare.all("arm"), (std::vector<std::string>{"none", "dropout=0.1"}));
  EXPECT_EQ(compare.integer("seeds", 1), 3);
  EXPECT_EQ(compare.real("margin", 0, 1), 0.5);
  EXPECT_EQ(compare.settings.preset, "tiny") << "what the command starts from";
  EXPECT_EQ(parse("arm = 'none'\n", {"--arm", "dropout=1", "--arm", "lr=1"}, "compare").all("arm"),
            (std::vector<std::string>{"dropout=1", "lr=1"}));
  // A run's config.toml is of use there, too, where the budget means nothing.
  EXPECT_EQ(parse(train::to_toml({}), {}, "profile").settings, train::Settings{});
}

TEST_F(ConfigFile, ErrorsSayWhere) {
  const auto error = [&](const std::string& toml, std::string_view of = "train") {
    return error_of([&] { parse(toml, {}, of); });
  };
  const std::vector<std::pair<std::string, Words>> rows = {
      {"x = \"\n", {"c.toml:1:"}},
      {"\nn_layr = 2", {"c.toml:2:1: unknown key 'n_layr'; did you mean 'n_layer'?"}},
      {"lr = 1\nsedds = 2", {"c.toml:2:1", "did you mean 'seeds'"}},
      {"config = 'x'", {"unknown key 'config'"}},
      {"[model]\nn_layer = 1", {"c.toml:1:2: unknown key 'model'", "isodrop train --help"}},
      {"n_layer = 1\nn-layer = 1", {"is given twice, with '-' and with '_'"}},
      {"n_layer = '2'", {"c.toml:1:11: n_layer is a text; give a whole number in [1, 1000]"}},
      {"n_layer = 2.5", {"c.toml:1:1: n_layer '2.5' is not a whole number"}},
      {"n_layer = [2]", {"n_layer is a list"}},
      {"bias = 1", {"c.toml:1:8: bias is a number; give true or false"}},
      {"bias = 1979-05-27", {"bias is a date or time"}},
      {"lr = true", {"lr is true or false; give a number of at least 0"}},
      {"lr = nan", {"c.toml:1:1: lr 'nan'"}},
      {"lr = -1", {"c.toml:1:1: lr '-1' is out of range"}},
      {"min_lr = 'low'", {"c.toml:1:1: min_lr 'low' is not a number"}},
      {"budget = 100", {"budget is a number; give"}},
      {"budget = 'soon'", {"c.toml:1:1: budget 'soon'"}},
      {"norm = 'batch'", {"c.toml:1:1: norm 'batch'", "did you mean"}},
      {"text = ''", {"c.toml:1:1: text is empty; leave it out"}},
      {"text = \"a\\u0000b\"", {"c.toml:1:8: 'a\\x00b' has control characters; leave them out"}},
      {"out = ['a']", {"c.toml:1:7: out is a list; give a text or a number"}},
      {"dry-run = 'yes'", {"dry-run is a text; give true or false"}},
      {"format = 'yaml'", {"c.toml:1:1: format 'yaml' is unknown; choose from text, json"}},
      {"seeds = 3", {"c.toml:1:1: seeds 3 does nothing without --compare"}},
      {"n_head = 3\nn_embd = 64", {"n_head=3 heads do not divide n_embd=64"}},
  };
  for (const auto& [toml, says] : rows)
    for (const std::string& part : says) expect_has(error(toml), part);
  expect_has(error("arm = [1, true]\n", "compare"), "c.toml:1:11: arm is true or false");
  EXPECT_ERROR(parse("seeds = 0\n", {}, "compare").integer("seeds", 1), "c.toml:1:1: seeds '0'");
  EXPECT_ERROR(cli::read_config(folder.path() / "none.toml", command("train")),
               "none.toml: cannot be read; give a config file");
  EXPECT_ERROR(cli::read_config(folder.path(), command("train")), "is a folder");
}

TEST_F(ConfigFile, WhateverIsInItIsReadOrRefused) {
  std::mt19937 random(1);
  const std::string good = train::to_toml({}) + "out = \"o\"\ncompare = false\n";
  int read = 0, refused = 0;
  for (int i = 0; i < 300; ++i) {
    std::string text = good;
    for (unsigned n = 1 + random() % 2; n > 0; --n) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, random() % 20);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 20));
      }
    }
    const std::string error = error_of([&] { (void)parse(text); });
    ++(error.empty() ? read : refused);
  }
  EXPECT_GT(read, 5);
  EXPECT_GT(refused, 10);
}

TEST(ConfigCli, ARunIsRemadeFromItsFolder) {
  const TempFolder folder;
  folder.write("text.txt", small_text(6000));
  const Words args = {"train",
                      "--text",
                      "text.txt",
                      "--n-layer",
                      "1",
                      "--n-head",
                      "2",
                      "--n-embd",
                      "16",
                      "--batch",
                      "4",
                      "--block-size",
                      "16",
                      "--budget",
                      "8steps",
                      "--lr",
                      "0.00123",
                      "--seed",
                      "12345678901234567890",
                      "--out",
                      "a"};
  ASSERT_EQ(isodrop(args, folder.path()).code, 0);
  const Words again = {"train", "--config", "a/config.toml", "--out", "b"};
  const Result r = isodrop(again, folder.path());
  ASSERT_EQ(r.code, 0) << describe(again, r);
  EXPECT_EQ(folder.read("a/model.safetensors"), folder.read("b/model.safetensors"));
  EXPECT_EQ(folder.read("a/config.json"), folder.read("b/config.json"));
  EXPECT_EQ(folder.read("a/config.toml"), folder.read("b/config.toml"));
  folder.write("bad.toml", "out = \"c\"\nn_layer = \"1\"\n");
  const Words bad = {"train", "--config", "bad.toml"};
  expect_has(only_error(bad, isodrop(bad, folder.path())), "bad.toml:2:11: n_layer is a text");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "c"));
}

}  // namespace
}  // namespace tests
