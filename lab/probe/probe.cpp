#include "lab/probe/probe.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/parallel.h"
#include "data/text/batches.h"
#include "lab/probe/probe_pass.h"
#include "lab/stats/stats.h"
#include "train/config/architecture.h"

namespace lab {
namespace {

constexpr std::size_t kBins = 64;
constexpr double kTail = 0.002;  // of the values lie beyond either end of a histogram

std::array<std::optional<double>, 4> statistics(const CentralMoments& m) {
  return {m.mean(), m.variance(), m.skewness(), m.kurtosis()};
}

std::optional<MaskMean> estimate(const std::vector<double>& values) {
  const auto sample = summarize(values);
  if (!sample) return std::nullopt;
  return MaskMean{sample->mean, sample->sd / std::sqrt(static_cast<double>(sample->n))};
}

/// Range of the middle of two sorted samples together.
void choose_range(std::span<const float> a, std::span<const float> b, ProbeHistogram& h) {
  const auto tail = static_cast<std::size_t>(kTail * static_cast<double>(a.size()));
  h.lo = static_cast<double>(std::min(a[tail], b[tail]));
  h.hi = static_cast<double>(std::max(a[a.size() - 1 - tail], b[b.size() - 1 - tail]));
  const double pad = h.hi > h.lo ? 0.04 * (h.hi - h.lo) : std::max(1e-6, std::abs(h.hi));
  h.lo -= pad;
  h.hi += pad;
}

void count(std::span<const float> values, const ProbeHistogram& h, std::vector<double>& bins) {
  bins.resize(kBins);
  for (const float v : values) {
    const double bin = (static_cast<double>(v) - h.lo) / (h.hi - h.lo) * kBins;
    if (bin >= 0 && bin < kBins) ++bins[static_cast<std::size_t>(bin)];
  }
}

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

std::vector<ProbePlace> make_places(const ProbePass& pass, const models::GptConfig& config,
                                    std::int64_t batches, const ProbeOptions& options) {
  const models::Hooks hooks(config.regularizers, models::Mode::kTrain, config.n_layer);
  std::vector<ProbePlace> places;
  for (std::size_t p = 0; p < 2 * pass.taps().size(); ++p) {
    const Tap& tap = pass.taps()[p / 2];
    ProbePoint& point =
        places.emplace_back(pass.count(p) * static_cast<std::uint64_t>(batches), options).point();
    point.site = models::site_name(tap.hook, tap.layer);
    point.layer = tap.layer;
    if (p % 2 == 1)
      point.value = pass.behind_name(p / 2);
    else
      point.acting = hooks.acting(tap.hook, tap.layer, options.progress);
  }
  return places;
}

void require_finite(std::vector<ProbePlace>& places, bool training) {
  for (ProbePlace& p : places)
    base::require((training ? p.training() : p.evaluation()).moments().finite(),
                  p.point().behind() ? p.point().value : p.point().site, ": values in ",
                  training ? "training" : "evaluation",
                  " are not finite, so the weights are those of a run that diverged; probe "
                  "others");
}

template <class F>
void for_places(std::vector<ProbePlace>& places, const F& f) {
  base::parallel_chunks(std::ssize(places), 1,
                        [&](std::int64_t i, std::int64_t, std::int64_t) { f(places[at(i)]); });
}

}  // namespace

ValueStream::ValueStream(std::uint64_t values, std::uint64_t most) : subsample_(values, most) {
  sample_.reserve(subsample_.size());
}

void ValueStream::add(std::span<const float> values) {
  moments_.add(values);
  for (; sample_.size() < subsample_.size(); sample_.push_back(values[next_ - seen_])) {
    next_ = subsample_.position(sample_.size());
    if (next_ >= seen_ + values.size()) break;
  }
  seen_ += values.size();
}

void ValueStream::sort() { std::sort(sample_.begin(), sample_.end()); }

void ValueStream::clear() {
  moments_ = {};
  sample_.clear();
  seen_ = 0;
}

ProbePlace::ProbePlace(std::uint64_t values, const ProbeOptions& options)
    : masks_(options.masks),
      evaluation_(values, options.sample),
      training_(values, options.sample) {
  point_.values = values;
  point_.sampled = evaluation_.sample_size();
}

void ProbePlace::end_mask() {
  training_.sort();
  const auto found = statistics(training_.moments());
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i]) training_statistics_[i].push_back(*found[i]);
  const double variance = *evaluation_.moments().variance();
  if (variance > 0) {
    ratio_.push_back(*training_.moments().variance() / variance);
    w1_.push_back(wasserstein1(training_.sample(), evaluation_.sample()) / std::sqrt(variance));
  }
  ProbeHistogram& h = point_.histogram;
  if (h.evaluation.empty()) {
    choose_range(evaluation_.sample(), training_.sample(), h);
    count(evaluation_.sample(), h, h.evaluation);
  }
  count(training_.sample(), h, h.training);
  training_.clear();
}

