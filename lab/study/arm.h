// The arms of a comparison: each a name and the settings that differ.
//
//   ARM    = [NAME ':'] ITEM {',' ITEM}
//   ITEM   = SETTING '=' VALUE       any setting whose row in the table allows it
//          | SETTING '=' VALUE {'|' VALUE}   one of which tuning chooses (tuning.h)
//          | 'none'                  first only: every regularizer off; weight decay, a setting of
//                                    the optimizer, stays
//   NAME   = letters, digits, '_', '.', '-'
//
// A ':' ends a name only if no '=' comes before it, so values may hold colons:
// "reg=dropout:0.1@attn" has no name. The name of an arm without one is its text.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lab/study/study.h"

namespace lab {

struct Arm {
  std::string name;
  std::vector<std::pair<std::string, std::string>> overrides;  // in order, values canonical
  train::Settings settings;                                    // base with the overrides
  Grid grid;  // what is tuned; `settings` have the first values
};

/// Throws Error: unknown arm or setting, one that no arm may override, a setting twice, no value,
/// or settings that do not go together.
Arm parse_arm(std::string_view text, const train::Settings& base);

/// Throws base::Error naming `source` if a setting is the same for a whole study.
void require_of_cells(std::string_view setting, const std::string& source);

/// Cells of a study, each [NAME:] SETTING=VALUE{,SETTING=VALUE}. Throws Error as for arms, and if a
/// setting is the same for a whole study.
std::vector<Level> parse_cells(std::span<const std::string> texts, const train::Settings& base);

/// "SETTING=V1,V2[,...]" of --tune. Throws Error: what an arm may not set, a value outside the
/// setting's domain or given twice, a share of the budget above 1.
Alternatives parse_tune(std::string_view text);

/// The same for several, whose names must differ.
std::vector<Arm> parse_arms(std::span<const std::string> texts, const train::Settings& base);
/// Throws base::Error if two have the same name. `what`: "arms" or "cells".
void require_own_names(std::span<const Arm> arms, std::string_view what = "arms");

}  // namespace lab
