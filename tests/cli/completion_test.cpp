// The shells' scripts, run by the shells themselves, and the manual page.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "cli/commands.h"
#include "cli/shell_words.h"
#include "tests/cli/cli_harness.h"

namespace tests {
namespace {

bool there(const std::string& program) {
  const TempFolder folder;
  return Process::program({"sh", "-c", "command -v " + program}, folder.path()).wait().code == 0;
}

class BashCompletion : public testing::Test {
 protected:
  void SetUp() override {
    if (!there("bash")) GTEST_SKIP() << "bash is not installed";
    folder.write("script", cli::bash_completion());
    folder.write("book.txt", "a");
    folder.write("a folder/x.txt", "a");
  }
  /// What bash offers for the last of the words.
  Words offers(const Words& words) const {
    std::string line = "source ./script; COMP_WORDS=(";
    for (const std::string& word : words) line += " '" + word + "'";
    line += "); COMP_CWORD=" + std::to_string(words.size() - 1) +
            "; _isodrop; for w in \"${COMPREPLY[@]}\"; do echo \"$w\"; done";
    const Result r = Process::program({"bash", "--norc", "-u", "-c", line}, folder.path()).wait();
    EXPECT_EQ(r.err, "");
    Words out;
    std::istringstream in(r.out);
    for (std::string word; std::getline(in, word);) out.push_back(word);
    std::sort(out.begin(), out.end());
    return out;
  }
  const TempFolder folder;
};

bool has(const Words& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

TEST_F(BashCompletion, Commands) {
  const Words all = offers({"isodrop", ""});
  for (const cli::CommandEntry& entry : cli::commands())
    EXPECT_TRUE(has(all, std::string(entry.name))) << entry.name;
  EXPECT_EQ(offers({"isodrop", "tra"}), (Words{"train"}));
  EXPECT_EQ(offers({"isodrop", "--v"}), (Words{"--version"}));
}

TEST_F(BashCompletion, Flags) {
  EXPECT_EQ(offers({"isodrop", "train", "--n-l"}), (Words{"--n-layer"}));
  EXPECT_EQ(offers({"isodrop", "eval", "--n-l"}), Words{}) << "takes no settings";
  EXPECT_EQ(offers({"isodrop", "profile", "--eval-i"}), Words{}) << "does not take that one";
  EXPECT_EQ(offers({"isodrop", "compare", "--preset", "tiny", "--eq"}), (Words{"--equivalent"}));
}

TEST_F(BashCompletion, Values) {
  EXPECT_TRUE(has(offers({"isodrop", "train", "--preset", ""}), "nano"));
  EXPECT_EQ(offers({"isodrop", "train", "--norm", "ba"}), (Words{"batchnorm"}));
  EXPECT_EQ(offers({"isodrop", "train", "--norm", "=", "ba"}), (Words{"batchnorm"}));
  EXPECT_TRUE(has(offers({"isodrop", "train", "--norm", "="}), "layernorm"));
  EXPECT_EQ(offers({"isodrop", "compare", "--reg", "drop_p"}), (Words{"drop_path"}));
  EXPECT_EQ(offers({"isodrop", "train", "--format", ""}), (Words{"json", "text"}));
  EXPECT_EQ(offers({"isodrop", "compare", "--format", "c"}), (Words{"csv"}));
  EXPECT_EQ(offers({"isodrop", "train", "--lr", ""}), Words{});
  EXPECT_EQ(offers({"isodrop", "list", "pre"}), (Words{"presets"}));
  EXPECT_EQ(offers({"isodrop", "completion", ""}), (Words{"bash", "zsh"}));
  EXPECT_EQ(offers({"isodrop", "train", "--bias", "--n-e"}), (Words{"--n-embd"}))
      << "a switch takes no word";
}

TEST_F(BashCompletion, FilesWhereAPathIsWanted) {
  EXPECT_EQ(offers({"isodrop", "train", "--text", "b"}), (Words{"book.txt"}));
  EXPECT_EQ(offers({"isodrop", "train", "--text", "a"}), (Words{"a folder"}));
  EXPECT_EQ(offers({"isodrop", "train", "--out", ""}), (Words{"a folder"}));
  EXPECT_EQ(offers({"isodrop", "eval", ""}), (Words{"a folder"}));
  EXPECT_EQ(offers({"isodrop", "study", "b"}), (Words{"book.txt"}));
  EXPECT_EQ(offers({"isodrop", "train", "--config", "b"}), (Words{"book.txt"}));
}

/// What stands before the first of `ends` that no backslash is before, unescaped; cut off `rest`.
std::string part_of_spec(std::string_view& rest, char ends) {
  std::string out;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] == ends) {
      rest.remove_prefix(i + 1);
      return out;
    }
    if (rest[i] == '\\') ++i;
    if (i < rest.size()) out += rest[i];
  }
  rest = {};
  return out + " (has no end)";
}

