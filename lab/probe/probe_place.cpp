// Moments, distances and bins of the values of one place.
#include "lab/probe/probe_place.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "lab/stats/stats.h"

namespace lab {
namespace {

constexpr std::size_t kBins = 64;
constexpr double kTail = 0.002;  // of the values lie beyond either end of a histogram

std::array<std::optional<double>, 4> statistics(const CentralMoments& m) {
  return {m.mean(), m.variance(), m.skewness(), m.kurtosis()};
}

std::optional<MaskMean> estimate(const std::vector<double>& values) {
  const auto sample = summarize(values);
  if (!sample) return std::nullopt;
  return MaskMean{sample->mean, sample->sd / std::sqrt(static_cast<double>(sample->n))};
}

/// Range of the middle of two sorted samples together.
void choose_range(std::span<const float> a, std::span<const float> b, ProbeHistogram& h) {
  const auto tail = static_cast<std::size_t>(kTail * static_cast<double>(a.size()));
  h.lo = static_cast<double>(std::min(a[tail], b[tail]));
  h.hi = static_cast<double>(std::max(a[a.size() - 1 - tail], b[b.size() - 1 - tail]));
  const double pad = h.hi > h.lo ? 0.04 * (h.hi - h.lo) : std::max(1e-6, std::abs(h.hi));
  h.lo -= pad;
  h.hi += pad;
}

void count(std::span<const float> values, const ProbeHistogram& h, std::vector<double>& bins) {
  bins.resize(kBins);
  for (const float v : values) {
    const double bin = (static_cast<double>(v) - h.lo) / (h.hi - h.lo) * kBins;
    if (bin >= 0 && bin < kBins) ++bins[static_cast<std::size_t>(bin)];
  }
}

}  // namespace

ValueStream::ValueStream(std::uint64_t values, std::uint64_t most) : subsample_(values, most) {
  sample_.reserve(subsample_.size());
}

void ValueStream::add(std::span<const float> values) {
  moments_.add(values);
  for (; sample_.size() < subsample_.size(); sample_.push_back(values[next_ - seen_])) {
    next_ = subsample_.position(sample_.size());
    if (next_ >= seen_ + values.size()) break;
  }
  seen_ += values.size();
}

void ValueStream::sort() { std::sort(sample_.begin(), sample_.end()); }

void ValueStream::clear() {
  moments_ = {};
  sample_.clear();
  seen_ = 0;
}

ProbePlace::ProbePlace(std::uint64_t values, const ProbeOptions& options)
    : masks_(options.masks),
      evaluation_(values, options.sample),
      training_(values, options.sample) {
  point_.values = values;
  point_.sampled = evaluation_.sample_size();
}

void ProbePlace::end_mask() {
  training_.sort();
  const auto found = statistics(training_.moments());
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i]) training_statistics_[i].push_back(*found[i]);
  const double variance = *evaluation_.moments().variance();
  if (variance > 0) {
    ratio_.push_back(*training_.moments().variance() / variance);
    w1_.push_back(wasserstein1(training_.sample(), evaluation_.sample()) / std::sqrt(variance));
  }
  ProbeHistogram& h = point_.histogram;
  if (h.evaluation.empty()) {
    choose_range(evaluation_.sample(), training_.sample(), h);
    count(evaluation_.sample(), h, h.evaluation);
  }
  count(training_.sample(), h, h.training);
  training_.clear();
}

ProbePoint ProbePlace::take() {
  point_.evaluation = statistics(evaluation_.moments());
  for (std::size_t i = 0; i < training_statistics_.size(); ++i)
    point_.training[i] = estimate(training_statistics_[i]);
  point_.variance_ratio = estimate(ratio_);
  point_.w1 = estimate(w1_);
  const auto all = static_cast<double>(point_.sampled);
  for (double& bin : point_.histogram.evaluation) bin /= all;
  for (double& bin : point_.histogram.training) bin /= all * static_cast<double>(masks_);
  return std::move(point_);
}

}  // namespace lab
