// What a model says of every target of an exam.
#pragma once
#include <cstdint>
#include <vector>

#include "train/bound_plan.h"
#include "train/evaluator.h"

namespace train {

/// Of the targets that count, in the exam's order.
struct Predictions {
  TargetKind kind = TargetKind::kClass;
  // kClasses: logarithms of probabilities (n,classes).
  std::size_t classes = 0;
  std::vector<float> scores;
  std::vector<std::int32_t> labels;
  // kNormal: (n) each; of several passes the moments of their mixture.
  std::vector<double> means, sds, targets;
  // (n,classes) probabilities, or (n,2) mean and sd, of whoever knows the data; or empty.
  std::vector<double> truth;
  Examined examined;  // the losses; of several passes those of the mixture

  std::size_t count() const { return kind == TargetKind::kClass ? labels.size() : targets.size(); }
};

/// What is kept of predictions: forecasts with the truth and losses; without the truth, which takes
/// its time; the losses alone; or, instead of the mixture's losses, the mean of the passes' own.
enum class Keep : std::uint8_t { kAll, kForecasts, kLosses, kPassLosses };

/// −log of the density N(mean, sd²) at y, nats.
double normal_nll(double mean, double sd, double y);
/// log(eᵃ + eᵇ)
double log_add(double a, double b);

/// A stretch of an exam's rows, from a whole number of batches on; `to` 0: to the end.
struct RowRange {
  std::int64_t from = 0, to = 0;
};

class Predictor {
 public:
  /// `mode`: kEval, kNoisy or kCorrected, or kTrain for what training computes (without what
  /// regularizers add to the loss). `rows`: of a batch; 0: as many as there is room for.
  Predictor(const Task& task, engine::Params& params, models::GptConfig config, models::Mode mode,
            std::int64_t rows = 0);

  std::size_t arena_bytes() const { return plan_.plan().arena_bytes(); }
  void allocate(std::span<std::byte> arena) { plan_.allocate(arena); }
  std::int64_t batch_rows() const { return plan_.rows(); }

  /// Probabilities averaged over `passes` with masks of the seed `masks`. In kTrain the rows that
  /// fill no whole batch are left out. Of a stretch the same is said as of these rows in the whole.
  Predictions predict(const Exam& exam, std::int64_t passes, std::uint64_t masks, double progress,
                      Keep keep = Keep::kAll, RowRange stretch = {});

 private:
  TargetKind kind_;
  bool whole_;  // batches alone: rows that are padded would count in a batch's statistics
  models::GptConfig config_;
  BoundPlan plan_;
};

}  // namespace train
