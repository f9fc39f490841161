// Arms, and the command line that carries them.
#include "lab/study/arm.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "tests/expect_error.h"

namespace {

using lab::Arm;
using lab::parse_arm;
using tests::error_of;
using tests::expect_has;
using Overrides = std::vector<std::pair<std::string, std::string>>;

std::string arm_error(const std::string& text) {
  return error_of([&] { parse_arm(text, {}); });
}

TEST(Arm, Grammar) {
  train::Settings base;
  base.dropout = 0.3;
  const Arm none = parse_arm(" none ", base);
  EXPECT_EQ(none.name, "none");
  EXPECT_EQ(none.overrides, (Overrides{{"dropout", "0"}, {"reg", "none"}}));
  EXPECT_EQ(none.settings.dropout, 0);
  EXPECT_EQ(none.settings.weight_decay, base.weight_decay);

  const Arm dropout = parse_arm("dropout=0.10", base);
  EXPECT_EQ(dropout.name, "dropout=0.10");
  EXPECT_EQ(dropout.overrides, (Overrides{{"dropout", "0.1"}})) << "values are canonical";

  const Arm small = parse_arm("small: n_embd=96", base);
  EXPECT_EQ(small.name, "small");
  EXPECT_EQ(small.settings.n_embd, 96);
  EXPECT_EQ(small.settings.dropout, 0.3) << "what an arm does not name, it inherits";

  const Arm wd = parse_arm("wd:weight-decay=0.3 , dropout=0.1", base);
  EXPECT_EQ(wd.name, "wd");
  EXPECT_EQ(wd.overrides, (Overrides{{"weight_decay", "0.3"}, {"dropout", "0.1"}}));

  const Arm bare = parse_arm("bare: none,lr=3e-4,dropout=0.2", base);
  EXPECT_EQ(bare.overrides, (Overrides{{"dropout", "0.2"}, {"reg", "none"}, {"lr", "0.0003"}}));
}

// Values of later settings hold ':', '/', '+', '@' and '~'; without a name none is invented.
TEST(Arm, AColonAfterEqualsIsNoName) {
  const Arm arm = parse_arm("reg=dropout:0.1@attn/mlp+drop_path:0.1", {});
  EXPECT_EQ(arm.name, "reg=dropout:0.1@attn/mlp+drop_path:0.1");
  expect_has(arm_error("lr=a:b"), "lr 'a:b' is not a number");
  expect_has(arm_error("x: lr=a:b@c~d"), "lr 'a:b@c~d' is not a number");
}

TEST(Arm, ErrorsNameTheArmAndAWayOut) {
  expect_has(arm_error(""), "empty arm; an arm is [NAME:]");
  expect_has(arm_error("non"), "arm 'non': unknown arm; did you mean 'none'?");
  expect_has(arm_error("dropuot"), "did you mean 'dropout=VALUE'?");
  expect_has(arm_error("quux"), "arm 'quux': unknown arm; an arm is");
  expect_has(arm_error("drpout=0.1"), "unknown setting 'drpout'; did you mean 'dropout'?");
  expect_has(arm_error("dropout"), "dropout has no value; write dropout=VALUE");
  expect_has(arm_error("dropout="), "dropout has no value; give a rate in [0, 1)");
  expect_has(arm_error("=0.1"), "no setting before '=0.1'");
  expect_has(arm_error("dropout:0.1"), "did you mean 'dropout=0.1'?");
  expect_has(arm_error("dropout=1.5"), "arm 'dropout=1.5': dropout '1.5' is out of range");
  expect_has(arm_error("lr=1e-3,lr=1e-4"), "lr is set twice");
  expect_has(arm_error("min-lr=1e-4,min_lr=1e-4"), "min_lr is set twice");
  expect_has(arm_error("lr=1e-3,"), "empty item between commas");
  expect_has(arm_error("lr=1e-3,none"), "'none' must come first");
  expect_has(arm_error("none: lr=1e-3"), "'bare: none,lr=1e-3'");
  expect_has(arm_error("a b: lr=1e-3"), "the name 'a b' may hold letters");
  expect_has(arm_error(": lr=1e-3"), "no name before ':'");
  expect_has(arm_error("x:"), "nothing follows the name");
  expect_has(arm_error("n_head=3"), "arm 'n_head=3': n_head=3 heads do not divide n_embd=128");
}

TEST(Arm, SomeSettingsAreCommonToAllArms) {
  for (const char* text :
       {"seed=3", "text=a", "val=a", "tokenizer=byte", "threads=1", "preset=char", "budget=9steps",
        "block_size=32", "eval_tokens=5", "val_fraction=0.2"})
    expect_has(arm_error(text), "no arm may override ");
  expect_has(arm_error("seed=3"), "seed: arms are paired by seed; arms may set n_layer");
  for (const char* text :
       {"batch=6", "lr=1", "n_embd=64", "grad_accum=2", "bias=true", "beta1=0.8"})
    EXPECT_EQ(arm_error(text), "") << text;
}

TEST(Arm, NamesDiffer) {
  const std::vector<std::string> twice = {"none", "lr=1", "none"}, ok = {"none", "lr=1", "a: lr=1"};
  expect_has(error_of([&] { lab::parse_arms(twice, {}); }), "two arms are called 'none'");
  EXPECT_EQ(lab::parse_arms(ok, {}).size(), 3u);
}

cli::Command command() {
  return {.name = "compare",
          .summary = "Trains every arm for the same budget.",
          .extras = {{"arm", "ARM", "", "an arm", true},
                     {"seeds", "N", "5", "paired seeds"},
                     {"format", "FORMAT", "text", "output", false, {"text", "json"}},
                     {"dry-run", "", "", "plan only"}},
          .without = {"seed"},
          .defaults = {{"preset", "tiny", ""}, {"n_embd", "96", ""}, {"warmup", "0.1", ""}}};
}

cli::Parsed parse(std::vector<const char*> words, const cli::Command& c = command()) {
  words.insert(words.begin(), "isodrop");
  return cli::parse(c, static_cast<int>(words.size()), words.data());
}

std::string cli_error(std::vector<const char*> words) {
  return error_of([&] { parse(std::move(words)); });
}

TEST(Options, SettingsAndExtras) {
  const cli::Parsed p = parse({"--lr", "5e-4", "--arm", "none", "--weight-decay=0.3", "--arm",
                               "wd: weight_decay=0.3,dropout=0.1", "--bias", "--seeds=7"});
  EXPECT_EQ(p.all("arm"), (std::vector<std::string>{"none", "wd: weight_decay=0.3,dropout=0.1"}))
      << "values are not split at commas";
  EXPECT_EQ(p.settings.lr, 5e-4);
  EXPECT_EQ(p.settings.weight_decay, 0.3);
  EXPECT_TRUE(p.settings.bias);
  EXPECT_EQ(p.given, (std::set<std::string>{"lr", "weight_decay", "bias"}));
  EXPECT_EQ(p.integer("seeds", 1), 7);
  EXPECT_EQ(p.text("format"), "text");
  EXPECT_TRUE(p.has("seeds"));
  EXPECT_FALSE(p.has("format"));
  EXPECT_FALSE(p.has("dry-run"));
  EXPECT_FALSE(parse({"--bias=false"}).settings.bias);
  EXPECT_THROW(p.has("undeclared"), std::logic_error);
}

TEST(Options, DefaultsThenPresetThenFlags) {
  EXPECT_EQ(parse({}).settings.n_embd, 96);
  EXPECT_EQ(parse({}).settings.n_layer, 2);
  const train::Settings s = parse({"--n-layer", "3", "--preset", "char"}).settings;
  EXPECT_EQ(s.n_layer, 3) << "a flag overrides the preset, before or after it";
  EXPECT_EQ(s.n_embd, 384) << "a preset given overrides the command's own defaults";
  EXPECT_EQ(s.warmup, 0.1) << "but not for what it does not set";
}

TEST(Options, Errors) {
  expect_has(cli_error({"--drpout", "0.1"}), "unknown flag '--drpout'; did you mean '--dropout'?");
  expect_has(cli_error({"--n_layer", "3"}), "did you mean '--n-layer'?");
  expect_has(cli_error({"--drpout=0.1"}), "unknown flag '--drpout'");
  expect_has(cli_error({"-lr", "3"}), "unknown flag '-lr'; did you mean '--lr'?");
  expect_has(cli_error({"--frobnicate"}),
             "unknown flag '--frobnicate'; see 'isodrop compare --help'");
  expect_has(cli_error({"--seed", "3"}), "did you mean '--seeds'?");
  expect_has(cli_error({"--lr", "1", "--lr", "2"}), "--lr is given twice, '1' and '2'");
  expect_has(cli_error({"--seeds", "1", "--seeds", "2"}), "--seeds is given twice");
  expect_has(cli_error({"--lr"}), "--lr needs a value");
  expect_has(cli_error({"--lr", "--batch", "3"}), "--lr needs a value, and '--batch' is a flag");
  expect_has(cli_error({"--text="}), "--text needs a value");
  expect_has(cli_error({"--arm"}), "--arm needs a value");
  expect_has(cli_error({"stray"}), "unexpected argument 'stray'");
  expect_has(cli_error({"--", "stray"}), "unexpected argument 'stray'");
  expect_has(cli_error({"--bias", "false"}), "--bias=false");
  expect_has(cli_error({"--lr", "abc"}), "--lr 'abc' is not a number; give a number of at least 0");
  expect_has(cli_error({"--lr", "-1"}), "--lr '-1' is out of range");
  expect_has(cli_error({"--dropout", "1.5"}), "--dropout '1.5' is out of range; give a rate in");
  expect_has(cli_error({"--format", "jsn"}), "--format 'jsn' is unknown; did you mean 'json'?");
  expect_has(cli_error({"--dry-run=maybe"}), "choose from true, false");
  expect_has(cli_error({"--n-head", "5"}), "n_head=5 heads do not divide n_embd=96");
  expect_has(cli_error({"--budget", "0"}), "--budget: budget '0' is not above 0");
  expect_has(error_of([] {
               parse({"--seeds", "x"}).integer("seeds", 1);
             }),
             "--seeds 'x': give a whole number of at least 1");
}

TEST(Options, HelpIsComplete) {
  EXPECT_TRUE(parse({"--lr", "abc", "--help"}).help) << "help is not refused for other mistakes";
  EXPECT_TRUE(parse({"-h"}).help);
  const std::string text = cli::help(command(), 80);
  for (const train::Row& row : train::settings_table()) {
    std::string flag = "  --" + std::string(row.name);
    std::replace(flag.begin(), flag.end(), '_', '-');
    EXPECT_EQ(text.find(flag + " ") != text.npos, row.name != "seed") << flag;
  }
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    EXPECT_LE(end - begin, 80u) << text.substr(begin, end - begin);
    begin = end + 1;
  }
  expect_has(text, "(default 96)");
  EXPECT_EQ(text.find('\x1b'), text.npos);
  EXPECT_LT(text.find("\nOptions:"), text.find("\nModel options:"));
  const std::string brief = cli::help(command(), 60, false);
  EXPECT_NE(brief.find("--help-all"), brief.npos) << brief;
  EXPECT_EQ(brief.find("--beta1"), brief.npos) << brief;
  EXPECT_NE(brief.find("--dropout P"), brief.npos) << brief;
}

