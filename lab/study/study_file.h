// A study as a TOML file: a claim, how it is tested, and the rule that decides.
//
//   claim = 4                                  number, title and question
//   title = "…"
//   question = "…"
//   of_text = true                             needs a text, given with --text
//   [base]       settings, by name             budget = "1000steps"
//   [study]      arms = ["none", "p10: dropout=0.1|0.2"]     as --arm of `isodrop compare`
//                cells = ["post: norm_place=post"]           tables, each with its settings
//                epochs = [1, 256]   axes.n_embd = [32, 64]  as --epochs and --axis
//                shares = [0.5, 1, 2]   equivalent = true    as --shares and --equivalent
//                seeds = 8   tuning_seeds = 2   trials = 5   margin = 0.01
//   [quick]      settings, seeds and tuning_seeds of a first look, which gives no verdict
//   [[figures]]  name = "…"   of = a row of `isodrop list figures`, with what that asks for
//   [rule]       supported = ["… above 0"]     if all hold
//                contradicted = ["… below 0"]  if any holds
#pragma once
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "lab/study/study.h"

namespace lab {

/// An estimate to make; lab/report/figures.h makes it.
struct FigureSpec {
  std::string name, of;
  std::string arm, cell;           // by name; empty: the only one beside the baseline
  std::vector<std::string> cells;  // for an estimate over several: their settings or names
  std::vector<std::string> on;     // settings, of a slope
  std::string coefficient;
  std::string metric;          // empty: what is judged
  std::string against;         // an arm; empty: the first
  std::string against_metric;  // of that arm; empty: the same
  std::string against_cell;    // the cell of that arm; empty: the same
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

/// `text`: the path of the text of a study with of_text. Throws base::Error with file, line and
/// column: not TOML, an unknown key, a wrong type, a value outside its domain, a rule on a figure
/// that does not exist; a text that the study does not take, or none if it needs one.
StudyFile read_study_file(const std::filesystem::path& path, bool quick,
                          const std::string& text = "");

/// "cost above 1"
std::string to_string(const Condition& condition);

/// The study files of a folder, in the order of their names. Throws base::Error.
std::vector<std::filesystem::path> studies_in(const std::filesystem::path& folder);

}  // namespace lab
