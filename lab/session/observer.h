// The events of a session, for everything that shows or keeps them: the terminal, the page, a log.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lab/report/report.h"
#include "lab/runs/executor.h"

namespace lab {

/// Progress of the runs that are being made.
struct WorkProgress {
  std::string_view phase;            // "tuning", "trying", "judging"; empty: there is one phase
  std::size_t done = 0, count = 0;   // runs of the phase
  std::span<const LiveRun> running;  // in the order they were started
  double share = 0;                  // of all that the session trains, in [0, 1]
};

/// A listener. Every call has a default that does nothing.
class Observer {
 public:
  virtual ~Observer() = default;
  /// A line worth keeping: a choice, a warning.
  virtual void note(const std::string& /*line*/) {}
  /// The session begins something that takes seconds and makes no run.
  virtual void started(const std::string& /*what*/) {}
  /// Whether progress() would show anything now; asked before the progress is put together.
  virtual bool wants_progress() const { return false; }
  virtual void progress(const WorkProgress& /*work*/) {}
  virtual void run_done(const RunRecord& /*record*/) {}
  /// The table after a run: Report::final is false while runs are missing.
  virtual void table_changed(const Report& /*so_far*/) {}
  /// A phase has ended: it makes no more progress.
  virtual void phase_ended() {}
  virtual void finished(const Report& /*report*/) {}
};

/// Passes everything on to several observers, in order.
class Observers final : public Observer {
 public:
  /// REQUIRES: `observer` outlives this.
  void add(Observer& observer) { all_.push_back(&observer); }
  void note(const std::string& line) override { each(&Observer::note, line); }
  void started(const std::string& what) override { each(&Observer::started, what); }
  bool wants_progress() const override;
  void progress(const WorkProgress& work) override { each(&Observer::progress, work); }
  void run_done(const RunRecord& record) override { each(&Observer::run_done, record); }
  void table_changed(const Report& so_far) override { each(&Observer::table_changed, so_far); }
  void phase_ended() override { each(&Observer::phase_ended); }
  void finished(const Report& report) override { each(&Observer::finished, report); }

 private:
  template <class Call, class... Args>
  void each(Call call, const Args&... args) {
    for (Observer* o : all_) (o->*call)(args...);
  }
  std::vector<Observer*> all_;
};

/// Keeps the report's page up to date while a session runs.
class PageWriter final : public Observer {
 public:
  /// `path`: report.html. `notes` hears, once, that the page cannot be written for now.
  PageWriter(std::filesystem::path path, Observer& notes) : path_(std::move(path)), notes_(notes) {}
  void table_changed(const Report& so_far) override;

 private:
  std::filesystem::path path_;
  Observer& notes_;
  bool failed_ = false;
};

}  // namespace lab