TEST(Options, OneArgumentWhereDeclared) {
  cli::Command c = command();
  c.argument = "DIR";
  EXPECT_EQ(parse({"out", "--lr", "1"}, c).argument, "out");
  expect_has(error_of([&] { parse({"out", "more"}, c); }), "unexpected argument 'more'");
}

class Progress : public ::testing::Test {
 protected:
  ~Progress() override {
    std::fclose(file_);
    std::free(data_);
  }
  std::string written() {
    std::fflush(file_);
    return {data_, size_};
  }
  double now_ = 0;
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_ = open_memstream(&data_, &size_);
};

TEST_F(Progress, TerminalRedrawsAtMostTenTimesASecond) {
  cli::ProgressLine line(file_, true, 8, [this] { return now_; });
  for (int i = 0; i < 100; ++i, now_ += 0.01)
    line.update("step " + std::to_string(i) + " and more");
  std::string text = written();
  const auto draws = std::count(text.begin(), text.end(), '\r');
  EXPECT_TRUE(draws >= 9 && draws <= 10) << draws;
  EXPECT_EQ(text.find('\n'), text.npos);
  EXPECT_EQ(text.find("and"), text.npos) << "clipped to the terminal's width";
  line.note("evaluation");
  line.finish();
  line.finish();
  text = written();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_TRUE(text.ends_with("\r\x1b[J")) << "no stale line below the last one";
  EXPECT_EQ(cli::clip("äöü", 2), "äö");
}

