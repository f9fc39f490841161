// The answer, in a sentence, from a judged comparison of `none` with the regimes that did best.
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
  Assignments set;                     // its settings, on top of the given ones
  bool plain = true;                   // no regularizer: nothing is shown to do better
  std::string sentence;                // the whole answer
  std::vector<std::string> too_close;  // regimes with an inconclusive difference or none
};

/// The first judged arm that helps, in the order of validation; `none` if no arm does.
/// REQUIRES: report.final; its first arm is `none`.
const ArmReport& advised(const Report& report);

/// `direct`: a comparison of two judged arms that both help, the second one its first arm; null if
/// there are no two. If the arm hurts there, the other is advised.
Advice make_advice(const Report& report, const Report* direct);

/// {advice: {name, assignments, diff, ci, p_holm, direct, too_close, sentence, command}, tried,
/// report}
Json to_json(const Advice& advice, const Report& report, const Report* direct,
             const Halving& halving, const std::string& command);
/// The sentence, the command, what was tried, the judged table.
std::string render_text(const Advice& advice, const Report& report, const Halving& halving,
                        const std::string& command, bool color, std::size_t width);

}  // namespace lab
