#include "lab/stats/moments.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "engine/rng.h"
#include "lab/stats/stats.h"

namespace lab {
namespace {

constexpr std::int64_t kChunk = 1 << 14;

constexpr std::size_t kFewest = 20;

bool is_spike(std::span<const float> before, float loss) {
  const std::vector<double> window(before.begin(), before.end());
  return static_cast<double>(loss) > *mean(window) + kSpikeSds * *sd(window);
}

}  // namespace

void CentralMoments::add(std::span<const float> values) {
  const auto n = static_cast<std::int64_t>(values.size());
  std::vector<CentralMoments> parts(static_cast<std::size_t>(base::chunks(n, kChunk)));
  base::parallel_chunks(n, kChunk, [&](std::int64_t chunk, std::int64_t begin, std::int64_t end) {
    CentralMoments& m = parts[static_cast<std::size_t>(chunk)];
    const auto part =
        values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    m.n_ = static_cast<double>(part.size());
    // Around the first value: equal values then have exactly their value as the mean.
    const double origin = static_cast<double>(part[0]);
    double sum = 0;
    for (const float v : part) sum += static_cast<double>(v) - origin;
    m.mean_ = origin + sum / m.n_;
    for (const float v : part) {
      const double d = static_cast<double>(v) - m.mean_, d2 = d * d;
      m.m2_ += d2;
      m.m3_ += d2 * d;
      m.m4_ += d2 * d2;
    }
  });
  for (const CentralMoments& part : parts) add(part);
}

void CentralMoments::add(const CentralMoments& b) {
  if (b.n_ == 0) return;
  if (n_ == 0) {
    *this = b;
    return;
  }
  const double n = n_ + b.n_, d = b.mean_ - mean_, dn = d / n, p = n_ * b.n_;
  m4_ += b.m4_ + d * dn * dn * dn * p * (n_ * n_ - p + b.n_ * b.n_) +
         6 * dn * dn * (n_ * n_ * b.m2_ + b.n_ * b.n_ * m2_) + 4 * dn * (n_ * b.m3_ - b.n_ * m3_);
  m3_ += b.m3_ + d * dn * dn * p * (n_ - b.n_) + 3 * dn * (n_ * b.m2_ - b.n_ * m2_);
  m2_ += b.m2_ + d * dn * p;
  mean_ += dn * b.n_;
  n_ = n;
}

bool CentralMoments::finite() const { return std::isfinite(mean_) && std::isfinite(m4_); }

std::optional<double> CentralMoments::mean() const {
  return n_ > 0 ? std::optional(mean_) : std::nullopt;
}

std::optional<double> CentralMoments::variance() const {
  return n_ > 0 ? std::optional(m2_ / n_) : std::nullopt;
}

std::optional<double> CentralMoments::skewness() const {
  if (!(m2_ > 0)) return std::nullopt;
  const double variance = m2_ / n_;
  return m3_ / n_ / (variance * std::sqrt(variance));
}

std::optional<double> CentralMoments::kurtosis() const {
  if (!(m2_ > 0)) return std::nullopt;
  const double variance = m2_ / n_;
  return m4_ / n_ / (variance * variance) - 3;
}

double wasserstein1(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    sum += std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i]));
  return sum / static_cast<double>(a.size());
}

std::uint64_t Subsample::position(std::uint64_t k) const {
  if (size_ == n_) return k;
  // Stretch k is [k·n/size, (k + 1)·n/size), in whole numbers that do not overflow.
  const std::uint64_t whole = n_ / size_, rest = n_ % size_;
  const auto start = [&](std::uint64_t i) { return i * whole + i * rest / size_; };
  const std::uint64_t begin = start(k);
  return begin + engine::mix64(k) % (start(k + 1) - begin);
}

std::optional<Stability> stability(std::span<const float> losses, std::span<const float> norms) {
  const std::size_t first = losses.size() / 10;
  if (losses.size() < first + kFewest) return {};
  std::vector<double> later(norms.begin() + static_cast<std::ptrdiff_t>(first), norms.end());
  std::sort(later.begin(), later.end());
  Stability out;
  const auto at = [&](double share) {
    return later[static_cast<std::size_t>(share * static_cast<double>(later.size()))];
  };
  out.median_norm = at(0.5);
  out.tail = out.median_norm > 0 ? at(0.99) / out.median_norm : 1;
  std::size_t spikes = 0, looked = 0;
  for (std::size_t i = std::max(first, kSpikeWindow); i < losses.size(); ++i) {
    ++looked;
    spikes += is_spike(losses.subspan(i - kSpikeWindow, kSpikeWindow), losses[i]) ? 1 : 0;
  }
  out.spikes = looked > 0 ? 1000 * static_cast<double>(spikes) / static_cast<double>(looked) : 0;
  return out;
}

}  // namespace lab
