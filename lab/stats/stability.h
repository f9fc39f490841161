// How evenly a run went: tails of its gradients' norms, and spikes of its loss.
#pragma once
#include <optional>
#include <span>

namespace lab {

struct Stability {
  double median_norm = 0;  // of the gradients' global norms before clipping
  double tail = 1;         // their 99th percentile as a multiple of the median
  double spikes = 0;       // per thousand steps, see kSpikeSds
};

/// A spike is a step whose loss lies more than so many standard deviations of the preceding
/// kSpikeWindow steps' losses above their mean: for independent normal losses about 6 in ten
/// thousand are, the window's own error counted.
inline constexpr double kSpikeSds = 3.5;
inline constexpr std::size_t kSpikeWindow = 50;

/// Of every step's training loss and gradient norm, both finite, without the first tenth, in which
/// losses fall and the rate warms up; the window reaches back into it. nullopt where what is left
/// is fewer than 20 steps. REQUIRES: as many norms as losses.
std::optional<Stability> stability(std::span<const float> losses, std::span<const float> norms);

}  // namespace lab
