// A study as a file: a claim, how it is put to the test, and the rule that decides, in TOML.
//
//   claim = 4                                  number, title and question
//   title = "…"
//   question = "…"
//   of_text = true                             of a text that is given beside the file
//   [base]       settings, by name             budget = "1000steps"
//   [study]      arms = ["none", "p10: dropout=0.1|0.2"]     as --arm of `isodrop compare`
//                cells = ["post: norm_place=post"]           tables, each with its settings
//                epochs = [1, 256]   axes.n_embd = [32, 64]  as --epochs and --axis
//                shares = [0.5, 1, 2]   equivalent = true    as --shares and --equivalent
//                seeds = 8   tuning_seeds = 2   trials = 5   margin = 0.01
//   [quick]      settings, seeds and tuning_seeds of a first look, which gives no verdict
//   [[figures]]  name = "…"   of = a row of `isodrop list figures`, with what that asks for
//   [rule]       supported = ["… above 0"]     where all hold
//                contradicted = ["… below 0"]  where any does
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "lab/study/study.h"

namespace lab {

/// A figure that is asked for; lab/report/figures.h makes it.
struct FigureSpec {
  std::string name, of;
  std::string arm, cell;  // by their names; empty: the only one there is beside the baseline
  std::vector<std::string> cells;  // of what is over several: settings or names that they have
  std::vector<std::string> on;     // settings, of a slope
  std::string coefficient;
  std::string metric;          // empty: what is judged
  std::string against;         // an arm; empty: the first
  std::string against_metric;  // of that arm; empty: the same
  std::string against_cell;    // where that arm is; empty: in the same cell
  std::string by;              // an arm, of won_back
  std::string source;          // "FILE:LINE:COLUMN", for messages
};

/// "NAME above X", "NAME below X": the whole interval is.
struct Condition {
  std::string figure;
  bool above = true;
  double bound = 0;
};

struct StudyFile {
  std::filesystem::path path;
  std::string hash;  // of the file's bytes
  std::int64_t claim = 0;
  std::string title, question;
  Study study;
  bool quick = false;
  std::vector<FigureSpec> figures;
  std::vector<Condition> supported, contradicted;
};

/// `text`: the path of the text that a study with of_text is of. Throws base::Error with file,
/// line and column: not TOML, an unknown key, a wrong type, a value outside its domain, a rule on a
/// figure that there is not; a text for a study that is of none, or none for one that is.
StudyFile read_study_file(const std::filesystem::path& path, bool quick,
                          const std::string& text = "");

/// "cost above 1"
std::string to_string(const Condition& condition);

/// The study files of a folder, in the order of their names. Throws base::Error.
std::vector<std::filesystem::path> studies_in(const std::filesystem::path& folder);

}  // namespace lab
