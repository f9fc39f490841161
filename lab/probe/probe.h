// What regularizers do to the values of a model: the same batches in training and in evaluation
// mode, hook by hook.
//
// A ProbePass (probe_pass.h) runs a mode, a ProbePlace keeps the numbers of a place. Used by
// `isodrop probe` and, if the setting `measure` asks, by runs.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/text/corpus.h"
#include "engine/params.h"
#include "lab/stats/moments.h"
#include "train/config/settings.h"

namespace lab {

struct ProbeOptions {
  std::int64_t masks = 32;     // repeats of the same batches with other masks, at least 2
  std::int64_t tokens = 4096;  // at least, in whole batches
  double progress = 0;         // share of the budget spent, which scheduled rates depend on
  std::uint64_t sample = std::uint64_t{1} << 16;  // most values of a place that W1 sorts
};

/// A mean over masks with its standard error, sd/√masks.
struct MaskMean {
  double value = 0, se = 0;
};

enum class Statistic : std::uint8_t { kMean, kVariance, kSkewness, kKurtosis };
inline constexpr std::array<std::string_view, 4> kStatisticNames = {"mean", "variance", "skewness",
                                                                    "kurtosis"};

/// Shares of the values in bins of equal width over [lo, hi), without the farthest few in a
/// thousand. Training: over all masks.
struct ProbeHistogram {
  double lo = 0, hi = 0;
  std::vector<double> evaluation, training;
};

/// The values of one place. At a hook: what it returns, so that at attn_weights they are the
/// attention weights of the keys a query may see. Behind it: Tap::behind.
///
/// Statistics are those of all values under one mask, averaged over the masks; the shape of values
/// that are all the same (a dropped layer) is not known, and such masks do not count in it.
/// Evaluation draws nothing, so it has no standard error. Kurtosis is the excess over a normal's.
struct ProbePoint {
  std::string site;    // of the hook: "h.3.mlp"
  std::string value;   // behind a hook: "h.4.attn.c_attn"; empty at the hook itself
  std::string acting;  // at the hook: "dropout:0.1", or empty
  int layer = -1;
  std::uint64_t values = 0, sampled = 0;  // in one mode under one mask; of these W1 takes
  std::array<std::optional<double>, 4> evaluation;
  std::array<std::optional<MaskMean>, 4> training;
  std::optional<MaskMean> variance_ratio;  // training / evaluation
  std::optional<MaskMean> w1;  // between the modes, in standard deviations of evaluation
  ProbeHistogram histogram;

  bool behind() const { return !value.empty(); }
};

struct Probe {
  std::vector<ProbePoint> points;  // a hook, then behind it, in the order of the model
  std::int64_t masks = 0, batches = 0, rows = 0, time = 0;  // batches of (rows,time) tokens
  double progress = 0;
};

/// Whether anything differs between training and evaluation, at any time of a run: noise on
/// activations or weights, dropped layers, or a norm with statistics of the batch. Losses and the
/// optimizer don't show in activations.
bool probe_has_subject(const train::Settings& settings);

/// Runs the model of the settings with the weights that `load` writes, or with initial weights if
/// it is empty. `report` is called after every pass. Throws base::Error if the weights don't fit
/// the settings, values are not finite, or memory is short. The same bits for any number of
/// threads.
Probe measure_probe(const train::Settings& settings, const data::Corpus& corpus,
                    const std::function<void(engine::Params&)>& load, const ProbeOptions& options,
                    const std::function<void(std::int64_t done, std::int64_t of)>& report);

/// Half of a ProbePlace: the values of one place in one mode under one mask: moments of all, and
/// the few that W1 and the histogram take, in ascending order after sort().
class ValueStream {
 public:
  /// `values`: in total; at most `most` of them are held.
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
  using Known = std::vector<double>;  // a statistic under each mask with which it is known
  std::int64_t masks_;
  ValueStream evaluation_, training_;
  std::array<Known, 4> training_statistics_;
  Known ratio_, w1_;
  ProbePoint point_;
};

}  // namespace lab
