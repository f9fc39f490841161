#include "train/evaluator.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>

#include "ops/ops.h"

namespace train {
namespace {

engine::Plan record(const Task& task, engine::Params& params, const models::GptConfig& config,
                    std::int64_t rows, models::Mode mode, models::Output output, bool recompute,
                    Recorded& values) {
  engine::Tape tape(params);
  values = task.record(tape, config, rows, mode, output);
  engine::PlanOptions options;
  options.training = mode == models::Mode::kTrain && output == models::Output::kLoss;
  options.tuning = engine::Tuning::of_environment();
  if (options.training) options.keep = {values.reported};
  if (output == models::Output::kLogits) options.keep.push_back(values.outputs);
  options.recompute = recompute;
  return {std::move(tape), options.training ? values.loss : values.reported, options};
}

constexpr std::int64_t kTokens = 2048;  // of a batch, about

constexpr std::int64_t kMostScores = std::int64_t{1} << 22;  // of a batch

std::int64_t rows_of_batch(const models::GptConfig& c) {
  return std::clamp<std::int64_t>(kMostScores / (c.block_size * c.vocab), 1, evaluation_rows(c));
}

/// log Σ exp of a row.
double log_sum(std::span<const double> x) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const double v : x) sum += std::exp(v - top);
  return top + std::log(sum);
}

/// What passes say of one batch, added up; `forecasts`: scores, or means and sds, too.
class Mixture {
 public:
  Mixture(TargetKind kind, std::size_t targets, std::size_t width, bool forecasts)
      : kind_(kind),
        width_(width),
        forecasts_(forecasts),
        sums_(forecasts ? targets * width : 0),
        likelihoods_(targets),
        own_(targets) {}

  void clear() {
    std::fill(sums_.begin(), sums_.end(), 0.0);
    std::fill(likelihoods_.begin(), likelihoods_.end(), -std::numeric_limits<double>::infinity());
    std::fill(own_.begin(), own_.end(), 0.0);
    passes_ = 0;
  }

  /// `outputs` (targets,width), of target i where it counts.
  template <class Counts>
  void add(const float* outputs, const std::int32_t* labels, const float* targets,
           const Counts& counts) {
    std::vector<double> z(width_);
    for (std::size_t i = 0; i < own_.size(); ++i) {
      if (!counts(i)) continue;
      double* sum = forecasts_ ? &sums_[i * width_] : nullptr;
      const float* out = outputs + i * width_;
      double loss = 0;
      if (kind_ == TargetKind::kClass) {
        z.assign(out, out + width_);
        const double all = log_sum(z);
        for (std::size_t v = 0; forecasts_ && v < width_; ++v) sum[v] += std::exp(z[v] - all);
        loss = all - z[static_cast<std::size_t>(labels[i])];
      } else {
        const double mean = static_cast<double>(out[0]),
                     sd = ops::normal_sigma(static_cast<double>(out[1]));
        if (forecasts_) {  // Welford's, so that means far from 0 leave their spread its digits
          const double off = mean - sum[0];
          sum[0] += off / (passes_ + 1);
          sum[1] += sd * sd + off * (mean - sum[0]);
        }
        loss = normal_nll(mean, sd, static_cast<double>(targets[i]));
      }
      likelihoods_[i] = log_add(likelihoods_[i], -loss);
      own_[i] += loss;
    }
    ++passes_;
  }

  double loss(std::size_t i, bool each) const {
    return each || passes_ == 1 ? own_[i] / passes_ : std::log(passes_) - likelihoods_[i];
  }
  /// kClasses: log probabilities.
  void scores(std::size_t i, std::vector<float>& out) const {
    for (std::size_t v = 0; v < width_; ++v)
      out.push_back(static_cast<float>(
          std::log(std::max(sums_[i * width_ + v] / passes_, std::numeric_limits<double>::min()))));
  }
  double mean(std::size_t i) const { return sums_[i * width_]; }
  double sd(std::size_t i) const { return std::sqrt(sums_[i * width_ + 1] / passes_); }

 private:
  TargetKind kind_;
  std::size_t width_;
  bool forecasts_;
  // sums_ of probabilities; of kNormal the mean, and the sum of variances and squared deviations.
  std::vector<double> sums_, likelihoods_, own_;  // likelihoods_: logarithms of their sums
  double passes_ = 0;
};

}  // namespace

BoundPlan::BoundPlan(const Task& task, engine::Params& params, const models::GptConfig& config,
                     std::int64_t rows, models::Mode mode, models::Output output, bool recompute)
    : rows_(rows), plan_(record(task, params, config, rows, mode, output, recompute, values_)) {}

void BoundPlan::allocate(std::span<std::byte> arena) {
  for (const engine::Ref input : values_.inputs) {
    const auto numbers = static_cast<std::size_t>(plan_.tape().shape(input).numel());
    memory_.emplace_back(numbers * sizeof(std::int32_t));
    std::memset(memory_.back().data(), 0, memory_.back().size());
    inputs_.push_back(memory_.back().data());
    plan_.bind(input, inputs_.back());
  }
  plan_.lend(arena);
}

const void* BoundPlan::targets() const {
  const auto& all = values_.inputs;
  const auto at = std::find_if(all.begin(), all.end(),
                               [&](engine::Ref r) { return r.id == values_.targets.id; });
  return inputs_.at(static_cast<std::size_t>(at - all.begin()));
}

void BoundPlan::repeat_rows(std::int64_t passes) {
  for (const engine::Buffer& input : memory_) {
    const std::size_t bytes = input.size() / static_cast<std::size_t>(rows_);
    for (std::int64_t row = rows_ - 1; row > 0; --row)
      if (row != row / passes)
        std::memcpy(input.data() + static_cast<std::size_t>(row) * bytes,
                    input.data() + static_cast<std::size_t>(row / passes) * bytes, bytes);
  }
}

