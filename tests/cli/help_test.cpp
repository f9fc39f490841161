// The text of every --help: kept whole in tests/golden/help, and by rules.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>

#include "base/text.h"
#include "base/text_table.h"
#include "cli/commands.h"
#include "tests/golden_text.h"

namespace {

namespace fs = std::filesystem;
constexpr std::size_t kWidth = 80;

fs::path golden_folder() { return fs::path(ISODROP_SOURCE_DIR) / "tests/golden/help"; }

TEST(Help, OfEveryCommandIsAsItIsKept) {
  std::set<std::string> names;
  for (const cli::CommandEntry& entry : cli::commands()) {
    const std::string name = std::string(entry.name) + ".txt";
    names.insert(name);
    const cli::Command command = cli::make(entry);
    tests::expect_golden(
        golden_folder() / name,
        cli::help(command, kWidth, false) + "\n# --help-all\n\n" + cli::help(command, kWidth));
  }
  for (const auto& file : fs::directory_iterator(golden_folder()))
    EXPECT_TRUE(names.contains(file.path().filename())) << file.path() << " is of no command";
}

/// Why the text is no complete phrase; empty where it is one.
std::string incomplete(const std::string& text) {
  if (text.empty()) return "is empty";
  std::string open;  // brackets, the innermost last
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const std::string_view rest = std::string_view(text).substr(i);
    // "[0, 1)" is an interval, which closes as it likes.
    if (c == '(' || c == '[') open += c;
    if ((c == ')' || c == ']') && open.empty()) return "closes a bracket that is not open";
    if (c == ')' || c == ']') {
      const bool interval = text.rfind(", ", i) != text.npos;
      if ((c == ')') != (open.back() == '(') && !interval) return "mixes brackets";
      open.pop_back();
    }
    if (rest.starts_with("  ") || rest.starts_with(" ,") || rest.starts_with(" )") ||
        rest.starts_with(",,") || rest.starts_with("\n"))
      return "has a stray blank or comma";
  }
  if (!open.empty()) return "leaves a bracket open";
  if (std::count(text.begin(), text.end(), '"') % 2 != 0) return "leaves a quotation open";
  if (text.front() == ' ' || text.front() == ',' || text.front() == ')')
    return "begins in the middle";
  if (std::string_view(" ,:;-(").find(text.back()) != std::string_view::npos)
    return "ends in the middle";
  std::string plain = text.substr(0, std::min(text.rfind(" (default"), text.size()));
  if (plain.ends_with(',') || plain.ends_with(':')) return "ends before its default";
  const std::string last = plain.substr(plain.rfind(' ') + 1);
  static const std::set<std::string_view> kOpen = {"a",  "an",   "the", "of", "in",  "to",   "for",
                                                   "or", "with", "and", "as", "its", "whose"};
  if (kOpen.contains(last)) return "ends with '" + last + "'";
  return "";
}

TEST(Help, OfEveryFlagIsACompletePhrase) {
  for (const cli::CommandEntry& entry : cli::commands()) {
    const cli::Command command = cli::make(entry);
    const auto check = [&](const std::string& what, const std::string& text) {
      EXPECT_EQ(incomplete(text), "") << command.name << ' ' << what << ": " << text;
    };
    check("in the list of commands", std::string(entry.summary));
    check("summary", command.summary);
    EXPECT_TRUE(command.summary.ends_with('.')) << command.summary;
    std::set<std::string> flags;
    for (const cli::Extra& extra : command.extras) {
      check("--" + std::string(extra.flag), std::string(extra.help));
      EXPECT_TRUE(flags.insert(std::string(extra.flag)).second) << extra.flag;
    }
    const train::Settings defaults = train::resolve({}, command.defaults);
    for (const train::Row* row : cli::rows_of(command)) {
      check("--" + cli::flag_of(row->name), train::help_text(*row, defaults));
      EXPECT_TRUE(flags.insert(cli::flag_of(row->name)).second) << row->name;
    }
    // What is wrapped for the terminal is all there.
    const std::string shown = cli::help(command, kWidth);
    for (const std::string& flag : flags)
      EXPECT_NE(shown.find("--" + flag + " "), shown.npos) << command.name << " --" << flag;
  }
}

