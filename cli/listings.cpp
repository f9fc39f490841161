// The tables of `isodrop list`, each a function that makes its entries.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/study_command.h"
#include "data/tokenizer/tokenizer.h"
#include "lab/report/figures.h"
#include "lab/runs/metrics.h"
#include "lab/study/levels.h"
#include "lab/study/study_file.h"
#include "lab/study/tuning.h"
#include "models/init_table.h"
#include "models/norm_table.h"
#include "models/regularizer_table.h"
#include "ops/activation.h"
#include "train/config/settings.h"
#include "train/tasks/task.h"

namespace cli {
namespace {

std::string text(std::string_view view) { return std::string(view); }

/// "emb, attn; may also act at mlp"
std::string hooks_text(const models::Regularizer& row) {
  if (row.hooks.empty()) return "none: it takes no @HOOK";
  std::vector<models::HookId> others;
  for (const models::HookId hook : row.hooks)
    if (std::find(row.default_hooks.begin(), row.default_hooks.end(), hook) ==
        row.default_hooks.end())
      others.push_back(hook);
  std::string out = base::join(models::names(row.default_hooks));
  if (!others.empty()) out += "; may also act at " + base::join(models::names(others));
  return out;
}

std::vector<ListEntry> regularizers() {
  std::vector<ListEntry> out;
  for (const models::Regularizer& row : models::regularizer_table())
    out.push_back({text(row.name),
                   text(row.help),
                   {{"kind", text(to_string(row.family))},
                    {"constants", text(row.constants)},
                    {"granularity", text(row.granularity)},
                    {"hooks", hooks_text(row)},
                    {"source", text(row.source)}}});
  return out;
}

std::vector<ListEntry> hooks() {
  std::vector<ListEntry> out;
  for (const models::HookId hook : models::kHookIds)
    out.push_back({text(to_string(hook)), text(models::help(hook)), {}});
  return out;
}

std::vector<ListEntry> schedules() {
  std::vector<ListEntry> out;
  for (const models::ScheduleKind& row : models::schedule_kinds())
    out.push_back(
        {text(row.name),
         text(row.help),
         {{"written", fmt::format("~{}{}", row.name, row.takes_fraction ? ":F, F in (0, 1)" : "")},
          {"rate", text(row.formula)},
          {"source", text(row.source)}}});
  return out;
}

/// Tables whose rows are a name, a help line and a source.
template <class Rows>
std::vector<ListEntry> choices(const Rows& rows) {
  std::vector<ListEntry> out;
  for (const auto& row : rows)
    out.push_back({text(row.name), text(row.help), {{"source", text(row.source)}}});
  return out;
}
std::vector<ListEntry> norms() { return choices(models::norm_kinds()); }
std::vector<ListEntry> placements() { return choices(models::placements()); }
std::vector<ListEntry> activations() { return choices(ops::activation_kinds()); }
std::vector<ListEntry> inits() { return choices(models::init_kinds()); }

std::vector<ListEntry> presets() {
  std::vector<ListEntry> out;
  for (const train::Preset& row : train::presets()) {
    std::string values;
    for (const auto& [name, value] : row.values)
      values += fmt::format("{}{}={}", values.empty() ? "" : ", ", name, value);
    out.push_back({text(row.name), text(row.help), {{"settings", values}}});
  }
  return out;
}

std::vector<ListEntry> tokenizers() {
  std::vector<ListEntry> out;
  for (const data::TokenizerKind& row : data::tokenizer_kinds())
    out.push_back({text(row.name),
                   text(row.help),
                   {{"written", text(row.name) + text(row.forms)},
                    {"kept in", row.file.empty() ? "data.json" : text(row.file)}}});
  return out;
}

std::vector<ListEntry> settings() {
  std::vector<ListEntry> out;
  const train::Settings defaults;
  for (const train::Row& row : train::settings_table()) {
    const std::string value = train::value_text(defaults, row);
    out.push_back({text(row.name),
                   text(row.help),
                   {{"value", train::domain_text(row)},
                    {"default", value.empty() ? "not set" : value},
                    {"arms", row.arm_ok() ? "may override it"
                                          : fmt::format("may not override it: {}", row.shared)}}});
  }
  return out;
}

std::vector<ListEntry> tasks() {
  std::vector<ListEntry> out;
  for (const train::TaskKind& row : train::task_kinds())
    out.push_back({text(row.name), text(row.help), {}});
  return out;
}

std::vector<ListEntry> rivals() {
  std::vector<ListEntry> out;
  for (const lab::Rival& row : lab::rivals())
    out.push_back({text(row.name), text(row.help), {{"arm", row.arm(train::Settings{})}}});
  return out;
}

std::vector<ListEntry> metrics() {
  std::vector<ListEntry> out;
  for (const lab::Metric& row : lab::metrics())
    out.push_back({text(row.name),
                   text(row.help),
                   {{"unit", row.unit.empty() ? "none" : text(row.unit)},
                    {"better", text(to_string(row.better))},
                    {"task", row.task.empty() ? "any" : text(row.task)}}});
  return out;
}

std::vector<ListEntry> studies() {
  std::vector<ListEntry> out;
  for (const std::filesystem::path& path : lab::studies_in(studies_folder())) {
    const lab::StudyFile file = lab::read_study_file(path, false);
    const lab::StudySize size = lab::size_of(file.study);
    out.push_back(
        {path.filename().string(),
         file.title,
         {{"question", file.question},
          {"runs", size.tuning > 0
                       ? fmt::format("{} judged, {} and more for tuning", size.judged, size.tuning)
                       : fmt::format("{} judged", size.judged)},
          {"budgets", fmt::format("{:g} of {} each", size.budgets, file.study.base.budget)}}});
  }
  return out;
}

std::vector<ListEntry> figures() {
  std::vector<ListEntry> out;
  for (const lab::FigureKind& row : lab::figure_kinds())
    out.push_back({text(row.name),
                   text(row.help),
                   {{"unit", row.unit.empty() ? "that of the metric" : text(row.unit)}}});
  return out;
}

constexpr Listing kListings[] = {
    {"regularizers", "what reg= takes, with constants, granularity, hooks and source",
     regularizers},
    {"hooks", "where regularizers act", hooks},
    {"schedules", "how a regularizer's rate goes over the budget", schedules},
    {"norms", "what norm= takes", norms},
    {"placements", "what norm_place= takes: where the norms of a block stand", placements},
    {"activations", "what activation= takes, in the MLP's hidden layer", activations},
    {"inits", "what init= takes: how the weights of linear layers start", inits},
    {"tasks", "what task= takes: what is learned", tasks},
    {"rivals", "arms that --arm takes by name, each with what is tuned in it", rivals},
    {"metrics", "what is measured of a run, by its names in records, JSON and CSV", metrics},
    {"studies", "claims that come with isodrop, each put to the test by a file", studies},
    {"figures", "what a study file may ask for in [[figures]]", figures},
    {"tokenizers", "what tokenizer= takes: what a token of a text is", tokenizers},
    {"presets", "sizes, batch and learning rate at once", presets},
    {"settings", "every setting of a run, as flag, in arms and in config.json", settings},
};

}  // namespace

std::span<const Listing> listings() { return kListings; }

}  // namespace cli
