// The runs of a study: lists them, finds those that are done, makes the rest. And the looks at
// them: verdicts shown on growing data err more often than one alone (look_factor() in verdict.h).
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "lab/runs/executor.h"
#include "lab/study/study.h"
#include "train/tasks/task.h"

namespace lab {

class StudyRuns {
 public:
  /// Loads the data, completes what depends on them (the size of the built-in corpus) and reads
  /// which runs are done; writes nothing. `out`: the study's folder, which owns runs with a budget
  /// in seconds. Throws base::Error if settings and data do not go together.
  StudyRuns(Study study, Store store, bool other_builds, const std::filesystem::path& out = {});

  StudyRuns(StudyRuns&&) = default;  // at_ points into runs_: a copy's would point here
  StudyRuns& operator=(StudyRuns&&) = default;

  /// Another study of the same data, which is not loaded again, with the same store and folder.
  StudyRuns with_study(Study study) const {
    return {std::move(study), store_, other_builds_, out_, tasks_};
  }

  const Study& study() const { return study_; }
  const Store& store() const { return store_; }
  bool other_builds() const { return other_builds_; }
  /// What the runs of a cell learn.
  const train::Task& task(std::size_t cell) const { return *tasks_.at(data_key(cell)); }
  /// The study's identity(), which names its folder.
  const Json& identity() const { return identity_; }

  /// All points, and the id of the run at each. Two points may share a run.
  const std::vector<Point>& points() const { return points_; }
  const std::string& id(const Point& point) const { return at_.at(point)->first; }
  const RunSpec& spec(const std::string& id) const { return runs_.at(id).spec; }
  /// The record at a point; null if the run is not done.
  RecordPtr record(const Point& point) const;
  /// Runs in all, each once.
  std::size_t count() const { return runs_.size(); }
  /// Runs without a usable record, each once, by the first point that has it.
  std::vector<Point> missing() const;
  /// The first run that could not be made, with the reason; empty if there is none.
  std::string first_failure() const;
  /// Records by another build, which are not used.
  std::size_t outdated() const { return outdated_; }
  std::string label(const Point& point) const { return lab::label(study_, point); }

  /// Throws base::Error if the missing runs cannot be made: a budget below one step, too little
  /// data, or too little memory for the largest of them `at_once` times (0: memory is not checked).
  void check(std::int64_t at_once = 1) const;
  /// Bytes the largest missing run takes at its peak, in a process of its own.
  std::size_t run_memory() const;
  /// From now on a run without its weights is missing.
  void need_weights();
  bool needs_weights() const { return needs_weights_; }
  /// Makes the missing runs; record() has each before `events` tells of it. Throws Interrupted.
  void make(const Workers& workers, const RunEvents& events);

 private:
  using Tasks = std::map<std::string, std::shared_ptr<const train::Task>>;
  StudyRuns(Study study, Store store, bool other_builds, const std::filesystem::path& out,
            Tasks tasks);
  std::string data_key(std::size_t cell) const;

  struct Run {
    RunSpec spec;
    RecordPtr record;  // null: not done
  };
  using Runs = std::map<std::string, Run>;

  Study study_;
  Store store_;
  bool other_builds_;
  std::filesystem::path out_;
  Tasks tasks_;  // by the settings that make them, without the seed
  std::vector<Point> points_;
  Runs runs_;                                 // by id
  std::map<Point, Runs::const_iterator> at_;  // each point's run
  std::size_t outdated_ = 0;
  bool needs_weights_ = false;
  Json identity_;
};

/// Notes that the verdicts on these runs are shown, and returns which look that is: the most that
/// any of the questions it answers has had. A question is one arm against the baseline in one cell,
/// by the settings of both without the seed; a look is a verdict on seeds that the looks before did
/// not have. Kept in the store. Throws base::Error if it cannot be read or written.
int count_look(const StudyRuns& runs);

}  // namespace lab
