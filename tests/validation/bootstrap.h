// Resampling with an explicit sequence of random numbers (the same sequence, the same interval):
// the rivals of the intervals in lab/stats, which are compared with them by simulation.
#pragma once
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "engine/rng.h"
#include "lab/stats/equivalent.h"

namespace validation {

using lab::EquivalentInterval;
using lab::Interval;
using lab::SeedCurves;

/// A statistic of a resample, which is given as the positions drawn (n of [0, n), with repetition).
using Resampled = std::function<double(std::span<const std::size_t>)>;

/// The statistic over `replicates` resamples of n units (Efron 1979, Ann. Stat. 7:1), ascending.
/// ±∞ may occur ("beyond the curve"); NaN means that a resample has no value, and is left out.
std::vector<double> bootstrap(std::size_t n, int replicates, engine::Sequence& random,
                              const Resampled& statistic);

/// The central 1 − α of sorted values: the k-th from either end, k = ⌊(B + 1)α/2⌋ (Davison &
/// Hinkley 1997, Bootstrap Methods and their Application, § 5.3). As an interval over few units
/// it covers too little: about 90 % for 95 % at n = 8. REQUIRES: k ≥ 1, so B ≥ 2/α − 1.
Interval percentile_interval(std::span<const double> sorted, double alpha = 0.05);

/// [m − t₍hi₎·se, m − t₍lo₎·se] from sorted t* = (m* − m)/se* (ibid., § 5.2): studentized.
Interval studentized_interval(double mean, double se, std::span<const double> sorted_t,
                              double alpha = 0.05);

/// Studentized bootstrap of the mean of x. Resamples without spread are left out.
/// REQUIRES: x.size() ≥ 3, finite; equal numbers have the point as their interval.
Interval bootstrap_t(std::span<const double> x, int replicates, engine::Sequence& random,
                     double alpha = 0.05);

/// Of lab::crossed(): a studentized bootstrap that draws seeds and windows independently of each
/// other (Owen 2007, Ann. Appl. Stat. 1:386), se* by crossed() of each resample. Its coverage at n
/// = 8 is no better (93.9 to 95.5 %), it takes `replicates` times as long, and it needs random
/// numbers. nullopt where crossed() is, and where no resample varies.
std::optional<Interval> crossed_bootstrap(std::span<const double> d, int seeds, int replicates,
                                          engine::Sequence& random, double alpha = 0.05);

/// Of lab::equivalent_interval(): seeds resampled (a seed's curve and arm stay together) through
/// the same interpolation, central 1 − α of the resampled equivalents. At 8 seeds "95 %" covers 89
/// % (scripts/validate_statistics), that interval 94.4 to 95.4.
std::optional<EquivalentInterval> equivalent_bootstrap(const SeedCurves& curves, int replicates,
                                                       engine::Sequence& random,
                                                       double alpha = 0.05);

}  // namespace validation
