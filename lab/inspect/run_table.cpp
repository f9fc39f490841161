#include "lab/inspect/run_table.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "lab/runs/metrics.h"

namespace lab {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShortId = 12;
constexpr int kDeepest = 3;                     // folders below --out
constexpr std::uintmax_t kLargestReport = 1e8;  // bytes; a larger one is not searched

std::string metric_text(const SurveyedRun& run, const char* name) {
  const auto value = run.record ? run.record->value(name) : std::nullopt;
  return value ? text(metric(name), value) : "–";
}

struct RunColumn {
  std::string_view name;
  int readily;  // how readily a narrow terminal leaves it out; 0: never
  std::string (*field)(const ListedRun&);
};

constexpr RunColumn kRunColumns[] = {
    {"run", 0,
     [](const ListedRun& r) { return is_id(r.run.id) ? r.run.id.substr(0, kShortId) : r.run.id; }},
    {"date", 4,
     [](const ListedRun& r) {
       return fmt::format("{:%Y-%m-%d %H:%M}", fmt::localtime(static_cast<std::time_t>(r.time)));
     }},
    {"state", 3, [](const ListedRun& r) { return state_text(r.run); }},
    {"text", 2, [](const ListedRun& r) { return r.text; }},
    {"comparison", 5, [](const ListedRun& r) { return r.comparison.empty() ? "–" : r.comparison; }},
    {"seed", 6,
     [](const ListedRun& r) {
       return r.run.spec ? std::to_string(r.run.spec->settings.seed) : "–";
     }},
    {"step", 7,
     [](const ListedRun& r) { return r.run.step ? fmt::format("{:.0f}", *r.run.step) : "–"; }},
    {"size", 8, [](const ListedRun& r) { return size_text(r.run.bytes); }},
    {"val loss", 1, [](const ListedRun& r) { return metric_text(r.run, "val_loss"); }},
    {"test loss", 0, [](const ListedRun& r) { return metric_text(r.run, "test_loss"); }},
    {"settings", 0, [](const ListedRun& r) { return settings_text(r.run); }},
};

const RunColumn& column_named(std::string_view name) {
  for (const RunColumn& column : kRunColumns)
    if (column.name == name) return column;
  throw base::Error(fmt::format("no column {}; {}", base::quote(std::string(name)),
                                base::suggest(name, run_columns())));
}

std::int64_t written_at(const fs::path& path) {
  std::error_code gone;  // files come and go while others work here
  const auto time = fs::last_write_time(path, gone);
  if (gone) return 0;
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::file_clock::to_sys(time).time_since_epoch())
      .count();
}

std::string text_of(const SurveyedRun& run) {
  if (!run.spec) return "–";
  const train::Settings& s = run.spec->settings;
  const std::string& path = s.csv.empty() ? s.text : s.csv;
  if (path.empty()) return s.task == train::Settings{}.task ? "built-in" : s.task;
  return fs::path(path).filename().string();
}

/// Names of the comparisons whose report.json names a run, by its id.
std::map<std::string, std::string> comparisons(const fs::path& out) {
  std::map<std::string, std::string> by_id;
  std::error_code code;
  for (fs::directory_iterator it(out, code), end; !code && it != end; it.increment(code)) {
    const fs::path report = it->path() / "report.json";
    std::error_code none;  // a folder of something else
    if (!fs::is_regular_file(report, none) || fs::file_size(report, none) > kLargestReport)
      continue;
    try {
      const Json json =
          Json::parse(base::read_file(report, static_cast<std::int64_t>(kLargestReport),
                                      "check the path", base::Whose::kFolder),
                      nullptr, false);
      if (!json.is_object() || !json.contains("cells") || !json["cells"].is_array()) continue;
      for (const Json& cell : json["cells"])
        for (const Json& arm : cell.value("arms", Json::array()))
          for (const Json& run : arm.value("runs", Json::array()))
            if (const std::string id = run.value("id", ""); !id.empty())
              by_id.emplace(id, it->path().filename().string());
    } catch (const base::Error&) {      // cannot be read
    } catch (const Json::exception&) {  // of something else
    }
  }
  return by_id;
}

/// Runs of 'isodrop train' at or below the folder.
void find_trained(const fs::path& folder, const fs::path& store, int depth,
                  std::vector<ListedRun>& runs) {
  if (auto run = survey_trained(folder)) {
    const std::int64_t time = std::max(written_at(folder), written_at(folder / "summary.json"));
    runs.push_back({std::move(*run), "", "", time});
  }
  std::error_code code;
  if (depth == 0 || fs::equivalent(folder, store, code)) return;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code))
    if (std::error_code gone; it->is_directory(gone) && !it->is_symlink(gone))
      find_trained(it->path(), store, depth - 1, runs);
}

/// What a column is sorted by, if by a number: the smallest first.
double number_of(const ListedRun& r, std::string_view column) {
  constexpr double kLast = std::numeric_limits<double>::infinity();
  const auto loss = [&](const char* name) {
    return r.run.record ? r.run.record->value(name).value_or(kLast) : kLast;
  };
  if (column == "date") return -static_cast<double>(r.time);
  if (column == "size") return -static_cast<double>(r.run.bytes);
  if (column == "step") return -r.run.step.value_or(-1);
  if (column == "val loss") return loss("val_loss");
  if (column == "test loss") return loss("test_loss");
  if (column == "seed") return r.run.spec ? static_cast<double>(r.run.spec->settings.seed) : kLast;
  return 0;
}

}  // namespace

std::vector<std::string_view> run_columns() {
  std::vector<std::string_view> out;
  for (const RunColumn& column : kRunColumns) out.push_back(column.name);
  return out;
}

