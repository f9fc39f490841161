#include "cli/session_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "base/text.h"
#include "cli/study_command.h"
#include "cli/terminal.h"
#include "lab/session/session.h"

namespace cli {
namespace {

constexpr int kBar = 12;  // characters of the bar

/// One run in full, several by their share alone.
std::string runs_text(const lab::WorkProgress& work) {
  std::string text = fmt::format("run {}/{}", std::min(work.count, work.done + 1), work.count);
  if (work.running.size() == 1)
    return text + fmt::format(" · {} · {}", work.running[0].request.label,
                              progress_text(work.running[0].progress));
  for (const lab::LiveRun& run : work.running)
    text += fmt::format(" | {} · {:.0f} %", run.request.label, 100 * run.progress.fraction);
  return text;
}

/// "[████······]  43 % · 1:20 left"
std::string bar_text(double share, double seconds) {
  std::string bar;
  for (int i = 0; i < kBar; ++i) bar += i < std::lround(share * kBar) ? "█" : "·";
  std::string text = fmt::format("[{}] {:3.0f} %", bar, 100 * share);
  if (share > 0.01) text += fmt::format(" · {} left", duration(seconds * (1 - share) / share));
  return text;
}

/// Whether every arm of every cell has exactly so many seeds.
bool even_seeds(const lab::Report& report, std::size_t seeds) {
  for (const lab::CellReport& cell : report.cells)
    for (const lab::ArmReport& arm : cell.arms)
      if (arm.runs.size() != seeds) return false;
  return true;
}

}  // namespace

void SessionView::progress(const lab::WorkProgress& work) {
  line_.update(fmt::format("{} · {}{}{}", bar_text(work.share, watch_.seconds()), work.phase,
                           work.phase.empty() ? "" : " ", runs_text(work)));
}

void SessionView::table_changed(const lab::Report& so_far) {
  if (so_far.final && !so_far.tuning) return;  // the report itself has more to say
  if (line_.redraws()) return line_.block(lab::render_live(so_far));
  if (!even_seeds(so_far, next_)) return;
  line_.note(lab::render_live(so_far));
  next_ *= 2;
}

void SessionView::phase_ended() {
  line_.block("");
  next_ = 1;
}

int in_session(SessionView& view, bool nothing_written, const std::function<int()>& make) {
  try {
    return make();
  } catch (const lab::RunsMissing& e) {
    view.line().finish();
    fmt::print(stderr, "isodrop: error: {}\n", base::printable(e.what()));
    return kNoRun;
  } catch (const lab::Interrupted& e) {
    end_interrupted(e, view.line(), nothing_written);
  }
}

void end_interrupted(const lab::Interrupted& interrupted, ProgressLine& line,
                     bool nothing_written) {
  line.finish();
  fmt::print(stderr, "isodrop: {}; {}\n", interrupted.what(),
             nothing_written ? "nothing was written"
                             : "finished runs are kept; run the same command again to go on");
  std::fflush(nullptr);
  std::signal(interrupted.signal, SIG_DFL);
  std::raise(interrupted.signal);
  std::_Exit(128 + interrupted.signal);
}

}  // namespace cli
