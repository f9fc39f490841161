#include "lab/study/parallel_runs.h"

#include <cstring>
#include <map>
#include <set>
#include <type_traits>

#include "engine/error.h"
#include "engine/parallel.h"
#include "lab/runs/worker_pool.h"
#include "train/files.h"

namespace lab {
namespace {

// A message of a run: what it is, then a note's text or the bytes of a Progress, which both sides
// of a fork read alike.
constexpr char kNote = 'n', kProgress = 'p';
static_assert(std::is_trivially_copyable_v<train::Progress>);

class ParallelRuns {
 public:
  ParallelRuns(Comparison& comparison, const Jobs& jobs, const ComparisonEvents& events)
      : comparison_(comparison),
        jobs_(jobs),
        events_(events),
        left_(comparison.missing()),
        count_(comparison.keys().size()),
        done_(count_ - left_.size()),
        first_(done_ + 1) {
    for (std::int64_t slot = 0; slot < jobs.count; ++slot) free_.insert(slot);
  }

  void make_all() {
    try {
      for (std::size_t next = 0; next < left_.size() || pool_.running() > 0;) {
        if (next < left_.size() && !free_.empty())
          start(next++);
        else if (const auto event = pool_.wait())
          handle(*event);
      }
    } catch (const Interrupted&) {
      for (const auto& [index, run] : live_) clean_up(index, run.pid);
      throw;
    }
  }

 private:
  struct Live {
    std::int64_t slot = 0;
    pid_t pid = -1;
    std::optional<train::Progress> progress;
  };

  void start(std::size_t index) {
    const std::int64_t slot = *free_.begin();
    const pid_t pid = pool_.start(index, [&](const WorkerPool::Tell& tell) {
      omp_set_num_threads(static_cast<int>(jobs_.share(slot)));
      RunEvents say;
      say.note = [&](const std::string& text) { tell(std::string(1, kNote).append(text)); };
      say.progress = [&](const train::Progress& p) {
        tell(std::string(1, kProgress).append(reinterpret_cast<const char*>(&p), sizeof p));
      };
      comparison_.make_run(left_[index], say);
    });
    free_.erase(slot);
    live_[index] = {slot, pid, {}};
  }

  void handle(const WorkerPool::Event& event) {
    if (event.end) return finish(event.worker, *event.end);
    if (event.message[0] == kNote) {
      if (events_.note) events_.note(event.message.substr(1));
      return;
    }
    train::Progress progress;
    std::memcpy(&progress, event.message.data() + 1, sizeof progress);
    live_.at(event.worker).progress = progress;
    if (!events_.progress) return;
    std::vector<RunningRun> running;
    for (const auto& [index, run] : live_)
      if (run.progress)
        running.push_back({first_ + index, comparison_.label(left_[index]), *run.progress});
    events_.progress(done_, count_, running);
  }

  void finish(std::size_t index, const WorkerEnd& end) {
    const RunKey& key = left_[index];
    free_.insert(live_.at(index).slot);
    live_.erase(index);
    ++done_;
    if (!end.ok()) {
      clean_up(index, end.pid);
      return comparison_.fail(key, end.reason(), events_);
    }
    try {
      const auto record = comparison_.store().load(comparison_.folder(key));
      engine::require(record.has_value(), "its process left no result");
      comparison_.store().records[key] = *record;
    } catch (const engine::Error& e) {
      comparison_.fail(key, e.what(), events_);
    }
  }

  void clean_up(std::size_t index, pid_t pid) const {
    train::remove_temporaries(comparison_.folder(left_[index]), pid);
  }

  Comparison& comparison_;
  const Jobs& jobs_;
  const ComparisonEvents& events_;
  const std::vector<RunKey> left_;
  const std::size_t count_;
  std::size_t done_;
  const std::size_t first_;  // number of the first that is missing
  std::set<std::int64_t> free_;
  std::map<std::size_t, Live> live_;  // by index in left_
  WorkerPool pool_;
};

}  // namespace

void run_in_processes(Comparison& comparison, const Jobs& jobs, const ComparisonEvents& events) {
  if (const std::string text = comparison.resumed(); events.note && !text.empty())
    events.note(text);
  if (!comparison.missing().empty()) ParallelRuns(comparison, jobs, events).make_all();
}

}  // namespace lab
