// What to do, in a sentence, from a judged comparison of `none` with the regimes that did best.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "lab/advise/halving.h"
#include "lab/report/report.h"

namespace lab {

/// The regimes that are judged: `none`, then the best with dropout and the best without it, the
/// better by validation first. REQUIRES: halving.done().
std::vector<Level> judged_arms(const Halving& halving);

struct Advice {
  std::string name;                    // of the regime
  Assignments set;                     // that it is, on top of the settings that were given
  bool plain = true;                   // no regularizer: nothing is shown to do better
  std::string sentence;                // the whole answer
  std::vector<std::string> too_close;  // regimes of which no difference was told
};

/// The first judged arm that helps, in the order of validation; `none` where none of them does.
/// REQUIRES: report.final; its first arm is `none`.
const ArmReport& advised(const Report& report);

/// `direct`: of two judged arms that both help, as a comparison of its own: the first against the
/// second, its own first arm; null where there are no two. Where it hurts, the other is advised.
Advice make_advice(const Report& report, const Report* direct);

/// {advice: {name, assignments, diff, ci, p_holm, direct, too_close, sentence, command}, tried,
/// report}
Json to_json(const Advice& advice, const Report& report, const Report* direct,
             const Halving& halving, const std::string& command);
/// The sentence, the command, what was tried, the judged table.
std::string render_text(const Advice& advice, const Report& report, const Halving& halving,
                        const std::string& command, bool color, std::size_t width);

}  // namespace lab
