#include "lab/runs/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/error.h"
#include "lab/runs/make.h"
#include "lab/runs/processes.h"

namespace lab {
namespace {

class Execution {
 public:
  Execution(const std::vector<RunRequest>& requests, const Store& store, const Workers& workers,
            const RunEvents& events)
      : requests_(requests), store_(store), workers_(workers), events_(events) {
    for (std::size_t i = 0; i < requests.size(); ++i) left_.push_back(i);
    for (std::int64_t slot = 0; slot < workers.count; ++slot) free_.insert(slot);
  }

  void finish_all() {
    while (!left_.empty() || !busy_.empty() || processes_.running() > 0) {
      if (!free_.empty() && (!left_.empty() || !busy_.empty()))
        start_next();
      else if (const auto news = processes_.wait())
        news->end ? ended(news->number, *news->end) : said(news->number, news->line);
    }
  }

 private:
  struct Live {
    std::int64_t slot = 0;
    std::optional<train::Progress> progress;
  };

  void start_next() {
    // What others are making comes last, and is then waited for.
    const bool waits = left_.empty();
    std::deque<std::size_t>& from = waits ? busy_ : left_;
    const std::size_t index = from.front();
    from.pop_front();
    if (const auto record = there(requests_[index].id)) {
      if (events_.done) events_.done(*record);
      return;
    }
    const std::int64_t slot = *free_.begin();
    std::vector<std::string> command = workers_.command(store_, requests_[index], slot);
    if (!waits) command.emplace_back("--no-wait");
    processes_.start(index, command);
    free_.erase(slot);
    live_[index] = {slot, {}};
  }

  /// Made by others since somebody asked.
  std::optional<RunRecord> there(const std::string& id) const {
    try {
      return find_made(store_, id, {true, workers_.other_builds, workers_.keep_weights});
    } catch (const base::Error&) {
      return {};  // the process that is then started says what is wrong
    }
  }

  void said(std::size_t index, const std::string& line) {
    const Json json = Json::parse(line, nullptr, false);
    base::require(json.is_object() && json.contains("event"),
                  "a worker printed a line that is not an event: ", line);
    if (json["event"] == event::kWaiting) note(index, "another process is making it; waiting");
    if (json["event"] != event::kProgress) return;
    live_.at(index).progress = progress_from_json(json);
    if (!events_.progress) return;
    std::vector<LiveRun> live;
    for (const auto& [i, run] : live_)
      if (run.progress) live.push_back({requests_[i], *run.progress});
    events_.progress(live);
  }

  void ended(std::size_t index, const Ending& end) {
    free_.insert(live_.at(index).slot);
    live_.erase(index);
    if (end.signal == 0 && end.code == kRunBusy) {
      if (workers_.wait) busy_.push_back(index);
      return;
    }
    const RunRecord record = outcome(requests_[index].id, end);
    if (record.status == Status::kFailed)
      note(index, fmt::format("failed: {}; the same command makes it again", record.error));
    if (record.status == Status::kDiverged)
      note(index, fmt::format("diverged at step {:.0f} (learning rate {:.3g})",
                              record.value("diverged_at").value_or(0),
                              record.value("diverged_lr").value_or(0)));
    if (events_.done) events_.done(record);
  }

  RunRecord outcome(const std::string& id, const Ending& end) const {
    RunRecord failed;
    failed.id = id;
    failed.status = Status::kFailed;
    if (end.signal != 0 || (end.code != 0 && end.code != kRunDiverged)) {
      failed.error = end.reason();
      return failed;
    }
    try {
      const auto record = store_.find(id);
      if (record && usable(*record, workers_.other_builds)) return *record;
      failed.error = record ? "the program has been replaced by another build meanwhile"
                            : "its process left no record";
    } catch (const base::Error& e) {
      failed.error = e.what();
    }
    return failed;
  }

  void note(std::size_t index, const std::string& text) const {
    if (events_.note) events_.note(requests_[index].label + ": " + text);
  }

  const std::vector<RunRequest>& requests_;
  const Store& store_;
  const Workers& workers_;
  const RunEvents& events_;
  std::deque<std::size_t> left_, busy_;
  std::set<std::int64_t> free_;  // slots
  std::map<std::size_t, Live> live_;
  Processes processes_;
};

}  // namespace

Json to_json(const train::Progress& p) {
  return {{"event", event::kProgress},
          {"step", p.step},
          {"steps", p.steps},
          {"tokens", p.spent.tokens},
          {"flops", p.spent.flops},
          {"seconds", p.spent.seconds},
          {"fraction", p.fraction},
          {"train_loss", base::or_null(p.train_loss)},
          {"val_loss", base::or_null(p.val_loss)},
          {"lr", p.lr},
          {"grad_norm", base::or_null(p.grad_norm)}};
}

train::Progress progress_from_json(const Json& j) {
  const auto number = [&](const char* key) {
    return j.contains(key) && j[key].is_number() ? j[key].get<double>() : 0.0;
  };
  train::Progress p;
  p.step = static_cast<std::int64_t>(number("step"));
  p.steps = static_cast<std::int64_t>(number("steps"));
  p.spent = {p.step, number("tokens"), number("flops"), number("seconds"), 0};
  p.fraction = number("fraction");
  p.train_loss = number("train_loss");
  if (j.contains("val_loss") && j["val_loss"].is_number()) p.val_loss = number("val_loss");
  p.lr = number("lr");
  p.grad_norm = number("grad_norm");
  return p;
}

std::int64_t Workers::share(std::int64_t slot) const {
  return std::max<std::int64_t>(1, threads / count + (slot < threads % count ? 1 : 0));
}

std::vector<std::string> Workers::command(const Store& store, const RunRequest& request,
                                          std::int64_t slot) const {
  const std::filesystem::path spec =
      request.spec.empty() ? store.spec_file(request.id) : request.spec;
  std::vector<std::string> words = {program,
                                    "run",
                                    spec.string(),
                                    "--store",
                                    store.root().string(),
                                    "--threads",
                                    std::to_string(share(slot)),
                                    "--format",
                                    "json"};
  if (other_builds) words.emplace_back("--other-builds");
  if (keep_weights) words.emplace_back("--keep-weights");
  return words;
}

void execute(const std::vector<RunRequest>& requests, const Store& store, const Workers& workers,
             const RunEvents& events) {
  Execution(requests, store, workers, events).finish_all();
}

}  // namespace lab
