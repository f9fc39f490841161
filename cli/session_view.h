// A session on the terminal: a line with a bar and the time left, and the table so far above it.
#pragma once
#include <cstddef>
#include <functional>
#include <string>

#include "base/measure.h"
#include "cli/terminal.h"
#include "lab/runs/processes.h"
#include "lab/session/observer.h"

namespace cli {

class SessionView final : public lab::Observer {
 public:
  void note(const std::string& line) override { line_.note(line); }
  void started(const std::string& what) override { line_.update(what); }
  bool wants_progress() const override { return line_.due(); }
  void progress(const lab::WorkProgress& work) override;
  void table_changed(const lab::Report& so_far) override;
  void phase_ended() override;
  void finished(const lab::Report&) override { line_.finish(); }
  ProgressLine& line() { return line_; }

 private:
  ProgressLine line_;
  base::Stopwatch watch_;
  std::size_t next_ = 1;  // seeds of the next table that a log gets
};

/// Calls `make` and returns its exit code. RunsMissing is printed and becomes kNoRun; Interrupted
/// ends this process. `nothing_written`: of a dry run.
int in_session(SessionView& view, bool nothing_written, const std::function<int()>& make);

/// Says what becomes of what was made, and ends this process as the signal would have, so that a
/// shell's loop stops too.
[[noreturn]] void end_interrupted(const lab::Interrupted& interrupted, ProgressLine& line,
                                  bool nothing_written);

}  // namespace cli
