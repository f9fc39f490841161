// What the probe keeps of one place: values of both modes in, a ProbePoint out.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "lab/probe/probe.h"
#include "lab/stats/moments.h"

namespace lab {

/// The values of one place in one mode under one mask: moments of all, and the few that W1 and the
/// histogram take, in ascending order after sort().
class ValueStream {
 public:
  /// `values`: of which it holds `most` at most.
  ValueStream(std::uint64_t values, std::uint64_t most);
  void add(std::span<const float> values);
  void sort();
  void clear();

  const CentralMoments& moments() const { return moments_; }
  std::span<const float> sample() const { return sample_; }
  std::uint64_t sample_size() const { return subsample_.size(); }

 private:
  Subsample subsample_;
  CentralMoments moments_;
  std::vector<float> sample_;
  std::uint64_t seen_ = 0, next_ = 0;
};

/// One place in both modes: evaluation().add() all of it, end_evaluation(), then for every mask
/// training().add() and end_mask(), then take().
class ProbePlace {
 public:
  /// `values`: in one mode under one mask.
  ProbePlace(std::uint64_t values, const ProbeOptions& options);

  ValueStream& evaluation() { return evaluation_; }
  ValueStream& training() { return training_; }
  void end_evaluation() { evaluation_.sort(); }
  void end_mask();
  ProbePoint take();

  ProbePoint& point() { return point_; }

 private:
  using Known = std::vector<double>;  // a statistic under the masks drawn so far, where it is known
  std::int64_t masks_;
  ValueStream evaluation_, training_;
  std::array<Known, 4> training_statistics_;
  Known ratio_, w1_;
  ProbePoint point_;
};

}  // namespace lab