std::string run_field(const ListedRun& run, std::string_view column) {
  return column_named(column).field(run);
}

std::vector<ListedRun> listed_runs(const Store& store, const fs::path& out) {
  std::vector<ListedRun> runs;
  find_trained(out, store.root(), kDeepest, runs);
  std::error_code none;
  if (runs.empty() || fs::is_directory(store.root(), none))
    for (SurveyedRun& run : survey(store)) {
      const std::int64_t time = written_at(store.folder(run.id));
      runs.push_back({std::move(run), "", "", time});
    }
  const std::map<std::string, std::string> by_id = comparisons(out);
  for (ListedRun& run : runs) {
    run.text = text_of(run.run);
    if (const auto it = by_id.find(run.run.id); it != by_id.end()) run.comparison = it->second;
  }
  return runs;
}

void filter_runs(std::vector<ListedRun>& runs,
                 const std::vector<std::pair<std::string, std::string>>& filters) {
  for (const auto& [name, wanted] : filters) {
    const RunColumn& column = column_named(name);
    std::erase_if(runs, [&](const ListedRun& run) {
      return column.field(run).find(wanted) == std::string::npos;
    });
  }
}

void sort_runs(std::vector<ListedRun>& runs, std::string_view name) {
  const RunColumn& column = column_named(name);
  std::stable_sort(runs.begin(), runs.end(), [&](const ListedRun& a, const ListedRun& b) {
    const double x = number_of(a, name), y = number_of(b, name);
    return x != y ? x < y : x == 0 && column.field(a) < column.field(b);
  });
}

std::string runs_text(const std::vector<ListedRun>& runs, std::size_t width) {
  constexpr std::size_t kLeastSettings = 20;
  std::vector<const RunColumn*> columns;
  std::vector<std::vector<std::string>> fields;  // by column
  std::vector<std::size_t> widths;
  for (const RunColumn& column : kRunColumns) {
    columns.push_back(&column);
    std::vector<std::string> all = {std::string(column.name)};
    for (const ListedRun& run : runs) all.push_back(base::printable(column.field(run)));
    std::size_t widest = 0;
    for (const std::string& field : all) widest = std::max(widest, base::text_width(field));
    fields.push_back(std::move(all)), widths.push_back(widest);
  }
  const auto used = [&] {  // by all but the last
    std::size_t sum = 0;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) sum += widths[i] + 2;
    return sum;
  };
  const auto drop = [&](std::size_t i) {
    columns.erase(columns.begin() + static_cast<std::ptrdiff_t>(i));
    fields.erase(fields.begin() + static_cast<std::ptrdiff_t>(i));
    widths.erase(widths.begin() + static_cast<std::ptrdiff_t>(i));
  };
  while (width > 0 && used() + std::min(widths.back(), kLeastSettings) > width) {
    std::size_t least = 0;
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (columns[i]->readily > columns[least]->readily) least = i;
    if (columns[least]->readily == 0) break;
    drop(least);
  }
  if (width > 0 && used() < width)
    for (std::string& field : fields.back())
      if (const std::size_t room = width - used(); base::text_width(field) > room) {
        field.resize(std::min(field.size(), room - 1));
        while (!field.empty() && (static_cast<unsigned char>(field.back()) & 0x80) != 0)
          field.pop_back();
        field += "…";
      }
  base::Lines lines(runs.size() + 1);
  for (const auto& column : fields)
    for (std::size_t row = 0; row < column.size(); ++row) lines[row].push_back(column[row]);
  return base::text_table(lines, nullptr);
}

Json to_json(const ListedRun& run) {
  Json json = to_json(run.run);
  json["text"] = run.text;
  json["date"] =
      fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(run.time)));
  json["comparison"] = run.comparison.empty() ? Json(nullptr) : Json(run.comparison);
  return json;
}

std::string size_text(std::uintmax_t bytes) {
  const auto n = static_cast<double>(bytes);
  return n >= 1e9   ? fmt::format("{:.1f} GB", n / 1e9)
         : n >= 1e6 ? fmt::format("{:.1f} MB", n / 1e6)
                    : fmt::format("{:.0f} kB", std::ceil(n / 1e3));
}

std::string settings_text(const SurveyedRun& run) {
  if (!run.spec) return run.broken;
  std::string out;
  for (const auto& [name, value] : regime(run.spec->settings))
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", name, value);
  return out.empty() ? "defaults" : out;
}

std::string state_text(const SurveyedRun& run) {
  const std::string state(to_string(run.state));
  return run.record && !run.record->ok()
             ? fmt::format("{}, {}", state, to_string(run.record->status))
             : state;
}

Json to_json(const SurveyedRun& run) {
  Json json = {{"id", run.id},
               {"state", to_string(run.state)},
               {"status", run.record ? Json(to_string(run.record->status)) : Json(nullptr)},
               {"task", nullptr},
               {"seed", nullptr},
               {"budget", nullptr},
               {"regime", nullptr},
               {"step", base::or_null(run.step)},
               {"bytes", run.bytes},
               {"weights", run.weights},
               {"broken", run.broken.empty() ? Json(nullptr) : Json(run.broken)}};
  if (run.spec) {
    json["task"] = run.spec->settings.task;
    json["seed"] = base::exact(run.spec->settings.seed);
    json["budget"] = run.spec->settings.budget;
    json["regime"] = Json::object();
    for (const auto& [name, value] : regime(run.spec->settings)) json["regime"][name] = value;
  }
  for (const char* name : {"val_loss", "test_loss"})
    json[name] = base::or_null(run.record ? run.record->value(name) : std::nullopt);
  return json;
}

}  // namespace lab
