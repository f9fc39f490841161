#include "lab/runs/measures.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "lab/probe/probe.h"
#include "lab/stats/forecasts.h"
#include "lab/stats/moments.h"
#include "lab/stats/regression.h"
#include "train/config/evaluation.h"
#include "train/tasks/language_modelling.h"

namespace lab {
namespace {

using train::Predictions;
using train::Split;

Logits logits(const Predictions& p) { return {p.scores, p.classes, p.labels}; }

/// Mean over targets of Σ_v p*_v log(p*_v / p_v) at a temperature, nats.
double divergence(const Predictions& p, double temperature) {
  double sum = 0;
  for (std::size_t i = 0; i < p.count(); ++i) {
    const float* z = &p.scores[i * p.classes];
    const double* truth = &p.truth[i * p.classes];
    const double top = static_cast<double>(*std::max_element(z, z + p.classes)) / temperature;
    double all = 0;
    for (std::size_t v = 0; v < p.classes; ++v)
      all += std::exp(static_cast<double>(z[v]) / temperature - top);
    for (std::size_t v = 0; v < p.classes; ++v)
      if (truth[v] > 0)
        sum += truth[v] *
               (std::log(truth[v]) - static_cast<double>(z[v]) / temperature + top + std::log(all));
  }
  return sum / static_cast<double>(p.count());
}

Measured of_classes(const Predictions& val, const Predictions& test) {
  const double temperature = fit_temperature(logits(val)).value;
  ClassCalibration plain, scaled(temperature);
  plain.add(test);
  scaled.add(test);
  Measured out = plain.result();
  for (const auto& [name, value] : scaled.result())
    if (name != "accuracy") out["scaled_" + name] = value;
  out["temperature"] = temperature;
  out["scaled_loss"] = nll(logits(test), temperature);
  return out;
}

/// The factor of all standard deviations with the lowest NLL: root mean square of (y − μ)/σ.
double sd_scale(const Predictions& p) {
  double sum = 0;
  for (std::size_t i = 0; i < p.count(); ++i) {
    const double z = (p.targets[i] - p.means[i]) / p.sds[i];
    sum += z * z;
  }
  return std::sqrt(sum / static_cast<double>(p.count()));
}

Measured of_normals(const Predictions& val, const Predictions& test) {
  Measured out;
  const double scale = sd_scale(val), n = static_cast<double>(test.count());
  out["temperature"] = scale;
  const auto at = [&](const std::string& prefix, double factor) {
    double loss = 0, crps = 0;
    std::vector<Interval> intervals;
    for (std::size_t i = 0; i < test.count(); ++i) {
      const Gaussian g{test.means[i], factor * test.sds[i]};
      loss += gaussian_nll(g, test.targets[i]);
      crps += gaussian_crps(g, test.targets[i]);
      intervals.push_back(central_interval(g, 0.9));
    }
    if (!prefix.empty()) out[prefix + "loss"] = loss / n;
    out[prefix + "crps"] = crps / n;
    out[prefix + "coverage90"] = coverage(intervals, test.targets);
  };
  at("", 1);
  at("scaled_", scale);
  double mse = 0, excess = 0;
  std::vector<double> known;
  for (std::size_t i = 0; i < test.count(); ++i) {
    mse += std::pow(test.targets[i] - test.means[i], 2);
    if (test.truth.empty()) continue;
    known.push_back(test.truth[2 * i]);
    excess += std::pow(test.truth[2 * i] - test.means[i], 2);
  }
  out["mse"] = mse / n;
  if (!known.empty()) out["excess_mse"] = excess / n;
  const std::vector<double>& truths = known.empty() ? test.targets : known;
  if (test.count() > 2 && *std::min_element(truths.begin(), truths.end()) <
                              *std::max_element(truths.begin(), truths.end()))
    out["slope"] = ols_line(truths, test.means).coef.at(1);
  return out;
}

Measured calibration_of(train::Trainer& trainer, const train::Task&) {
  if (!trainer.planned().test) return {};
  return calibration(trainer.predict(Split::kVal), trainer.predict(Split::kTest));
}

Measured mode_gap(train::Trainer& trainer, const train::Task& task) {
  const train::RunPlan& plan = trainer.planned();
  const std::int64_t rows = plan.settings.micro_batch();
  if (!plan.test || plan.test->rows() < rows) return {};  // no whole batch
  // Training moves the norms' statistics.
  trainer.keep_weights();
  train::Predictor predictor(task, trainer.params(), plan.config, models::Mode::kTrain, rows);
  engine::Buffer arena(predictor.arena_bytes());
  predictor.allocate({arena.data(), arena.size()});
  const train::Examined training =
      predictor
          .predict(*plan.test, train::kGapPasses, train::evaluation_masks(plan.settings),
                   trainer.state().progress, train::Keep::kPassLosses)
          .examined;
  trainer.restore_weights();
  // Evaluation's loss of the same rows.
  const train::Examined evaluation = trainer.examine(Split::kTest);
  double sum = 0, targets = 0;
  for (std::size_t row = 0; row < training.windows.size(); ++row) {
    const auto n = static_cast<double>(plan.test->tokens(static_cast<std::int64_t>(row)));
    sum += n * static_cast<double>(evaluation.windows[row]);
    targets += n;
  }
  return {{"train_mode_loss", training.loss}, {"mode_gap", training.loss - sum / targets}};
}

/// What a place's statistics are, each with its name, if it is known.
std::vector<std::pair<std::string, double>> shifts(const ProbePoint& p) {
  std::vector<std::pair<std::string, double>> out;
  const auto& e = p.evaluation;
  const auto& t = p.training;
  const auto put = [&](const char* name, double value) {
    if (std::isfinite(value)) out.emplace_back(name, value);
  };
  if (e[0] && t[0] && e[1] && t[1]) {
    put("mean_shift", (t[0]->value - *e[0]) / std::sqrt(*e[1]));
    put("square_ratio", (t[1]->value + t[0]->value * t[0]->value) / (*e[1] + *e[0] * *e[0]));
  }
  if (p.variance_ratio) put("variance_ratio", p.variance_ratio->value);
  if (e[2] && t[2]) put("skewness_shift", t[2]->value - *e[2]);
  if (e[3] && t[3]) put("kurtosis_shift", t[3]->value - *e[3]);
  if (p.w1) put("w1", p.w1->value);
  return out;
}

Measured moments(train::Trainer& trainer, const train::Task& task) {
  const data::Corpus* corpus = task.text_corpus();
  base::require(corpus != nullptr, "measure=moments needs a task that learns text, such as lm");
  ProbeOptions options;
  options.masks = train::kProbeMasks;
  options.tokens = train::kProbeTokens;
  options.progress = trainer.state().progress;
  const Probe probe = measure_probe(
      trainer.planned().settings, *corpus,
      [&](engine::Params& to) { to.copy_from(trainer.params()); }, options,
      [](std::int64_t, std::int64_t) {});
  Measured out;
  std::map<std::string, std::pair<double, int>> layers;
  for (const ProbePoint& p : probe.points) {
    const std::string behind = p.behind() ? ".behind." : ".";
    for (const auto& [name, value] : shifts(p)) {
      out[std::string(kProbePrefix) + p.site + behind + name] = value;
      if (p.layer < 0) continue;
      auto& [sum, n] = layers[p.site.substr(p.site.rfind('.') + 1) + behind + name];
      sum += value;
      ++n;
    }
  }
  for (const auto& [name, of] : layers)
    out[std::string(kProbePrefix) + name] = of.first / of.second;
  return out;
}

Measured reliability_of(train::Trainer& trainer, const train::Task& task) {
  if (!trainer.planned().test || task.target_kind() != train::TargetKind::kClass) return {};
  const Predictions test = trainer.predict(Split::kTest);
  Measured out;
  const auto r = reliability(top_label(logits(test)), kReliabilityBins);
  for (std::size_t i = 0; r && i < r->bins.size(); ++i) {
    const std::string bin = std::string(kReliabilityPrefix) + std::to_string(i + 1);
    out[bin + ".p"] = r->bins[i].mean_p;
    out[bin + ".hit"] = r->bins[i].hit_rate;
    out[bin + ".share"] = r->bins[i].count / static_cast<double>(test.count());
  }
  return out;
}

Measured stability_of(train::Trainer& trainer, const train::Task&) {
  const auto s = stability(trainer.state().losses, trainer.state().grad_norms);
  if (!s) return {};
  return {{"grad_norm", s->median_norm}, {"grad_norm_tail", s->tail}, {"loss_spikes", s->spikes}};
}

struct Kind {
  std::string_view name;  // of train::measure_kinds()
  Measured (*measure)(train::Trainer&, const train::Task&);
};
constexpr Kind kKinds[] = {{"calibration", calibration_of},
                           {"mode_gap", mode_gap},
                           {"moments", moments},
                           {"reliability", reliability_of},
                           {"stability", stability_of}};

}  // namespace

void ClassCalibration::add(const Predictions& part) {
  const auto n = static_cast<double>(part.count());
  count_ += n;
  brier_ += n * brier(logits(part), temperature_);
  for (const Forecast& f : top_label(logits(part), temperature_)) {
    top_.push_back(f);
    hits_ += f.hit ? 1 : 0;
  }
  truth_ = truth_ && !part.truth.empty();
  if (truth_) kl_ += n * divergence(part, temperature_);
}

Measured ClassCalibration::result() const {
  Measured out = {{"brier", brier_ / count_}, {"accuracy", hits_ / count_}};
  if (const auto r = reliability(top_)) {
    out["ece"] = r->ece_debiased;
    out["square_ce"] = r->squared_debiased;
  }
  if (truth_) out["kl"] = kl_ / count_;
  return out;
}

Measured calibration(const Predictions& val, const Predictions& test) {
  return test.kind == train::TargetKind::kClass ? of_classes(val, test) : of_normals(val, test);
}

Measured measure(train::Trainer& trainer, const train::Task& task) {
  Measured out;
  for (const train::MeasureKind* asked : train::parse_measures(trainer.planned().settings.measure))
    out.merge(base::row_named(std::span<const Kind>(kKinds), asked->name, "measure")
                  .measure(trainer, task));
  return out;
}

}  // namespace lab