std::int64_t evaluation_rows(const models::GptConfig& config) {
  return std::max<std::int64_t>(1, kTokens / config.block_size);
}

Evaluator::Evaluator(const Task& task, engine::Params& params, const models::GptConfig& config,
                     models::Mode mode)
    : plan_(task, params, config, evaluation_rows(config), mode) {}

Examined Evaluator::examine(const Exam& exam, double progress) {
  Examined out;
  out.windows.reserve(static_cast<std::size_t>(exam.rows()));
  double sum = 0;
  for (std::int64_t first = 0; first < exam.rows(); first += plan_.rows()) {
    exam.fill(first, plan_.rows(), plan_.inputs());
    plan_.plan().forward({.progress = progress});
    for (std::int64_t row = 0; row < std::min(plan_.rows(), exam.rows() - first); ++row) {
      const double loss = plan_.reported(row);
      sum += loss * static_cast<double>(exam.tokens(first + row));
      out.windows.push_back(static_cast<float>(loss));
    }
  }
  out.loss = sum / static_cast<double>(exam.tokens());
  return out;
}

Recalibration::Recalibration(const Task& task, engine::Params& params,
                             const models::GptConfig& config, std::int64_t rows)
    : params_(params), plan_(task, params, config, rows, models::Mode::kRecalibrate) {}

void Recalibration::run(Feed& feed, double progress) {
  params_.reset_state();
  for (std::int64_t step = 0; step < kBatches; ++step) {
    feed.fill(static_cast<std::uint64_t>(step), 0, plan_.rows(), plan_.inputs());
    plan_.plan().forward({.progress = progress});
  }
}

double normal_nll(double mean, double sd, double y) {
  const double off = (y - mean) / sd;
  return 0.5 * (std::log(2 * std::numbers::pi * sd * sd) + off * off);
}

double log_add(double a, double b) {
  const double top = std::max(a, b);
  return std::isinf(top) ? top : top + std::log(std::exp(a - top) + std::exp(b - top));
}

Predictor::Predictor(const Task& task, engine::Params& params, models::GptConfig config,
                     models::Mode mode, std::int64_t rows)
    : kind_(task.target_kind()),
      whole_(mode == models::Mode::kTrain),
      config_(models::without_losses(std::move(config))),
      plan_(task, params, config_, rows > 0 ? rows : rows_of_batch(config_), mode,
            models::Output::kLogits) {}

Predictions Predictor::predict(const Exam& exam, std::int64_t passes, std::uint64_t masks,
                               double progress, Keep keep, RowRange stretch) {
  Predictions out;
  out.kind = kind_;
  const std::int64_t rows = plan_.rows();
  const engine::View outputs = plan_.outputs();
  const auto width = static_cast<std::size_t>(outputs.shape->back());
  const auto time = static_cast<std::size_t>(outputs.shape->numel() / rows) / width;
  if (kind_ == TargetKind::kClass) out.classes = width;
  const auto* labels = static_cast<const std::int32_t*>(plan_.targets());
  const auto* targets = static_cast<const float*>(plan_.targets());
  const auto counts = [&](std::size_t i) {
    return kind_ == TargetKind::kClass ? labels[i] >= 0 : !std::isnan(targets[i]);
  };
  const bool forecasts = keep == Keep::kAll || keep == Keep::kForecasts;
  Mixture mixture(kind_, static_cast<std::size_t>(rows) * time, width, forecasts);
  double sum = 0, counted = 0;
  const std::int64_t end = stretch.to > 0 ? std::min(stretch.to, exam.rows()) : exam.rows();
  for (std::int64_t first = stretch.from; first < end; first += rows) {
    if (whole_ && first > 0 && first + rows > exam.rows()) break;
    exam.fill(first, rows, plan_.inputs());
    mixture.clear();
    for (std::int64_t pass = 0; pass < passes; ++pass) {
      plan_.plan().forward(
          {masks, static_cast<std::uint64_t>(pass), static_cast<std::uint64_t>(first), progress});
      mixture.add(outputs.f32(), labels, targets, counts);
    }
    for (std::int64_t row = 0; row < std::min(rows, end - first); ++row) {
      const std::vector<double> truth =
          keep == Keep::kAll ? exam.truth(first + row) : std::vector<double>{};
      double window = 0;
      for (std::size_t t = 0; t < time; ++t) {
        const std::size_t i = static_cast<std::size_t>(row) * time + t;
        if (!counts(i)) continue;
        window += mixture.loss(i, keep == Keep::kPassLosses);
        if (!forecasts) continue;
        if (kind_ == TargetKind::kClass) {
          mixture.scores(i, out.scores);
          out.labels.push_back(labels[i]);
        } else {
          out.means.push_back(mixture.mean(i));
          out.sds.push_back(mixture.sd(i));
          out.targets.push_back(static_cast<double>(targets[i]));
        }
        if (!truth.empty())
          out.truth.insert(out.truth.end(), truth.begin() + static_cast<std::ptrdiff_t>(t * width),
                           truth.begin() + static_cast<std::ptrdiff_t>((t + 1) * width));
      }
      const auto n = static_cast<double>(std::max<std::int64_t>(1, exam.tokens(first + row)));
      out.examined.windows.push_back(static_cast<float>(window / n));
      sum += window;
      counted += static_cast<double>(exam.tokens(first + row));
    }
  }
  out.examined.loss = sum / counted;
  return out;
}

}  // namespace train
