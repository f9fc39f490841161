// What regularizers do to the values of a model: the same batches in training and in evaluation
// mode, hook by hook.
//
// lab/probe: taps finds the hooks on a tape, probe_pass runs a mode, probe_place keeps a hook's
// figures, probe measures. Used by `isodrop probe` and, where the setting `measure` asks, by runs.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/text/corpus.h"
#include "engine/params.h"
#include "train/config/settings.h"

namespace lab {

struct ProbeOptions {
  std::int64_t masks = 32;     // repeats of the same batches with other masks, at least 2
  std::int64_t tokens = 4096;  // at least so many, in whole batches
  double progress = 0;         // share of the budget spent, of which rates are a function
  std::uint64_t sample = std::uint64_t{1} << 16;  // values at most that W1 sorts, of one place
};

/// A mean over masks with its standard error, sd/√masks.
struct MaskMean {
  double value = 0, se = 0;
};

enum class Statistic : std::uint8_t { kMean, kVariance, kSkewness, kKurtosis };
inline constexpr std::array<std::string_view, 4> kStatisticNames = {"mean", "variance", "skewness",
                                                                    "kurtosis"};

/// Shares of the values in bins of equal width over [lo, hi), which leaves out the farthest few in
/// a thousand. Training: over all masks.
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

/// Runs the model of the settings with the weights that `load` writes, or where it is empty as they
/// start. `report` is told after every pass how many of how many are done. Throws base::Error
/// where the weights don't fit the settings, give values that are not finite, or it does not fit in
/// memory. The same bits for any number of threads.
Probe measure_probe(const train::Settings& settings, const data::Corpus& corpus,
                    const std::function<void(engine::Params&)>& load, const ProbeOptions& options,
                    const std::function<void(std::int64_t done, std::int64_t of)>& report);

}  // namespace lab
