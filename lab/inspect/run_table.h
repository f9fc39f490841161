// The runs of a store and those of 'isodrop train', as a table that can be sorted and filtered.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text_table.h"
#include "lab/runs/survey.h"

namespace lab {

struct ListedRun {
  SurveyedRun run;         // of 'isodrop train': its id is its folder
  std::string text;        // name of the file it learns from; "built-in"
  std::string comparison;  // name of the folder whose report has it; empty: none
  std::int64_t time = 0;   // when it was last written, seconds since 1970
};

/// "run", "date", "state", ..., of the table and of --sort and --filter.
std::vector<std::string_view> run_columns();
/// What a column says of a run; of an unknown column throws base::Error.
std::string run_field(const ListedRun& run, std::string_view column);

/// The store's runs, if it is there, and those of 'isodrop train' up to three folders below `out`.
/// Throws base::Error if neither is there.
std::vector<ListedRun> listed_runs(const Store& store, const std::filesystem::path& out);

/// Keeps the runs that have the text in the column, for every pair.
void filter_runs(std::vector<ListedRun>& runs,
                 const std::vector<std::pair<std::string, std::string>>& filters);
/// The newest first by date; by losses the lowest, by size and step the largest; else by text.
void sort_runs(std::vector<ListedRun>& runs, std::string_view column);

/// The table, no wider than `width` (0: any): what says least is left out, settings are cut.
std::string runs_text(const std::vector<ListedRun>& runs, std::size_t width);
Json to_json(const ListedRun& run);

/// "1.3 MB"
std::string size_text(std::uintmax_t bytes);
/// "n_layer=2 dropout=0.1": settings that are not their default.
std::string settings_text(const SurveyedRun& run);
std::string state_text(const SurveyedRun& run);

/// {id, state, status, task, seed, budget, regime, step, bytes, weights, broken, val_loss,
/// test_loss}
Json to_json(const SurveyedRun& run);

}  // namespace lab