// As _arguments reads them: --NAME=[HELP]:HINT:OFFER.
TEST(ZshCompletion, HelpAndHintAreReadBackWhole) {
  const std::string script = cli::zsh_completion();
  std::size_t at = 0;
  for (const cli::CommandEntry& entry : cli::commands()) {
    at = script.find(" " + std::string(entry.name) + ")\n        _arguments", at);
    ASSERT_NE(at, script.npos) << entry.name;
    for (const cli::Flag& flag : cli::flags_of(cli::make(entry))) {
      const std::string begin = "--" + flag.name + (flag.hint.empty() ? "[" : "=[");
      const std::size_t spec = script.find(begin, at);
      ASSERT_NE(spec, script.npos) << entry.name << " " << flag.name;
      std::string line = script.substr(spec, script.find('\n', spec) - spec);
      for (std::size_t q; (q = line.find("'\\''")) != line.npos;) line.replace(q, 4, "'");
      std::string_view rest = std::string_view(line).substr(begin.size());
      EXPECT_EQ(part_of_spec(rest, ']'), flag.help) << entry.name << " " << flag.name;
      if (flag.hint.empty()) continue;
      EXPECT_TRUE(rest.starts_with(':')) << line;
      rest.remove_prefix(1);
      EXPECT_EQ(part_of_spec(rest, ':'), flag.hint) << entry.name << " " << flag.name;
    }
  }
}

TEST(ZshCompletion, NamesEverythingAndParses) {
  const std::string script = cli::zsh_completion();
  for (const cli::CommandEntry& entry : cli::commands()) {
    EXPECT_NE(script.find("'" + std::string(entry.name) + ":"), script.npos);
    for (const cli::Flag& flag : cli::flags_of(cli::make(entry)))
      EXPECT_NE(script.find("--" + flag.name + (flag.hint.empty() ? "[" : "=[")), script.npos)
          << entry.name << " " << flag.name;
  }
  if (!there("zsh")) GTEST_SKIP() << "zsh is not installed";
  const TempFolder folder;
  folder.write("_isodrop", script);
  Result r = Process::program({"zsh", "-n", "_isodrop"}, folder.path()).wait();
  EXPECT_EQ(r.code, 0) << r.err;
  // Sourced after compinit it registers itself.
  r = Process::program({"zsh", "-f", "-c",
                        "autoload -Uz compinit && compinit -D && source ./_isodrop && "
                        "print $_comps[isodrop]"},
                       folder.path())
          .wait();
  EXPECT_EQ(r.out, "_isodrop\n") << r.err;
}

TEST(Manual, NamesEverythingAndIsCleanRoff) {
  const std::string page = cli::manual();
  const auto plain = [](std::string text) {
    for (std::size_t at = 0; (at = text.find('-', at)) != text.npos; at += 2) text.insert(at, "\\");
    return text;
  };
  for (const cli::CommandEntry& entry : cli::commands()) {
    EXPECT_NE(page.find(".SS isodrop " + std::string(entry.name)), page.npos) << entry.name;
    for (const cli::Flag& flag : cli::flags_of(cli::make(entry)))
      EXPECT_NE(page.find(plain("--" + flag.name)), page.npos) << entry.name << " " << flag.name;
  }
  if (!there("groff")) GTEST_SKIP() << "groff is not installed";
  const TempFolder folder;
  folder.write("isodrop.1", page);
  const Result r =
      Process::program({"groff", "-man", "-ww", "-z", "-Kutf8", "isodrop.1"}, folder.path()).wait();
  EXPECT_EQ(r.code, 0);
  EXPECT_EQ(r.err, "");
}

}  // namespace
}  // namespace tests
