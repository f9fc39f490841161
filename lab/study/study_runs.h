// The runs of a study: which there are, which are done, and making the rest.
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
  /// Loads the data, completes what hangs on them (the size of the built-in corpus) and reads which
  /// runs are done; writes nothing. Throws base::Error where settings and data do not go
  /// together.
  /// `out`: the study's folder, to which runs with a budget in seconds belong.
  StudyRuns(Study study, Store store, bool other_builds, const std::filesystem::path& out = {});

  StudyRuns(StudyRuns&&) = default;  // at_ points into runs_: a copy's would point here
  StudyRuns& operator=(StudyRuns&&) = default;

  /// Another study of the same data, which are not loaded again; its store, folder and builds.
  StudyRuns anew(Study study) const {
    return {std::move(study), store_, other_builds_, out_, tasks_};
  }

  const Study& study() const { return study_; }
  const Store& store() const { return store_; }
  bool other_builds() const { return other_builds_; }
  /// What the runs of a cell learn.
  const train::Task& task(std::size_t cell) const { return *tasks_.at(data_key(cell)); }
  /// Of identity(), which names the study's own folder.
  const Json& identity() const { return identity_; }

  /// All points, and the id of the run at each. Two points may share a run.
  const std::vector<Point>& points() const { return points_; }
  const std::string& id(const Point& point) const { return at_.at(point)->first; }
  const RunSpec& spec(const std::string& id) const { return runs_.at(id).spec; }
  /// The record at a point; null where the run is not done.
  RecordPtr record(const Point& point) const;
  /// Runs in all, each once.
  std::size_t count() const { return runs_.size(); }
  /// Those without a record that may be used, each once, by the first point that has it.
  std::vector<Point> missing() const;
  /// The first run that could not be made, with the reason; empty where there is none.
  std::string first_failure() const;
  /// Records that are there, but made by another build and so not used.
  std::size_t outdated() const { return outdated_; }
  std::string label(const Point& point) const { return lab::label(study_, point); }

  /// Throws base::Error where the missing runs cannot be made: a budget below one step, too
  /// little data, or too little memory for the largest of them `at_once` times (0: memory is not
  /// asked).
  void check(std::int64_t at_once = 1) const;
  /// Bytes the largest missing run takes at its peak, in a process of its own.
  std::size_t run_memory() const;
  /// From now on runs are wanted with their weights: those that are there without are missing.
  void need_weights();
  bool needs_weights() const { return needs_weights_; }
  /// Makes the missing runs; the records have each before `events` tell of it. Throws Interrupted.
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
  Tasks tasks_;  // by the settings that make them, but for the seed
  std::vector<Point> points_;
  Runs runs_;                                 // by id
  std::map<Point, Runs::const_iterator> at_;  // each point's run
  std::size_t outdated_ = 0;
  bool needs_weights_ = false;
  Json identity_;
};

}  // namespace lab