TEST(Help, WrapsAtWordsAndIsShortFirst) {
  for (const cli::CommandEntry& entry : cli::commands()) {
    const cli::Command command = cli::make(entry);
    const std::string brief = cli::help(command, kWidth, false), all = cli::help(command, kWidth);
    EXPECT_LE(std::count(brief.begin(), brief.end(), '\n'), 75) << brief;
    EXPECT_EQ(brief.find("--help-all") != brief.npos, brief.size() + 100 < all.size()) << brief;
    for (const std::size_t width : {std::size_t{60}, kWidth}) {
      const std::string text = cli::help(command, width);
      std::istringstream lines(text.substr(0, text.find("\nExamples:")));
      for (std::string line; std::getline(lines, line);)
        EXPECT_TRUE(base::text_width(line) <= width || line.find("  --") == 0 ||
                    line.find(' ', line.find_first_not_of(' ')) == line.npos)
            << line;
    }
    for (const char* gone : {"this command options", "true|false", "say all this"})
      EXPECT_EQ(all.find(gone), all.npos) << command.name;
  }
}

// What an example names is there: its command, and a study that comes with isodrop.
TEST(Help, ExamplesNameWhatThereIs) {
  const fs::path studies = fs::path(ISODROP_SOURCE_DIR) / "studies";
  for (const cli::CommandEntry& entry : cli::commands()) {
    std::istringstream words(cli::help(cli::make(entry), kWidth));
    for (std::string word, before; words >> word; before = word) {
      if (before == "'isodrop" && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz") != 0)
        EXPECT_TRUE(std::any_of(cli::commands().begin(), cli::commands().end(), [&](const auto& c) {
          return word.substr(0, word.find_first_of("'.,)")) == c.name;
        })) << word;
      if (before == "study" && word.find('-') != word.npos && !word.starts_with("--"))
        EXPECT_TRUE(fs::exists(studies / (word + ".toml"))) << word;
    }
  }
}

TEST(Help, OfASettingHasTheWholeOfWhatItMayBe) {
  for (const train::Row& row : train::settings_table()) {
    const std::string help = train::help_text(row), domain = train::domain_text(row);
    EXPECT_EQ(incomplete(domain), "") << row.name << ": " << domain;
    EXPECT_TRUE(help.starts_with(row.help)) << help;
    if (const auto* text = std::get_if<train::Text>(&row.domain);
        text != nullptr && !text->what.starts_with("a ")) {
      EXPECT_NE(help.find(": " + std::string(text->what)), help.npos) << row.name << ": " << help;
    }
    if (const auto* choices = std::get_if<train::Choices>(&row.domain)) {
      EXPECT_NE(help.find(": one of " + base::join(choices->list())), help.npos) << help;
    }
  }
  EXPECT_NE(train::help_text(*train::find_setting("min_lr")).find("auto"), std::string::npos);
  EXPECT_NE(train::help_text(*train::find_setting("dropout")).find(", in [0, 1) (default"),
            std::string::npos);
}

TEST(Help, TheRulesSeeWhatIsCut) {
  for (const char* cut :
       {"", "averaged over it, in its place) or mc:N", "an open (bracket", "ends in", "ends, ",
        "one,, two", "a \"quotation", " begins", "such as: (default x)", "the weights of the"})
    EXPECT_NE(incomplete(cut), "") << cut;
  for (const char* whole : {"a rate, in [0, 1) (default 0)", "of the list", "in (0, 1024]",
                            "noise's root mean square", "steps (L), in [1, 1000] (default 2)"})
    EXPECT_EQ(incomplete(whole), "") << whole;
}

}  // namespace
