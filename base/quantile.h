// Quantiles of a sample.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

namespace base {

/// The value at share q of the sorted sample: x₍₁₎ at 0, x₍ₙ₎ at 1, linear in between (type 7 of
/// Hyndman & Fan 1996, NumPy's and R's default). REQUIRES: x is not empty, 0 <= q <= 1.
inline double quantile(std::vector<double> x, double q) {
  const double at = q * static_cast<double>(x.size() - 1), whole = std::floor(at);
  const auto middle = x.begin() + static_cast<std::ptrdiff_t>(whole);
  std::nth_element(x.begin(), middle, x.end());
  if (at == whole) return *middle;
  return *middle + (at - whole) * (*std::min_element(middle + 1, x.end()) - *middle);
}

/// The middle value, or the mean of the two in the middle. REQUIRES: x is not empty.
inline double median(std::vector<double> x) { return quantile(std::move(x), 0.5); }

}  // namespace base
