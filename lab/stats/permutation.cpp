#include "lab/stats/permutation.h"

#include <cmath>
#include <cstdint>

namespace lab {
namespace {

/// How many of the choices of signs for d[i], d[i + 1], … give a |sum| of at least `bound`.
std::uint64_t count(std::span<const double> d, double sum, double bound) {
  if (d.empty()) return std::abs(sum) >= bound;
  return count(d.subspan(1), sum + d[0], bound) + count(d.subspan(1), sum - d[0], bound);
}

}  // namespace

std::optional<double> sign_flip_test(std::span<const double> differences) {
  const std::size_t n = differences.size();
  if (n == 0 || n > kMostSignFlips) return std::nullopt;
  double sum = 0, scale = 0;
  for (const double d : differences) {
    sum += d;
    scale += std::abs(d);
  }
  constexpr double kRounding = 1e-13;  // of sums of up to 20 numbers, with room
  // All signs turned give the same |sum|: the first one can stay.
  const std::uint64_t as_far =
      count(differences.subspan(1), differences[0], std::abs(sum) - kRounding * scale);
  return std::ldexp(static_cast<double>(as_far), 1 - static_cast<int>(n));
}

}  // namespace lab
