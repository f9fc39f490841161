// Measuring: time by a clock that never goes back, and quantiles of what was measured.
#pragma once
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace base {

/// Seconds since a moment that all processes of this machine share.
inline double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// Starts when it is made.
class Stopwatch {
 public:
  double seconds() const { return monotonic_seconds() - start_; }

 private:
  double start_ = monotonic_seconds();
};

/// Quantile q of the sample: x₍₁₎ at 0, x₍ₙ₎ at 1, linear in between (type 7 of Hyndman & Fan 1996,
/// the default of NumPy and R). REQUIRES: x is not empty, 0 <= q <= 1.
inline double quantile(std::vector<double> x, double q) {
  const double at = q * static_cast<double>(x.size() - 1), whole = std::floor(at);
  const auto middle = x.begin() + static_cast<std::ptrdiff_t>(whole);
  std::nth_element(x.begin(), middle, x.end());
  if (at == whole) return *middle;
  return *middle + (at - whole) * (*std::min_element(middle + 1, x.end()) - *middle);
}

/// REQUIRES: x is not empty.
inline double median(std::vector<double> x) { return quantile(std::move(x), 0.5); }

}  // namespace base