TEST_F(Progress, LogHasPlainLinesEveryFiveSeconds) {
  cli::ProgressLine line(file_, false, 80, [this] { return now_; });
  for (int i = 0; i < 12; ++i, now_ += 1) line.update(std::to_string(i));
  line.note("evaluation");
  line.finish();
  EXPECT_EQ(written(), "0\n5\n10\nevaluation\n");
}

// What others wrote (names of files, of arms, messages) moves no cursor and sets no title.
TEST_F(Progress, NothingThatIsShownControlsTheTerminal) {
  for (const bool interactive : {true, false}) {
    const std::string before = written();
    cli::ProgressLine line(file_, interactive, 200, [this] { return now_ += 10; });
    const std::string evil =
        "a\x1b]0;title\x07"
        "b\x1b[2J\rc\x7f"
        "q";
    line.update(evil);
    line.block(evil + "\n" + evil);
    line.note(evil);
    line.finish();
    std::string text = written().substr(before.size());
    for (const char* own : {"\r\x1b[J", "\x1b[2A"})
      for (std::size_t at = 0; (at = text.find(own)) != text.npos;)
        text.erase(at, std::string_view(own).size());
    EXPECT_EQ(std::count(text.begin(), text.end(), 'q'), interactive ? 8 : 2) << text;
    for (const char c : text)
      EXPECT_TRUE((c >= ' ' && c != '\x7f') || c == '\n') << static_cast<int>(c) << " in " << text;
  }
}

TEST(Terminal, NoColourWithoutATerminal) {
  std::FILE* file = std::tmpfile();
  EXPECT_FALSE(cli::color(file));
  EXPECT_EQ(cli::columns(file), 80u);
  std::fclose(file);
}

}  // namespace
