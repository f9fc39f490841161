#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "cli/study_command.h"
#include "cli/terminal.h"
#include "lab/study/levels.h"

namespace cli {
namespace {

/// "a,b" → {"a", "b"}; {} for "".
std::vector<std::string> split_list(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t begin = 0; begin <= text.size() && !text.empty();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

/// "1,32" → {1, 32}
std::vector<std::int64_t> parse_epochs(const std::string& text) {
  std::vector<std::int64_t> epochs;
  for (const std::string& item : split_list(text)) {
    std::int64_t n = 0;
    const auto code = base::parse_number(item, n);
    base::require(code == std::errc{} && n >= 1 && n <= 1'000'000, "--epochs '", text,
                  "': a list of whole numbers from 1, such as 1,32, is needed");
    epochs.push_back(n);
  }
  return epochs;
}

/// "SETTING=VALUE,VALUE"
lab::Axis parse_axis(const std::string& text) {
  const std::size_t equals = text.find('=');
  base::require(equals != std::string::npos && equals > 0, "--axis ", base::quote(text),
                ": give SETTING=VALUE[,VALUE...], such as n_embd=64,128");
  return {text.substr(0, equals), split_list(text.substr(equals + 1)),
          "--axis " + base::quote(text)};
}

/// The tables: every combination of the axes, times the numbers of epochs.
std::vector<lab::Level> cells_of(const Parsed& args, const lab::Level& first_arm) {
  const train::Settings& base = args.settings;
  using Kind = train::Budget::Kind;
  const Kind kind = train::Budget::parse(base.budget).kind;
  std::vector<lab::Axis> axes;
  bool sized = base.unique_tokens > 0;
  for (const std::string& text : args.all("axis")) {
    axes.push_back(parse_axis(text));
    sized = sized || axes.back().setting == "unique_tokens";
  }
  std::vector<std::int64_t> epochs = parse_epochs(args.text("epochs"));
  if (!args.has("epochs") && base.text.empty() && base.csv.empty() && !sized &&
      kind != Kind::kSeconds && kind != Kind::kEpochs)
    epochs = {1, 256};
  return lab::cells_of(base, first_arm, {{}}, axes, epochs);
}

/// The whole budget and the other shares that are asked for.
std::vector<lab::Level> shares_of(const Parsed& args) {
  base::require(
      !args.has("shares") || !args.has("equivalent"),
      "--shares with --equivalent: shares train every arm at each of them and say what it "
      "is worth, too; leave out --equivalent");
  if (args.has("equivalent")) return lab::share_levels(lab::kEquivalentShares);
  if (!args.has("shares")) return lab::share_levels({});
  const std::string source = "--shares " + base::quote(args.text("shares"));
  std::vector<double> shares;
  for (const std::string& item : split_list(args.text("shares"))) {
    double share = 0;
    base::require(base::parse_number(item, share) == std::errc{}, source, ": ", base::quote(item),
                  " is no share in (0, 1024]; give some, as in 0.25,0.5,1,2");
    shares.push_back(share);
  }
  return lab::given_shares(shares, source);
}

int compare(const Parsed& args) {
  lab::Study study;
  study.base = args.settings;
  std::vector<std::string> arms = args.all("arm");
  base::require(arms.empty() || !args.has("rivals"), "--rivals with --arm: it names the arms");
  if (args.has("rivals")) arms = lab::rival_names();
  base::require(arms.size() != 1, "--arm ", arms.empty() ? "" : arms[0],
                ": one arm alone has nothing to be held against; give another --arm");
  study.arms = arms.empty() ? lab::default_arms(study.base) : lab::arm_levels(arms, study.base);
  study.seeds = args.integer("seeds", 1, 10'000);
  study.min_seeds = static_cast<int>(args.integer("min-seeds", 2, 10'000));
  study.cells = cells_of(args, study.arms.front());
  study.shares = shares_of(args);
  study.all_at_shares = args.has("shares");
  if (args.has("margin")) study.margin = args.real("margin", 0, 1e3);
  for (const std::string& text : args.all("tune")) {
    study.tune.push_back(lab::parse_tune(text));
    for (std::size_t i = 0; i + 1 < study.tune.size(); ++i)
      base::require(study.tune[i].setting != study.tune.back().setting, "--tune ",
                    base::quote(text), ": ", study.tune[i].setting,
                    " is tuned twice; give all of its values in one --tune");
  }
  study.trials = args.has("trials") ? args.integer("trials", 1, 10'000) : 0;
  if (args.has("rivals") && !args.has("trials")) study.trials = lab::kRivalTrials;
  // Without arms of one's own the answer shall be there in minutes.
  study.tuning_seeds = arms.empty() && !args.has("tuning-seeds") && !args.has("tune")
                           ? 1
                           : args.integer("tuning-seeds", 1, 10'000);
  for (const char* flag : {"trials", "tuning-seeds"})
    base::require(!args.has(flag) || lab::tunes(study), "--", flag,
                  ": nothing is tuned; give --tune SETTING=V1,V2 or an arm as in lr=1e-3|3e-3");
  return run_study(std::move(study), study_options(args));
}

}  // namespace

// `isodrop compare`: arms at the same budget on paired seeds.
Command compare_command() {
  Command c;
  c.summary = "Train regimes at the same budget on paired seeds and say which pays.";
  c.extras = {
      {"arm", "[NAME:] SETTING=VALUE[,...]", "",
       "an arm of the comparison, again for each; the first is what the others are held against; "
       "'none' has no regularizer; SETTING=V1|V2|... is tuned; or a rival's name, as 'isodrop list "
       "rivals' has them (default: none with its share of the budget tuned, dropout with its rate)",
       true},
      {"rivals", "", "", "the arms are all rivals, each at its best"},
      {"tune", "SETTING=V1,V2[,...]", "",
       "choose the best value for every arm that does not set it, by validation loss on seeds of "
       "its own, before anything is judged",
       true},
      {"trials", "N", "", "choices of an arm, drawn at random where its grid has more"},
      {"tuning-seeds", "N", "2",
       "seeds of a choice; arms with fewer choices get more of them (1 for the default arms)"},
      {"seeds", "N", "8", "paired seeds; more of them extend a comparison"},
      {"min-seeds", "N", "8", "with fewer nothing is told", false, {}, {}, "plan"},
      {"epochs", "N[,N...]", "",
       "how often the unique data is repeated within the budget, a table each (default: random "
       "crops of the whole split; on the built-in corpus 1,256)"},
      {"axis", "SETTING=VALUE[,VALUE...]", "", "a table for each value of any setting", true},
      {"equivalent", "", "",
       "also train the first arm at 1/8, 1/4, 1/2 and 2 x the budget, to say what each arm is "
       "worth"},
      {"shares", "A,B[,...]", "",
       "train every arm at these shares of the budget, to say who gains with compute"},
      {"margin",
       "NATS",
       "",
       "differences within it count as none (default: as much as another seed changes the first "
       "arm)",
       false,
       {},
       {},
       "plan"},
      {"out", "DIR", "", "folder of the report (default: out/compare-<identity>)"},
      product_tuning_flag(),
      {"format",
       "FORMAT",
       "text",
       "of the result",
       false,
       {"text", "json", "csv", "md"},
       {},
       "plan"},
  };
  for (const auto& flags : {study_flags(), engine_flags()})
    c.extras.insert(c.extras.end(), flags.begin(), flags.end());
  // Chosen on seeds 101 to 103, which the default does not use: at this rate `tiny` learns the
  // built-in corpus within a thousand steps and seeds agree.
  c.defaults = {{"preset", "tiny", "default"},
                {"budget", "1000steps", "default"},
                {"lr", "0.004", "default"}};
  c.examples = {"isodrop compare",
                "isodrop compare --text book.txt --preset nano --budget 2000steps --seeds 8",
                "isodrop compare --rivals --text book.txt",
                "isodrop compare --arm none --arm \"dropout=0.1|0.2\" --tune lr=1e-3,3e-3",
                "isodrop compare --arm none --arm dropout=0.1 --arm \"small: n_embd=96\" "
                "--epochs 1,32",
                "isodrop compare --arm none --arm \"wd: weight_decay=0.3,dropout=0.1\" "
                "--equivalent --format md"};
  c.run = compare;
  return c;
}

}  // namespace cli
