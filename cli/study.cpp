#include <fmt/format.h>

#include <algorithm>

#include "cli/scratch.h"
#include "cli/study_command.h"
#include "cli/terminal.h"
#include "engine/error.h"
#include "engine/parallel.h"
#include "isodrop_version.h"
#include "lab/report/html.h"
#include "lab/report/published.h"
#include "lab/report/study_result.h"
#include "lab/study/folder.h"
#include "train/files.h"

namespace cli {
namespace {

std::vector<std::filesystem::path> files_of(const Parsed& args) {
  engine::require(args.has("all") == args.arguments.empty(),
                  args.has("all") ? "--all with a file: it takes all there are; leave one out"
                                  : "study what? Give a study file, or --all; 'isodrop list "
                                    "studies' shows what there is");
  if (args.has("all")) return lab::studies_in(ISODROP_STUDIES);
  return {args.arguments.begin(), args.arguments.end()};
}

/// "out/study-04-cost" of studies/04-cost.toml
std::filesystem::path folder_of(const std::filesystem::path& out, const lab::StudyFile& file) {
  const std::string name = "study-" + file.path.stem().string() + (file.quick ? "-quick" : "");
  return (out.empty() ? std::filesystem::path("out") : out) / name;
}

void print(const lab::StudyResult& result, const std::string& format) {
  fmt::print("{}", lab::render(result, format, color(stdout), table_width(stdout)));
}

/// From what was published, without a run.
int again(const std::vector<lab::StudyFile>& files, const std::filesystem::path& from,
          const std::string& format) {
  lab::Json results = lab::Json::array();
  for (const lab::StudyFile& file : files) {
    const Scratch scratch;
    const auto result = lab::read_published(file, from, lab::Store(scratch.path()));
    results.push_back(lab::to_json(result));
    if (format != "json") print(result, format);
  }
  if (format == "json") fmt::print("{}\n", lab::Json{{"studies", results}}.dump(2));
  return 0;
}

int study(const Parsed& args) {
  // All are read before anything is trained.
  std::vector<lab::StudyFile> files;
  for (const auto& path : files_of(args)) {
    files.push_back(lab::read_study_file(path, args.has("quick")));
    lab::check_figures(files.back());
    for (std::size_t i = 0; i + 1 < files.size(); ++i)
      engine::require(files[i].path.stem() != path.stem(), path.string(), ": ",
                      files[i].path.string(),
                      " is called the same; give them one at a time, with "
                      "an --out each");
  }
  const StudyOptions given = study_options(args);
  const bool json = given.format == "json";
  if (args.has("from")) return again(files, args.text("from"), given.format);
  lab::Json results = lab::Json::array();
  for (const lab::StudyFile& file : files) {
    StudyOptions options = given;
    options.out = folder_of(given.out, file);
    if (files.size() > 1) fmt::print(stderr, "isodrop: {}\n", file.path.string());
    if (options.dry && !json) fmt::print("{}: {}\n", file.path.filename().string(), file.title);
    engine::use_threads(file.study.base.threads);
    StudyMade made = make_study(file.study, options);
    if (options.dry && made.code == 0) continue;
    if (!made.report) return made.code;
    const lab::StudyResult result = lab::make_result(file, std::move(*made.report));
    train::write_atomically(made.page, lab::render_html(result.report, lab::headline(result)));
    results.push_back(lab::to_json(result));
    train::write_json(options.out / "study-result.json", results.back());
    if (args.has("publish"))
      lab::publish(result,
                   lab::records_of(file, lab::Store(options.store), options.other_builds,
                                   !result.report.own_exams),
                   args.text("publish"));
    if (json) continue;
    print(result, options.format);
    if (options.format == "text") fmt::print("Pictures: {}\n", made.page.string());
  }
  if (json && !given.dry) fmt::print("{}\n", lab::Json{{"studies", results}}.dump(2));
  return 0;
}

}  // namespace

// `isodrop study`: claims put to the test, each a file.
Command study_command() {
  Command c;
  c.summary =
      "Put claims to the test: make the runs of study files and say by each file's own rule "
      "whether "
      "its claim is supported, contradicted or open.";
  c.settings = false;
  c.argument = "FILE...";
  c.extras = {
      {"all", "", "", "all studies that come with isodrop"},
      {"quick", "", "", "a first look in minutes, smaller than the real size; it gives no verdict"},
      {"out", "DIR", "", "where the folders of the studies go (default: out)"},
      {"publish",
       "DIR",
       "",
       "write NAME.md and, with all records, NAME.json of each study there",
       false,
       {},
       {},
       "quick"},
      {"from",
       "DIR",
       "",
       "make no run: the figures again from what was published there",
       false,
       {},
       {},
       "quick"},
      product_tuning_flag(),
      {"format", "FORMAT", "text", "of the result", false, {"text", "json", "md"}},
  };
  for (const Extra& flag : study_flags_without_plan())
    if (flag.flag != "html") c.extras.push_back(flag);
  c.examples = {"isodrop study studies/04-cost.toml", "isodrop study --all --quick"};
  c.run = study;
  return c;
}

}  // namespace cli
