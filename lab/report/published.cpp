#include "lab/report/published.h"

#include <set>

#include "engine/error.h"
#include "engine/suggest.h"
#include "lab/study/tuning.h"
#include "train/files.h"

namespace lab {
namespace {

std::filesystem::path data_file(const StudyFile& file, const std::filesystem::path& folder) {
  return folder / (file.path.stem().string() + ".json");
}

/// The runs of the study with what tuning chose, after those of the tuning.
StudyRuns chosen(const StudyFile& file, const Store& store, bool other_builds,
                 const std::function<void(const StudyRuns&)>& of_tuning) {
  StudyRuns runs(file.study, store, other_builds);
  if (!tunes(file.study)) return runs;
  const GridSearch search(runs);
  engine::require(search.done(), file.path.string(), ": runs of its tuning are missing");
  of_tuning(search.runs());
  Study study = file.study;
  study.tuned = search.tuned();
  return runs.anew(std::move(study));
}

}  // namespace

std::vector<Json> records_of(const StudyFile& file, const Store& store, bool other_builds,
                             bool windows) {
  std::vector<Json> out;
  std::set<std::string> seen;
  const auto add = [&](const StudyRuns& runs, bool judged) {
    for (const Point& p : runs.points()) {
      const RunRecord* record = runs.record(p);
      if (record == nullptr || !seen.insert(record->id).second) continue;
      Json json = to_full_json(*record);
      if (!windows || !judged) json["windows"] = {{"val", ""}, {"test", ""}};
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
  train::make_folder(folder);
  StudyResult shown = result;
  shown.report.store.clear();  // others have neither
  shown.report.folder.clear();
  Json json = to_json(result);
  // Of the report the rules alone: the rest is made of the records.
  json["looks"] = result.report.rules.looks;
  json.erase("report");
  json["records"] = records;
  train::write_atomically(folder / (result.file.path.stem().string() + ".md"),
                          render(shown, "md", false, 0));
  train::write_atomically(data_file(result.file, folder), json.dump() + "\n");
}

StudyResult read_published(const StudyFile& file, const std::filesystem::path& folder,
                           const Store& scratch) {
  const std::filesystem::path path = data_file(file, folder);
  const Json json = train::read_json(path);
  const auto need = [&](bool ok, const auto&... why) {
    engine::require(ok, path.string(), ": ", why..., "; publish the study anew");
  };
  need(json.is_object() && json.contains("hash") && json.contains("records") &&
           json["records"].is_array() && json.contains("looks") &&
           json["looks"].is_number_integer() && json["looks"] >= 1 && json["looks"] < 1000,
       "no published study");
  need(json["hash"] == file.hash, "of another ", file.path.filename().string(), ", with hash ",
       json["hash"].dump(), " and not ", file.hash);
  for (const Json& item : json["records"]) {
    const RunRecord record = record_from_json(item, path.string());
    need(record.id.size() == 32 &&
             record.id.find_first_not_of("0123456789abcdef") == std::string::npos,
         "a record's id ", engine::quote(record.id), " is no id");
    train::make_folder(scratch.folder(record.id));
    train::write_json(scratch.record_file(record.id), item);
  }
  const StudyRuns runs = chosen(file, scratch, true, [](const StudyRuns&) {});
  need(runs.missing().empty(), runs.missing().size(), " of its ", runs.count(),
       " runs are not in it");
  return make_result(file, make_report(runs, {}, json["looks"].get<int>(), "", false));
}

}  // namespace lab
