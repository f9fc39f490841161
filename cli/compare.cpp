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
                ": one arm alone has nothing to be compared with; give another --arm");
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
  // Without arms given, the answer should be there in minutes.
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
  c.summary =
      "Train several variants (arms) at the same budget on paired seeds and say which is better. "
      "The report is also written as a page with charts.";
  c.extras = {
      {.flag = "arm",
       .hint = "[NAME:] SETTING=VALUE[,...]",
       .help = "one variant; the first is the baseline. 'none' has no regularizer; "
               "SETTING=V1|V2|... is tuned; 'isodrop list rivals' shows named ones (default: none "
               "with early stopping tuned, dropout with its rate tuned)",
       .repeatable = true,
       .common = true},
      {.flag = "rivals", .help = "compare all rivals, each tuned", .common = true},
      {.flag = "tune",
       .hint = "SETTING=V1,V2[,...]",
       .help = "tune this setting for every arm that does not set it, by validation loss on other "
               "seeds, before anything is judged",
       .repeatable = true,
       .common = true},
      {.flag = "trials",
       .hint = "N",
       .help = "settings tried per arm, drawn at random if its grid has more"},
      {.flag = "tuning-seeds",
       .hint = "N",
       .fallback = "2",
       .help = "seeds per tuned setting, more for arms with fewer settings; the default arms use "
               "1"},
      {.flag = "seeds",
       .hint = "N",
       .fallback = "8",
       .help = "paired seeds; a larger N extends an earlier comparison",
       .common = true},
      {.flag = "min-seeds",
       .hint = "N",
       .fallback = "8",
       .help = "give no verdict with fewer seeds",
       .not_with = "plan"},
      {.flag = "epochs",
       .hint = "N[,N...]",
       .help = "how often the data is repeated within the budget, one table for each N (default: "
               "all training text, randomly sampled; on the built-in text 1,256)",
       .common = true},
      {.flag = "axis",
       .hint = "SETTING=VALUE[,VALUE...]",
       .help = "one table for each value of a setting",
       .repeatable = true},
      {.flag = "equivalent",
       .help = "also train the baseline at 1/8, 1/4, 1/2 and 2 times the budget, to say how much "
               "compute each arm is worth"},
      {.flag = "shares",
       .hint = "A,B[,...]",
       .help = "train every arm at these shares of the budget, to see which gains with compute"},
      {.flag = "margin",
       .hint = "NATS",
       .help = "treat smaller differences as none (default: the baseline's standard deviation over "
               "seeds)",
       .not_with = "plan"},
      {.flag = "out",
       .hint = "DIR",
       .help = "folder of the report (default: out/compare-<identity>)",
       .common = true},
      product_tuning_flag(),
      format_flag({"text", "json", "csv", "md"}),
      verbose_flag(),
  };
  c.extras[c.extras.size() - 2].not_with = "plan";
  for (const auto& flags : {study_flags(), engine_flags()})
    c.extras.insert(c.extras.end(), flags.begin(), flags.end());
  c.defaults = {{"preset", "tiny", "default"}, {"budget", "1000steps", "default"}};
  c.examples = {"isodrop compare",
                "isodrop compare --text book.txt --preset nano --budget 2000steps",
                "isodrop compare --rivals --text book.txt",
                "isodrop compare --arm none --arm \"dropout=0.1|0.2\" --tune lr=1e-3,3e-3",
                "isodrop compare --arm none --arm \"small: n_embd=96\" --epochs 1,32"};
  c.run = compare;
  return c;
}

}  // namespace cli