ProbePoint ProbePlace::take() {
  point_.evaluation = statistics(evaluation_.moments());
  for (std::size_t i = 0; i < training_statistics_.size(); ++i)
    point_.training[i] = estimate(training_statistics_[i]);
  point_.variance_ratio = estimate(ratio_);
  point_.w1 = estimate(w1_);
  const auto all = static_cast<double>(point_.sampled);
  for (double& bin : point_.histogram.evaluation) bin /= all;
  for (double& bin : point_.histogram.training) bin /= all * static_cast<double>(masks_);
  return std::move(point_);
}

bool probe_has_subject(const train::Settings& settings) {
  const models::GptConfig config = models::without_losses(train::gpt_config(settings, 1));
  return config.norm->running || std::any_of(config.regularizers.begin(), config.regularizers.end(),
                                             [](const models::RegularizerSetting& s) {
                                               return s.rate > 0 && s.kind->noise != nullptr;
                                             });
}

Probe measure_probe(const train::Settings& settings, const data::Corpus& corpus,
                    const std::function<void(engine::Params&)>& load, const ProbeOptions& options,
                    const std::function<void(std::int64_t, std::int64_t)>& report) {
  const models::GptConfig config =
      models::without_losses(train::gpt_config(settings, corpus.vocab));
  Probe probe;
  probe.masks = options.masks;
  probe.progress = options.progress;
  probe.rows = settings.micro_batch();
  probe.time = settings.block_size;
  probe.batches = base::chunks(options.tokens, probe.rows * probe.time);

  engine::Params params;
  ProbePass training(params, config, models::Mode::kTrain, probe.rows);
  ProbePass evaluation(params, config, models::Mode::kEval, probe.rows);
  engine::require_memory(
      static_cast<double>(params.bytes() + training.bytes() + evaluation.bytes()),
      "probing this model and batch");
  const auto seed = static_cast<std::uint64_t>(settings.seed);
  params.allocate(seed);
  if (load) load(params);

  data::Batches data(corpus.train, settings.block_size, settings.batch, seed);
  std::vector<std::int32_t> tokens(at(probe.rows * probe.time)), targets(tokens.size());
  std::vector<ProbePlace> places = make_places(training, config, probe.batches, options);
  const std::int64_t passes = (1 + probe.masks) * probe.batches;
  std::int64_t done = 0;
  const auto run_all = [&](ProbePass& pass, std::uint64_t mask,
                           ValueStream& (ProbePlace::*stream)()) {
    for (std::int64_t b = 0; b < probe.batches; ++b) {
      data.fill(static_cast<std::uint64_t>(b), 0, probe.rows, tokens.data(), targets.data());
      const engine::Step step{seed, mask, static_cast<std::uint64_t>(b * probe.rows),
                              options.progress};
      pass.run(step, tokens.data(), targets.data(),
               [&](std::size_t place, std::span<const float> values) {
                 (places[place].*stream)().add(values);
               });
      report(++done, passes);
    }
  };
  // First, because training moves the running statistics that evaluation reads.
  run_all(evaluation, 0, &ProbePlace::evaluation);
  require_finite(places, false);
  for_places(places, [](ProbePlace& p) { p.end_evaluation(); });
  for (std::int64_t mask = 0; mask < probe.masks; ++mask) {
    run_all(training, static_cast<std::uint64_t>(mask), &ProbePlace::training);
    require_finite(places, true);
    for_places(places, [](ProbePlace& p) { p.end_mask(); });
  }
  for (ProbePlace& place : places) probe.points.push_back(place.take());
  return probe;
}

}  // namespace lab
