// What `isodrop study` publishes, and what it reads of that again.
#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/files.h"
#include "cli/study_command.h"
#include "cli/terminal.h"
#include "lab/report/pages.h"
#include "lab/report/study_result.h"

namespace cli {

void check_publish(const std::filesystem::path& folder, const std::vector<lab::StudyFile>& files) {
  const auto check = [](const std::filesystem::path& path, std::string_view mark) {
    refuse_others(path, mark, "--publish: " + path.string());
  };
  for (const lab::StudyFile& file : files) {
    const std::string stem = file.path.stem().string();
    const std::filesystem::path data = folder / (stem + ".json");
    // What begins like this was published, and so was the page beside it.
    const std::string mark = fmt::format("{{\"file\":\"{}\"", file.path.filename().string());
    check(data, mark);
    if (!std::filesystem::exists(data)) check(folder / (stem + ".md"), mark);
  }
  check(folder / "index.html", kPageMark);
}

void print_study(const lab::StudyResult& result, const StudyOptions& options) {
  fmt::print("{}", lab::render(result, options.format, color(stdout), table_width(stdout), "",
                               options.verbose));
}

void print_studies(lab::Json results) {
  lab::Json json = lab::Json::object();
  base::append(json, "studies", std::move(results));  // large: a list in braces would copy it
  fmt::print("{}", base::json_text(json));
}

void write_index(const std::filesystem::path& folder) {
  std::vector<lab::StudyResult> results;
  for (const auto& path : lab::studies_in(studies_folder())) {
    if (!std::filesystem::exists(folder / path.stem().concat(".json"))) continue;
    const Scratch scratch;
    try {
      const lab::StudyFile file = lab::read_study_file(path, false);
      results.push_back(lab::read_published(file, folder, lab::Store(scratch.path())).result);
    } catch (const base::Error& e) {  // of an older study file, say
      fmt::print(stderr, "isodrop: note: left out of index.html: {}\n", base::printable(e.what()));
    }
  }
  if (!results.empty()) lab::publish_index(results, folder);
}

int study_again(const std::vector<lab::StudyFile>& files, const StudyOptions& options,
                const Parsed& args) {
  base::require(options.html.empty() || files.size() == 1, "--html ", options.html.string(),
                ": a page is of one study, and here are ", files.size(), "; give one");
  lab::Json results = lab::Json::array();
  for (const lab::StudyFile& file : files) {
    const Scratch scratch;
    const auto [result, records] =
        lab::read_published(file, args.text("from"), lab::Store(scratch.path()));
    if (!options.html.empty()) base::write_atomically(options.html, lab::study_html(result));
    if (args.has("publish")) lab::publish(result, records, args.text("publish"));
    if (options.format == "json")
      results.push_back(lab::to_json(result, lab::to_json(result.report)));
    else
      print_study(result, options);
  }
  if (args.has("publish")) write_index(args.text("publish"));
  if (options.format == "json") print_studies(std::move(results));
  return 0;
}

}  // namespace cli
