#include "lab/study/looks.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/files.h"

namespace lab {
namespace {

/// What is asked of a pair of arms, whichever of them is the baseline.
std::string question(const StudyRuns& runs, const Point& arm, const Point& baseline) {
  std::vector<std::string> sides;
  for (const Point& point : {arm, baseline}) {
    RunSpec spec = runs.spec(runs.id(point));
    spec.settings.seed = train::Settings{}.seed;
    sides.push_back(run_id(spec));
  }
  std::sort(sides.begin(), sides.end());
  return fingerprint(Json(sides));
}

/// The seeds of each look, as they are kept: [["1", "2"], ["1", "2", "3"]].
using Looks = std::vector<std::set<std::string>>;

Looks read(const std::filesystem::path& file) {
  std::error_code none_yet;
  if (!std::filesystem::exists(file, none_yet)) return {};
  const Json json = base::read_json(file, base::Whose::kRun);
  base::require(json.is_array() || is_sealed(json), file.string(),
                ": was changed after it was written; remove it, and looks are counted anew");
  try {
    return (json.is_array() ? json : json.at("looks")).get<Looks>();  // older ones are the lists
  } catch (const Json::exception&) {
    throw base::Error(
        base::concat(file.string(), ": not lists of seeds; remove it, and looks are counted anew"));
  }
}

}  // namespace

int count_look(const StudyRuns& runs) {
  std::map<std::string, std::set<std::string>> seeds;              // seen by each question
  std::map<std::pair<std::size_t, std::size_t>, std::string> ask;  // by cell and arm
  std::set<std::string> withheld;
  for (const Point& p : runs.points()) {
    if (p.arm == 0 || p.share != 0) continue;  // verdicts are on the whole budget
    const Point baseline{p.cell, 0, 0, p.seed};
    const RecordPtr mine = runs.record(p), theirs = runs.record(baseline);
    if (mine == nullptr || theirs == nullptr) continue;
    std::string& asked = ask[{p.cell, p.arm}];
    if (asked.empty()) asked = question(runs, p, baseline);
    if (!mine->ok() || !theirs->ok()) withheld.insert(asked);
    seeds[asked].insert(std::to_string(p.seed));
  }
  for (const std::string& asked : withheld) seeds.erase(asked);  // no verdict is shown on them
  std::erase_if(seeds, [](const auto& s) { return s.second.size() < 2; });  // too few to tell
  if (seeds.empty()) return 1;
  const std::filesystem::path folder = runs.store().root() / "looks";
  base::refuse_link(folder);
  base::make_folder(folder);
  RunLock lock(folder);  // or two commands would each forget the other's look
  if (!lock.held()) lock.wait();
  std::size_t most = 1;
  for (const auto& [name, seen] : seeds) {
    const std::filesystem::path file = folder / (name + ".json");
    Looks looks = read(file);
    std::set<std::string> before;
    for (const auto& look : looks) before.insert(look.begin(), look.end());
    if (!std::includes(before.begin(), before.end(), seen.begin(), seen.end())) {
      looks.push_back(seen);
      base::write_json(file, sealed({{"looks", looks}}));
    }
    most = std::max(most, looks.size());
  }
  return static_cast<int>(most);
}

}  // namespace lab
