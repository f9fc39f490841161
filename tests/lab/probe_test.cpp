// The moment probe against what theory says about dropout.
#include "lab/probe/probe.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <stdexcept>

#include "data/text/batches.h"
#include "lab/inspect/probe_render.h"
#include "lab/probe/probe_pass.h"
#include "lab/stats/moments.h"
#include "models/gpt.h"
#include "tests/expect_error.h"
#include "tests/lab/probe_settings.h"
#include "tests/train/small_corpus.h"
#include "train/config/architecture.h"
#include "train/storage/safetensors.h"

namespace {

using Floats = std::vector<float>;
using lab::MaskMean;
using lab::Probe;
using lab::ProbePoint;
using tests::small;

Probe probe(const train::Settings& settings, double progress = 0.5, std::int64_t masks = 32,
            std::uint64_t sample = 5000) {
  static const data::Corpus corpus = tests::small_corpus(4000, 400);
  lab::ProbeOptions options;
  options.masks = masks, options.tokens = 400, options.progress = progress;
  options.sample = sample;
  return lab::measure_probe(settings, corpus, {}, options, [](std::int64_t, std::int64_t) {});
}

const ProbePoint& point(const Probe& p, const std::string& site, bool behind = false) {
  for (const ProbePoint& point : p.points)
    if (point.site == site && point.behind() == behind) return point;
  throw std::logic_error(site);
}

/// Within 5 standard errors of a mean over 32 masks: once in 50 000 by chance.
void expect_near(const std::optional<MaskMean>& e, double expected, const std::string& what) {
  ASSERT_TRUE(e.has_value()) << what;
  EXPECT_GT(e->se, 0) << what;
  EXPECT_NEAR(e->value, expected, 5 * e->se) << what << ", se " << e->se;
}

constexpr std::size_t kMean = 0, kVariance = 1;

// y = m·x, E m = 1, E m² = 1/q: the mean stays, the variance is (v + μ²)/q − μ², which for mean 0
// is v/q.
TEST(Probe, InvertedDropoutKeepsTheMeanAndDividesTheVarianceByQ) {
  for (const double p : {0.1, 0.5})
    for (const std::string site : {"emb", "h.0.attn", "h.0.mlp_hidden", "h.0.mlp"}) {
      const std::string hook = site.substr(site.rfind('.') + 1);
      const Probe result = probe(small("dropout:" + std::to_string(p) + "@" + hook));
      const ProbePoint& at = point(result, site);
      const double q = std::round((1 - p) * 65536) / 65536, mean = *at.evaluation[kMean],
                   variance = *at.evaluation[kVariance];
      const std::string what = site + " " + std::to_string(p);
      expect_near(at.training[kMean], mean, what);
      expect_near(at.variance_ratio, ((variance + mean * mean) / q - mean * mean) / variance, what);
      expect_near(at.training[kVariance], (variance + mean * mean) / q - mean * mean, what);
      EXPECT_NE(at.acting, "") << what;
      if (site == "emb") {  // of a mean that is next to nothing
        const double away = mean * mean / variance * (1 / q - 1);
        EXPECT_LT(away, 0.02) << what;
        EXPECT_NEAR(at.variance_ratio->value, 1 / q, 5 * at.variance_ratio->se + away) << what;
      }
      EXPECT_LT(at.variance_ratio->se, 0.02) << what;  // or the bounds above would say nothing
    }
}

// Weights w of one layer: m·w with E m = 1 and E m² = 1/q too.
TEST(Probe, DropoutOnAttentionWeights) {
  const Probe result = probe(small("dropout:0.25@attn_weights"));
  const ProbePoint& at = point(result, "h.0.attn_weights");
  const double mean = *at.evaluation[kMean], variance = *at.evaluation[kVariance];
  // A row's weights sum to 1: T rows, T(T + 1)/2 weights.
  EXPECT_NEAR(mean, 2 / 25.0, 1e-6);
  expect_near(at.training[kMean], mean, "mean");
  expect_near(at.variance_ratio, ((variance + mean * mean) / 0.75 - mean * mean) / variance, "");
}

// dropout_original at rate 1/2: training has x or 0, evaluation x/2. For normal x the quantiles of
// both are known, and in standard deviations of evaluation the scale of x does not count.
TEST(Probe, W1IsInStandardDeviationsOfEvaluation) {
  const Probe result = probe(small("dropout_original:0.5@emb"));
  const ProbePoint& at = point(result, "emb");
  expect_near(at.training[kMean], *at.evaluation[kMean], "mean");
  const boost::math::normal normal;
  double w1 = 0;
  constexpr int kN = 10'000;
  for (int i = 0; i < kN; ++i) {
    const double u = (i + 0.5) / kN;
    const double training = u < 0.25   ? boost::math::quantile(normal, 2 * u)
                            : u > 0.75 ? boost::math::quantile(normal, 2 * u - 1)
                                       : 0;
    w1 += std::abs(training - boost::math::quantile(normal, u) / 2) / kN;
  }
  EXPECT_NEAR(at.w1->value, w1 / 0.5, 0.03);  // 39 embedding vectors are not quite normal
  EXPECT_NEAR(at.variance_ratio->value, 2, 0.05);
}

TEST(Probe, RateZeroChangesNothingAtAll) {
  // A schedule that is at 0 for the moment: the nodes are there and copy.
  const train::Settings early = small(
      "dropout:0.3@emb/attn_weights/attn/mlp_hidden/mlp/last~early:0.2+drop_connect:0.2~early:0.2");
  const Probe result = probe(early, 0.5, 2);
  ASSERT_EQ(result.points.size(), 20U);
  for (const ProbePoint& p : result.points) {
    EXPECT_EQ(p.variance_ratio->value, 1) << p.site << p.value;
    EXPECT_EQ(p.variance_ratio->se, 0) << p.site;
    EXPECT_EQ(p.w1->value, 0) << p.site << p.value;
    EXPECT_EQ(p.w1->se, 0) << p.site;
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(p.training[i]->value, *p.evaluation[i]) << p.site;
    EXPECT_EQ(p.histogram.training, p.histogram.evaluation) << p.site;
    EXPECT_EQ(p.acting, "");
  }
  // The same settings at another moment.
  const Probe before = probe(early, 0.1, 2);
  for (const ProbePoint& p : before.points) EXPECT_GT(p.w1->value, 0) << p.site << p.value;
  EXPECT_EQ(point(before, "h.0.attn").acting, "dropout:0.15 + drop_connect:0.1");
}

TEST(Probe, LayersDroppedWholeHaveNoShape) {
  const Probe result = probe(small("layer_drop:0.5"));
  const ProbePoint& at = point(result, "h.0.mlp");
  // 32 draws of 0 or the whole variance, q = 1/2; kept ones have the shape of evaluation.
  expect_near(at.variance_ratio, 0.5, "ratio");
  EXPECT_NEAR(at.variance_ratio->se, std::sqrt(0.25 / 31), 0.01);
  EXPECT_NEAR(at.training[2]->value, *at.evaluation[2], 1e-6);
  EXPECT_EQ(at.acting, "layer_drop:0.5");
}

// Untouched by what acts on the loss alone; R-Drop takes no second pass here.
TEST(Probe, LossesAreNoSubject) {
  EXPECT_FALSE(lab::probe_has_subject(small("none")));
  EXPECT_FALSE(lab::probe_has_subject(small("dropout:0")));
  EXPECT_FALSE(lab::probe_has_subject(small("r_drop:1+label_smoothing:0.1")));
  EXPECT_TRUE(lab::probe_has_subject(small("drop_connect:0.1")));
  EXPECT_TRUE(lab::probe_has_subject(small("layer_drop:0.1")));
  train::Settings batchnorm = small("none");
  train::set(batchnorm, "norm", "batchnorm");
  EXPECT_TRUE(lab::probe_has_subject(batchnorm));
  const Probe with = probe(small("dropout:0.2+r_drop:1"), 0.5, 2),
              without = probe(small("dropout:0.2"), 0.5, 2);
  EXPECT_EQ(point(with, "h.1.mlp").w1->value, point(without, "h.1.mlp").w1->value);
}

// Evaluation comes first: training moves the running statistics that it reads. As they start, mean
// 0 and variance 1, batchnorm is no norm at all.
TEST(Probe, TrainingLeavesEvaluationAlone) {
  train::Settings s = small("none");
  train::set(s, "norm", "none");
  const Probe none = probe(s, 0, 2);
  train::set(s, "norm", "batchnorm");
  const Probe batchnorm = probe(s, 0, 2);
  for (std::size_t i = 0; i < none.points.size(); ++i) {
    const double variance = *none.points[i].evaluation[kVariance];
    EXPECT_NEAR(*batchnorm.points[i].evaluation[kVariance], variance, 1e-3 * variance)
        << none.points[i].site;
  }
  EXPECT_GT(point(batchnorm, "emb", true).w1->value, 0.1);
  EXPECT_EQ(point(none, "emb", true).w1->value, 0);
}

TEST(Probe, EveryRowOfTheTableCanBeProbed) {
  for (const models::Regularizer& row : models::regularizer_table()) {
    if (row.noise == nullptr) continue;
    const Probe result = probe(small(std::string(row.name) + ":0.25"), 0, 8);
    EXPECT_TRUE(std::any_of(result.points.begin(), result.points.end(), [](const ProbePoint& p) {
      return !p.acting.empty() && p.w1->value > 0;
    })) << row.name;
  }
}

/// All of it, as bits.
std::string bits(const Probe& p) { return lab::render({}, p, "json", false); }

TEST(Probe, SameBitsForAnyThreadsAndAgain) {
  const train::Settings s = small("dropout:0.2+drop_path:0.1");
  const int threads = omp_get_max_threads();
  std::vector<std::string> seen;
  for (const int n : {1, 2, 3, 1}) {
    omp_set_num_threads(n);
    seen.push_back(bits(probe(s, 0, 3, 500)));
  }
  omp_set_num_threads(threads);
  for (const std::string& one : seen) EXPECT_EQ(one, seen[0]);
  train::Settings other = s;
  other.seed = 2;
  EXPECT_NE(bits(probe(other, 0, 3, 500)), seen[0]);
}

// The same figures from the passes themselves: batch b of the training split, masks of its rows in
// the whole, and word of every pass.
TEST(Probe, IsOfTheFirstBatchesWithTheMasksOfTheirRows) {
  const train::Settings s = small("dropout:0.3@emb");
  const data::Corpus corpus = tests::small_corpus(4000, 400);
  lab::ProbeOptions options;
  options.masks = 2, options.tokens = 400, options.progress = 0.5;
  std::vector<std::pair<std::int64_t, std::int64_t>> told;
  const Probe result =
      lab::measure_probe(s, corpus, {}, options,
                         [&](std::int64_t done, std::int64_t of) { told.emplace_back(done, of); });
  EXPECT_EQ(result.batches, 3);  // of 6·24 tokens
  ASSERT_EQ(told.size(), 9U);
  for (std::size_t i = 0; i < told.size(); ++i)
    EXPECT_EQ(told[i], std::pair(static_cast<std::int64_t>(i) + 1, std::int64_t{9}));

  const models::GptConfig config = train::gpt_config(s, corpus.vocab);
  engine::Params params;
  lab::ProbePass pass(params, config, models::Mode::kTrain, 6);
  params.allocate(1);  // the settings' seed
  data::Batches data(corpus.train, 24, 6, 1);
  std::vector<std::int32_t> tokens(6 * 24), targets(tokens.size());
  double mean = 0, variance = 0;
  for (const std::uint64_t mask : {0U, 1U}) {
    lab::CentralMoments moments;
    for (const std::uint64_t b : {0U, 1U, 2U}) {
      data.fill(b, 0, 6, tokens.data(), targets.data());
      pass.run({1, mask, 6 * b, 0.5}, tokens.data(), targets.data(),
               [&](std::size_t place, std::span<const float> values) {
                 if (place == 0) moments.add(values);
               });
    }
    mean += *moments.mean() / 2;
    variance += *moments.variance() / 2;
  }
  EXPECT_DOUBLE_EQ(point(result, "emb").training[kMean]->value, mean);
  EXPECT_DOUBLE_EQ(point(result, "emb").training[kVariance]->value, variance);
}

TEST(Probe, ASubsampleIsNear) {
  const train::Settings s = small("dropout:0.2");
  const ProbePoint all = point(probe(s, 0, 4, 1 << 16), "emb"),
                   some = point(probe(s, 0, 4, 1000), "emb");
  EXPECT_EQ(all.sampled, all.values);
  EXPECT_EQ(some.sampled, 1000U);
  EXPECT_EQ(some.training[kVariance]->value, all.training[kVariance]->value);
  EXPECT_NEAR(some.w1->value, all.w1->value, 0.2 * all.w1->value);
}

TEST(Probe, WeightsMustFitAndBeNumbers) {
  const data::Corpus corpus = tests::small_corpus(4000, 400);
  train::TensorFile file;
  file.path = "w.safetensors";
  const auto run = [&] {
    return lab::measure_probe(
        small("dropout:0.1"), corpus, [&](engine::Params& to) { train::load_parameters(to, file); },
        {}, [](std::int64_t, std::int64_t) {});
  };
  EXPECT_ERROR(run(), "w.safetensors: has no tensor");
  engine::Params params;
  engine::Tape tape(params);
  models::record_gpt(tape, train::gpt_config(small("none"), corpus.vocab), 1, 24,
                     models::Mode::kEval);
  for (const engine::Param& p : params.list()) {
    train::Tensor t;
    t.dtype = "F32";
    for (int d = 0; d < static_cast<int>(p.shape.rank()); ++d) t.shape.push_back(p.shape[d]);
    const Floats nan(static_cast<std::size_t>(p.shape.numel()), NAN);
    const auto bytes = std::as_bytes(std::span(nan));
    t.bytes.assign(bytes.begin(), bytes.end());
    file.tensors[p.name] = t;
  }
  EXPECT_ERROR(run(), "emb: values in evaluation are not finite");
}

}  // namespace
