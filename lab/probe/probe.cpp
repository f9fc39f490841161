// The passes of a probe: evaluation once, training once a mask.
#include "lab/probe/probe.h"

#include <algorithm>

#include "base/parallel.h"
#include "data/text/batches.h"
#include "lab/probe/probe_pass.h"
#include "lab/probe/probe_place.h"
#include "train/config/architecture.h"

namespace lab {
namespace {

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
