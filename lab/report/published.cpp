#include <fmt/format.h>

#include <set>
#include <sstream>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "lab/report/pages.h"
#include "lab/report/study_result.h"
#include "lab/runs/measures.h"
#include "lab/study/tuning.h"

namespace lab {
namespace {

/// Of publications that do not say theirs.
constexpr int kFirstPublished = 2;

std::filesystem::path data_file(const StudyFile& file, const std::filesystem::path& folder) {
  return folder / (file.path.stem().string() + ".json");
}

/// The paragraphs of DIR/NAME.note.md; none where there is no such file.
std::vector<std::string> by_hand(const StudyFile& file, const std::filesystem::path& folder) {
  constexpr std::int64_t kMostBytes = 1 << 20;
  const std::filesystem::path note = folder / (file.path.stem().string() + ".note.md");
  if (!std::filesystem::exists(note)) return {};
  std::istringstream in(base::read_whole(note, base::Whose::kFolder, kMostBytes));
  std::vector<std::string> paragraphs;
  bool open = false;  // a paragraph
  for (std::string line; std::getline(in, line); open = !line.empty())
    if (open && !line.empty())
      paragraphs.back() += " " + line;
    else if (!line.empty())
      paragraphs.push_back(line);
  return paragraphs;
}

/// Of the probe the means over layers alone, and what a figure names.
RunRecord compact(RunRecord record, const StudyFile& file) {
  const std::string layer = std::string(kProbePrefix) + "h.";
  std::erase_if(record.values.others(), [&](const auto& value) {
    return value.first.starts_with(layer) &&
           std::none_of(file.figures.begin(), file.figures.end(), [&](const FigureSpec& f) {
             return f.metric == value.first || f.against_metric == value.first;
           });
  });
  return record;
}

/// Of the report's arms; empty where they were not timed.
Speeds speeds_of(const Report& report) {
  Speeds out;
  for (const CellReport& cell : report.cells) {
    std::vector<ArmSpeed>& arms = out.emplace_back();
    for (const ArmReport& arm : cell.arms) {
      if (!arm.speed) return {};
      arms.push_back(*arm.speed);
    }
  }
  return out;
}

/// The runs of the study with what tuning chose, after those of the tuning.
StudyRuns chosen(const StudyFile& file, const Store& store, bool other_builds,
                 const std::function<void(const StudyRuns&)>& of_tuning) {
  StudyRuns runs(file.study, store, other_builds);
  if (!tunes(file.study)) return runs;
  const GridSearch search(runs);
  base::require(search.done(), file.path.string(), ": runs of its tuning are missing");
  of_tuning(search.runs());
  Study study = file.study;
  study.tuned = search.tuned();
  return runs.with_study(std::move(study));
}

}  // namespace

std::vector<Json> records_of(const StudyFile& file, const Store& store, bool other_builds,
                             bool windows) {
  std::vector<Json> out;
  std::set<std::string> seen;
  const auto add = [&](const StudyRuns& runs, bool judged) {
    for (const Point& p : runs.points()) {
      const RecordPtr record = runs.record(p);
      if (record == nullptr || !seen.insert(record->id).second) continue;
      Json json = to_full_json(compact(*record, file));
      // Verdicts are taken over the windows of the split that is judged on, of the whole budget.
      if (!windows || !judged || p.share != 0)
        json["windows"] = {{"val", ""}, {"test", ""}};
      else if (!record->test_windows.empty())
        json["windows"]["val"] = "";
      for (auto at = json.begin(); at != json.end();)
        at = at->is_null() ? json.erase(at) : std::next(at);
      out.push_back(std::move(json));
    }
  };
  const StudyRuns runs =
      chosen(file, store, other_builds, [&](const StudyRuns& tuning) { add(tuning, false); });
  add(runs, true);
  return out;
}

void publish(const StudyResult& result, const std::vector<Json>& records,
             const std::filesystem::path& folder) {
  base::make_folder(folder);
  StudyResult shown = result;
  shown.report.store.clear();  // others have neither
  shown.report.folder.clear();
  Json json = to_json(result);
  // Of the report the rules alone: the rest is made of the records.
  json["looks"] = result.report.rules.looks;
  json["speeds"] = to_json(speeds_of(result.report));
  json["numerics"] = result.file.study.numerics;
  json["records"] = records;
  json["fingerprint"] = fingerprint({records, json["looks"], json["speeds"]});
  const std::string name = result.file.path.stem().string();
  std::string page;
  for (const std::string& paragraph : by_hand(result.file, folder)) page += paragraph + "\n\n";
  if (std::filesystem::exists(folder / (name + ".png")))
    page += fmt::format("![{}]({}.png)\n\n", result.file.title, name);
  base::write_atomically(folder / (name + ".md"), render(shown, "md", false, 0, page));
  base::write_atomically(data_file(result.file, folder), base::json_compact(json) + "\n");
}

void publish_index(const std::vector<StudyResult>& results, const std::filesystem::path& folder) {
  std::vector<ToldStudy> told;
  for (const StudyResult& result : results) told.push_back({result, by_hand(result.file, folder)});
  base::write_atomically(folder / "index.html", claims_html(told));
}

Published read_published(const StudyFile& given, const std::filesystem::path& folder,
                         const Store& scratch) {
  StudyFile file = given;
  const std::filesystem::path path = data_file(file, folder);
  const Json json = base::read_json(path);
  const auto need = [&](bool ok, const auto&... why) {
    base::require(ok, path.string(), ": ", why..., "; publish the study again");
  };
  need(json.is_object() && json.contains("hash") && json.contains("records") &&
           json["records"].is_array() && json.contains("looks") &&
           json["looks"].is_number_integer() && json["looks"] >= 1 && json["looks"] < 1000,
       "no published study");
  need(json["hash"] == file.hash, "of another ", file.path.filename().string(), ", with hash ",
       base::json_compact(json["hash"]), " and not ", file.hash);
  const auto records = json["records"].get<std::vector<Json>>();
  const Json known = json.value("fingerprint", Json()), timed = json.value("speeds", Json());
  // Those of the records alone were published before the others were covered.
  need(known == fingerprint({records, json["looks"], timed}) || known == fingerprint(records),
       "its records, looks or step times were changed since they were published");
  // Runs are found by the numerics that they were made with.
  const Json numerics = json.value("numerics", Json(kFirstPublished));
  need(numerics.is_number_integer(), "its numerics are no whole number");
  file.study.numerics = numerics.get<int>();
  for (const Json& item : json["records"]) {
    const RunRecord record = record_from_json(item, path.string());
    need(record.id.size() == 32 &&
             record.id.find_first_not_of("0123456789abcdef") == std::string::npos,
         "a record's id ", base::quote(record.id), " is no id");
    base::make_folder(scratch.folder(record.id));
    scratch.save(record);
  }
  const StudyRuns runs = chosen(file, scratch, true, [](const StudyRuns&) {});
  need(runs.missing().empty(), runs.missing().size(), " of its ", runs.count(),
       " runs are not in it");
  const auto speeds = speeds_from_json(timed, file.study);
  need(speeds || timed.is_null() || timed == Json::array(),
       "its step times are not those of the study's arms");
  return {make_result(file, make_report(runs, speeds.value_or(Speeds{}), json["looks"].get<int>(),
                                        "", false)),
          records};
}

}  // namespace lab
