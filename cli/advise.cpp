#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/session_view.h"
#include "cli/study_command.h"
#include "cli/terminal.h"
#include "lab/advise/advising.h"
#include "lab/report/pages.h"

namespace cli {
namespace {

constexpr std::int64_t kNever = 1'000'000'000;  // steps between evaluations

/// The settings that runs start from. Throws base::Error.
train::Settings base_of(const Parsed& args) {
  train::Settings base = args.settings;
  const bool budget = args.given.contains("budget");
  base::require(args.has("time") != budget,
                budget ? "--time with --budget: one follows from the other; give one of them"
                       : "advise needs --time T, how long it may take, as in 10min, or --budget B, "
                         "the compute of one run");
  base::require(train::run_budget(base).fixed_steps(), "--budget ", base.budget,
                ": give it in flops, tokens or steps; --time T is how long all of it may take");
  base::require(base.budget_share == 1 && base.stop == "end",
                "--budget-share and --stop are among the settings that advise tries; leave them "
                "out");
  // Only the end of a run counts here, unless an interval is asked for.
  if (base.eval_interval == 0) base.eval_interval = kNever;
  return base;
}

int print_plan(const lab::AdvicePlan& plan, const std::string& format) {
  if (format == "json")
    fmt::print("{}", base::json_text({{"regimes", plan.regimes},
                                      {"budget", plan.budget},
                                      {"runs_at_most", plan.runs_at_most},
                                      {"seeds", plan.seeds},
                                      {"seconds_at_most", plan.seconds_at_most}}));
  else
    fmt::print(
        "{} regimes, runs of {}, at most {:.0f} runs; the three that are judged get {} "
        "each; about {}\nNothing was trained.\n",
        plan.regimes, plan.budget, plan.runs_at_most,
        base::counted(static_cast<std::uint64_t>(plan.seeds), "seed"),
        duration(plan.seconds_at_most));
  return 0;
}

int print_advice(const lab::Advised& advised, const lab::Advising& advising, const Parsed& args,
                 const StudyOptions& options, const std::filesystem::path& page) {
  train::Settings settings = advised.settings;
  settings.eval_interval = args.settings.eval_interval;
  const std::string command = train_command_text(settings);
  const lab::Json json =
      lab::to_json(advised.advice, advised.report, advised.direct ? &*advised.direct : nullptr,
                   advising.halving(), command);
  advising.folder().save("advice.json", json);
  base::write_atomically(page, lab::render_html(advised.report, advised.advice.sentence));
  if (options.format == "json")
    fmt::print("{}", base::json_text(json));
  else
    fmt::print("{}Pictures: {}\n",
               lab::render_text(advised.advice, advised.report, advising.halving(), command,
                                color(stdout), table_width(stdout)),
               page.string());
  return 0;
}

int advise(const Parsed& args) {
  const StudyOptions options = study_options(args);
  lab::AdviseOptions what{.session = options.session};
  const train::Settings base = base_of(args);
  if (args.has("time")) what.seconds = base::parse_time(args.text("time"), "--time");
  if (args.has("seeds")) what.seeds = args.integer("seeds", 2, 10'000);
  SessionView view;
  lab::Observers observers;
  observers.add(view);
  lab::Advising advising(base, what, observers);
  const std::filesystem::path page = page_path(advising.folder().path(), options);
  lab::PageWriter writer(page, view);
  observers.add(writer);
  return in_session(view, options.dry, [&] {
    if (options.dry) {
      const lab::AdvicePlan plan = advising.plan();
      view.line().finish();
      return print_plan(plan, options.format);
    }
    const lab::Advised advised = advising.answer();
    return print_advice(advised, advising, args, options, page);
  });
}

}  // namespace

// `isodrop advise`: for anyone who only wants to know what to do.
Command advise_command() {
  Command c;
  c.summary =
      "Find the regularizers that do best on your data, judge them on fresh seeds, and say what to "
      "use.";
  c.extras = {
      {.flag = "time",
       .hint = "T",
       .help = "about how long the search may take: 10min, 90s or 1.5h",
       .common = true},
      {.flag = "seeds",
       .hint = "N",
       .help = "fresh seeds for the final judgement (default: 8, or with --time as many as fit, at "
               "most 12)",
       .common = true},
      {.flag = "out",
       .hint = "DIR",
       .help = "folder of the answer (default: out/advise-<identity>)",
       .common = true},
      product_tuning_flag(),
      format_flag({"text", "json"}),
  };
  for (const Extra& flag : study_flags_without_plan()) c.extras.push_back(flag);
  c.defaults = {{"preset", "tiny", "default"}};
  c.examples = {"isodrop advise --text book.txt --time 10min",
                "isodrop advise --text book.txt --preset nano --budget 2000steps"};
  c.run = advise;
  return c;
}

}  // namespace cli
