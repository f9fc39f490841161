#include "lab/stats/stability.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "lab/stats/stats.h"

namespace lab {
namespace {

constexpr std::size_t kFewest = 20;

bool is_spike(std::span<const float> before, float loss) {
  const std::vector<double> window(before.begin(), before.end());
  return static_cast<double>(loss) > *mean(window) + kSpikeSds * *sd(window);
}

}  // namespace

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
