// Moments and distances of samples of values, and how evenly a run went. Pure functions, in double,
// the same bits for any number of threads.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lab {

/// Central moments of a stream of values: count, mean, and sums of powers of the deviations from
/// it. Chunks of fixed size are summed in two passes and joined by Pébay 2008 (Sandia report
/// SAND2008-6212, equations 2.1 and 3.1), so that nothing cancels.
class CentralMoments {
 public:
  void add(std::span<const float> values);
  void add(const CentralMoments& other);

  double count() const { return n_; }
  /// False once a value was not finite, or so large that its fourth power is not.
  bool finite() const;

  // Of the values as a population, divisor n; nullopt where they are too few or all the same.
  std::optional<double> mean() const;
  std::optional<double> variance() const;  // m₂
  std::optional<double> skewness() const;  // m₃ / m₂^1.5
  std::optional<double> kurtosis() const;  // m₄ / m₂² − 3, the excess over a normal's

 private:
  double n_ = 0, mean_ = 0, m2_ = 0, m3_ = 0, m4_ = 0;
};

/// 1-Wasserstein distance ∫|F⁻¹ − G⁻¹| of two samples of the same size, exactly: the mean distance
/// of their order statistics. REQUIRES: both sorted, equal sizes, not empty.
double wasserstein1(std::span<const float> a, std::span<const float> b);

/// Which of a stream of n values stand for it: all where n <= most, else one drawn from each of
/// `most` equal stretches, always the same ones.
class Subsample {
 public:
  Subsample(std::uint64_t n, std::uint64_t most) : n_(n), size_(n < most ? n : most) {}
  std::uint64_t size() const { return size_; }
  /// Position of the k-th of them, rising in k. REQUIRES: k < size() <= 2^31.
  std::uint64_t position(std::uint64_t k) const;

 private:
  std::uint64_t n_, size_;
};

struct Stability {
  double median_norm = 0;  // of the gradients' global norms before clipping
  double tail = 1;         // their 99th percentile as a multiple of the median
  double spikes = 0;       // per thousand steps, see kSpikeSds
};

/// A spike is a step whose loss is more than kSpikeSds standard deviations above the mean of the
/// preceding kSpikeWindow losses: for independent normal losses about 6 in ten
/// thousand are, the window's own error counted.
inline constexpr double kSpikeSds = 3.5;
inline constexpr std::size_t kSpikeWindow = 50;

/// Of every step's training loss and gradient norm, both finite, without the first tenth, in which
/// losses fall and the rate warms up; the window reaches back into it. nullopt where what is left
/// is fewer than 20 steps. REQUIRES: as many norms as losses.
std::optional<Stability> stability(std::span<const float> losses, std::span<const float> norms);

}  // namespace lab
