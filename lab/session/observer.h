// What happens in a session, told to everyone who shows or keeps it: the terminal, the page, a log.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lab/report/report.h"
#include "lab/runs/executor.h"

namespace lab {

/// How far the runs that are being made have come.
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
  /// Whether progress() would show anything now; it is asked before the progress is put together.
  virtual bool wants_progress() const { return false; }
  virtual void progress(const WorkProgress& /*work*/) {}
  virtual void run_done(const RunRecord& /*record*/) {}
  /// The table after a run: Report::final is false while runs are missing.
  virtual void table_changed(const Report& /*so_far*/) {}
  /// A phase has ended: no more progress comes of it.
  virtual void phase_ended() {}
  virtual void finished(const Report& /*report*/) {}
};

/// Passes everything on to several observers, in order.
class Observers final : public Observer {
 public:
  /// REQUIRES: `observer` outlives this.
  void add(Observer& observer) { all_.push_back(&observer); }
  void note(const std::string& line) override {
    each([&](Observer& o) { o.note(line); });
  }
  void started(const std::string& what) override {
    each([&](Observer& o) { o.started(what); });
  }
  bool wants_progress() const override {
    for (const Observer* o : all_)
      if (o->wants_progress()) return true;
    return false;
  }
  void progress(const WorkProgress& work) override {
    each([&](Observer& o) { o.progress(work); });
  }
  void run_done(const RunRecord& record) override {
    each([&](Observer& o) { o.run_done(record); });
  }
  void table_changed(const Report& so_far) override {
    each([&](Observer& o) { o.table_changed(so_far); });
  }
  void phase_ended() override {
    each([](Observer& o) { o.phase_ended(); });
  }
  void finished(const Report& report) override {
    each([&](Observer& o) { o.finished(report); });
  }

 private:
  template <class F>
  void each(const F& f) {
    for (Observer* o : all_) f(*o);
  }
  std::vector<Observer*> all_;
};

}  // namespace lab
