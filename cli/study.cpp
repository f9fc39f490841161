#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/files.h"
#include "cli/study_command.h"
#include "cli/terminal.h"
#include "lab/report/pages.h"
#include "lab/report/study_result.h"
#include "lab/study/folder.h"

namespace cli {
namespace {

/// With --collect a folder is no study, but a store.
bool is_store(const Parsed& args, const std::string& given) {
  std::error_code code;  // what cannot be looked at is a study file that cannot be read
  return args.has("collect") && std::filesystem::is_directory(given, code);
}

/// Throws base::Error where it is neither.
void check_is_study(const Parsed& args, const std::string& given) {
  std::error_code code;
  base::require(!args.has("collect") || std::filesystem::exists(study_file(given), code), given,
                ": neither a study file nor a folder of runs; --collect takes FILE.toml and the "
                "folders of stores that were copied here");
}

std::vector<std::filesystem::path> files_of(const Parsed& args) {
  std::vector<std::string> named;
  for (const std::string& given : args.arguments)
    if (!is_store(args, given)) check_is_study(args, given), named.push_back(given);
  base::require(args.has("all") == named.empty(),
                args.has("all") ? "--all with a file: --all means every study; leave one out"
                                : "study which claim? Give a study file, or --all; 'isodrop list "
                                  "studies' shows what there is");
  if (args.has("all")) return lab::studies_in(studies_folder());
  std::vector<std::filesystem::path> files;
  for (const std::string& given : named) files.push_back(study_file(given));
  return files;
}

/// "out/study-04-cost-of-dropout" of studies/04-cost-of-dropout.toml
std::filesystem::path folder_of(const std::filesystem::path& out, const lab::StudyFile& file) {
  const std::string name = "study-" + file.path.stem().string() + (file.quick ? "-quick" : "");
  return (out.empty() ? std::filesystem::path("out") : out) / name;
}

/// Writes the page, the result and, if asked, what is published; prints it, or adds it to
/// `results`.
int conclude(const lab::StudyFile& file, const lab::StudyResult& result, lab::Json report,
             const std::filesystem::path& page, const StudyOptions& options, const Parsed& args,
             lab::Json& results) {
  const bool json = options.format == "json";
  base::write_atomically(page, lab::study_html(result));
  lab::Json told = lab::to_json(result, std::move(report));
  base::write_json(options.session.out / "study-result.json", told);
  if (json) results.push_back(std::move(told));
  if (args.has("publish"))
    lab::publish(result,
                 lab::records_of(file, lab::Store(options.session.store),
                                 options.session.other_builds, !result.report.own_exams),
                 args.text("publish"));
  if (json) return 0;
  print_study(result, options);
  if (options.format == "text") print_page(page, options);
  return 0;
}

int study(const Parsed& args) {
  // All are read before anything is trained.
  std::vector<lab::StudyFile> files;
  for (const auto& path : files_of(args)) {
    files.push_back(lab::read_study_file(path, args.has("quick"), args.text("text")));
    lab::check_figures(files.back());
    for (std::size_t i = 0; i + 1 < files.size(); ++i)
      base::require(files[i].path.stem() != path.stem(), path.string(), ": ",
                    files[i].path.string(),
                    " is called the same; give them one at a time, with "
                    "an --out each");
  }
  StudyOptions given = study_options(args);
  if (args.has("time-limit"))
    given.time_limit = base::parse_time(args.text("time-limit"), "--time-limit");
  for (const std::string& store : args.arguments)
    if (is_store(args, store)) given.collect_from.emplace_back(store);
  base::require(given.plan.folder.empty() || files.size() == 1, "--plan ",
                given.plan.folder.string(), ": here are ", files.size(),
                " studies; plan one at a time, each in a folder of its own");
  if (args.has("publish")) check_publish(args.text("publish"), files);
  const bool json = given.format == "json";
  if (args.has("from")) return study_again(files, given, args);
  take_up_stores(given);
  lab::Json results = lab::Json::array();
  for (const lab::StudyFile& file : files) {
    StudyOptions options = given;
    options.session.out = folder_of(given.session.out, file);
    if (files.size() > 1) fmt::print(stderr, "isodrop: {}\n", file.path.string());
    if (options.dry && !json) fmt::print("{}: {}\n", file.path.filename().string(), file.title);
    base::use_threads(file.study.base.threads);
    const int code =
        run_study(file.study, options, [&](lab::Report report, lab::Json text, const auto& page) {
          return conclude(file, lab::make_result(file, std::move(report)), std::move(text), page,
                          options, args, results);
        });
    if (code != 0) return code;
  }
  if (args.has("publish") && !given.dry) write_index(args.text("publish"));
  if (json && !given.dry) print_studies(std::move(results));
  return 0;
}

}  // namespace

// `isodrop study`: claims put to the test, each a file.
Command study_command() {
  Command c;
  c.summary =
      "Test claims: make the runs of study files and decide by each file's own rule whether its "
      "claim is supported, contradicted or open. FILE is a path, or the name of a study that comes "
      "with isodrop ('isodrop list studies').";
  c.settings = false;
  c.argument = "FILE...";
  c.extras = {
      {.flag = "all", .help = "run all studies that come with isodrop", .common = true},
      {.flag = "quick",
       .help = "take a first look in minutes at a smaller size; this gives no verdict",
       .common = true},
      {.flag = "text",
       .hint = "PATH",
       .help = "the text for a study that has of_text",
       .common = true},
      {.flag = "time-limit",
       .hint = "TIME",
       .help = "refuse a study that would take longer on this machine, such as 30min, and say what "
               "to leave out",
       .not_with = "from",
       .common = true},
      {.flag = "out",
       .hint = "DIR",
       .help = "folder of the studies' folders (default: out)",
       .common = true},
      {.flag = "publish",
       .hint = "DIR",
       .help = "write NAME.md and NAME.json, with all records, of each study, and index.html of "
               "all",
       .not_with = "quick"},
      {.flag = "from",
       .hint = "DIR",
       .help = "make no run: compute the estimates again from what was published in this folder",
       .not_with = "quick"},
      product_tuning_flag(),
      format_flag({"text", "json", "md"}),
      verbose_flag(),
  };
  for (Extra& flag : study_flags()) {
    if (flag.flag == "html")
      flag.help = "with --from: one study's page with charts", flag.only_with = "from";
    if (flag.flag == "plan") flag.not_with = "from";
    c.extras.push_back(flag);
  }
  for (Extra& flag : engine_flags()) {
    if (flag.flag == "collect")
      flag.help =
          "make no run: report if all runs exist, and list what is missing otherwise; folders "
          "given "
          "beside FILE are other stores, whose runs are copied first";
    c.extras.push_back(flag);
  }
  c.examples = {"isodrop study 04-cost-of-dropout --quick", "isodrop study --all --quick",
                "isodrop study 04-cost-of-dropout --plan specs --engine slurm",
                "isodrop study 04-cost-of-dropout --collect /mnt/copied/runs"};
  c.run = study;
  return c;
}

}  // namespace cli
