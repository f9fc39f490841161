// The moment probe: its arithmetic against closed forms, its values against the model's own, and
// what theory says about dropout.
#include "lab/probe.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <numeric>

#include "engine/rng.h"
#include "lab/moments.h"
#include "lab/probe_pass.h"
#include "lab/probe_render.h"
#include "ops/ops.h"
#include "tests/expect_error.h"
#include "tests/small_corpus.h"
#include "train/architecture.h"

namespace {

using Floats = std::vector<float>;
using lab::Estimate;
using lab::Moments;
using lab::Probe;
using lab::ProbePoint;

// --- arithmetic -------------------------------------------------------------------------------

Moments moments(const Floats& values) {
  Moments m;
  m.add(values);
  return m;
}

TEST(Moments, OfFourNumbers) {
  const Moments m = moments({1, 2, 3, 10});  // deviations −3 −2 −1 6
  EXPECT_DOUBLE_EQ(*m.mean(), 4);
  EXPECT_DOUBLE_EQ(*m.variance(), 50 / 4.0);
  EXPECT_DOUBLE_EQ(*m.skewness(), 180 / 4.0 / std::pow(12.5, 1.5));
  EXPECT_DOUBLE_EQ(*m.kurtosis(), 1394 / 4.0 / (12.5 * 12.5) - 3);
}

// A coin with values 0 (share p) and 1/q: mean 1, variance p/q, skewness (q − p)/√(pq) mirrored.
TEST(Moments, OfABernoulliFarFromZeroInManyChunks) {
  constexpr std::size_t kN = 1'000'000;
  constexpr double kP = 0.2, kFar = 4096;
  Floats values(kN);
  for (std::size_t i = 0; i < kN; ++i) values[i] = static_cast<float>(kFar + (i % 5 == 0 ? 0 : 1));
  const Moments m = moments(values);
  const double q = 1 - kP;
  EXPECT_NEAR(*m.mean(), kFar + q, 1e-9);
  EXPECT_NEAR(*m.variance(), kP * q, 1e-12);
  EXPECT_NEAR(*m.skewness(), (kP - q) / std::sqrt(kP * q), 1e-9);
  EXPECT_NEAR(*m.kurtosis(), (1 - 6 * kP * q) / (kP * q), 1e-9);
}

TEST(Moments, OfANormalAndAUniform) {
  engine::Sequence random(engine::stream_key(5, engine::Stream::kSample), 2);
  constexpr std::size_t kN = 400'000;
  Floats normal(kN), uniform(kN);
  for (std::size_t i = 0; i < kN; ++i) {
    const double u = 1 - random.uniform(), v = random.uniform();
    normal[i] = static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v));
    uniform[i] = static_cast<float>(random.uniform());
  }
  const double se = 1 / std::sqrt(static_cast<double>(kN));
  const Moments n = moments(normal), u = moments(uniform);
  EXPECT_NEAR(*n.mean(), 0, 5 * se);
  EXPECT_NEAR(*n.variance(), 1, 5 * std::sqrt(2.0) * se);
  EXPECT_NEAR(*n.skewness(), 0, 5 * std::sqrt(6.0) * se);
  EXPECT_NEAR(*n.kurtosis(), 0, 5 * std::sqrt(24.0) * se);
  EXPECT_NEAR(*u.mean(), 0.5, 5 * std::sqrt(1 / 12.0) * se);
  EXPECT_NEAR(*u.variance(), 1 / 12.0, 0.001);
  EXPECT_NEAR(*u.kurtosis(), -1.2, 0.01);
}

TEST(Moments, PiecesGiveTheWhole) {
  Floats values(1000);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(std::sin(static_cast<double>(i * i)));
  const Moments whole = moments(values);
  Moments joined;
  for (std::size_t begin = 0; begin < values.size(); begin += 37)
    joined.add(std::span(values).subspan(begin, std::min<std::size_t>(37, values.size() - begin)));
  EXPECT_EQ(joined.count(), 1000);
  EXPECT_NEAR(*joined.mean(), *whole.mean(), 1e-14);
  EXPECT_NEAR(*joined.variance(), *whole.variance(), 1e-14);
  EXPECT_NEAR(*joined.skewness(), *whole.skewness(), 1e-12);
  EXPECT_NEAR(*joined.kurtosis(), *whole.kurtosis(), 1e-12);
}

TEST(Moments, WhatIsNotKnownIsNotMadeUp) {
  EXPECT_FALSE(Moments().mean().has_value());
  EXPECT_FALSE(Moments().variance().has_value());
  const Moments same = moments(Floats(70'000, 0.1F));
  EXPECT_EQ(*same.mean(), static_cast<double>(0.1F));
  EXPECT_EQ(*same.variance(), 0);
  EXPECT_FALSE(same.skewness().has_value());
  EXPECT_FALSE(same.kurtosis().has_value());
  EXPECT_TRUE(same.finite());
  EXPECT_FALSE(moments({1, INFINITY}).finite());
  EXPECT_FALSE(moments({1, NAN}).finite());
}

TEST(Wasserstein, OfAShiftAndAStretch) {
  Floats a(501), b(501), twice(501);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(i) / 64 - 2;
    b[i] = a[i] + 0.75F;
    twice[i] = 2 * a[i];
  }
  EXPECT_EQ(lab::wasserstein1(a, a), 0);
  EXPECT_DOUBLE_EQ(lab::wasserstein1(a, b), 0.75);
  EXPECT_DOUBLE_EQ(lab::wasserstein1(b, a), 0.75);
  double mean_size = 0;  // F⁻¹ and 2F⁻¹ are |F⁻¹| apart
  for (const float x : a) mean_size += std::abs(static_cast<double>(x)) / 501;
  EXPECT_NEAR(lab::wasserstein1(a, twice), mean_size, 1e-12);
}

TEST(Subsample, OnePositionInEachStretch) {
  const lab::Subsample all(100, 100);
  for (std::uint64_t k = 0; k < 100; ++k) EXPECT_EQ(all.position(k), k);
  for (const std::uint64_t n : {101ULL, 12345ULL, (1ULL << 40) + 7}) {
    const lab::Subsample some(n, 100);
    ASSERT_EQ(some.size(), 100U);
    bool regular = true;
    for (std::uint64_t k = 0; k < 100; ++k) {
      EXPECT_GE(some.position(k), n * k / 100) << n;
      EXPECT_LT(some.position(k), (n * (k + 1) + 99) / 100) << n;
      if (k > 1)
        regular = regular && some.position(k) - some.position(k - 1) ==
                                 some.position(k - 1) - some.position(k - 2);
    }
    EXPECT_FALSE(regular) << n;  // a stride could fall in step with the channels
  }
}

// --- the values are the model's own -----------------------------------------------------------

train::Settings small(const std::string& reg) {
  train::Settings s;
  s.n_layer = 2, s.n_head = 2, s.n_embd = 16, s.block_size = 24, s.batch = 6;
  train::set(s, "reg", reg);
  return s;
}

/// A model in one mode, with its values at hand.
struct Recorded {
  engine::Params params;
  models::GptConfig config;
  models::Gpt gpt;
  std::optional<engine::Plan> plan;
  std::vector<std::int32_t> tokens, targets;
  std::vector<engine::Ref> returned;  // per site, but for attention weights

  Recorded(const std::string& reg, models::Mode mode) {
    config = train::gpt_config(small(reg), 15);
    const models::Hooks hooks(config.regularizers, mode, config.n_layer);
    engine::Tape tape(params);
    gpt = models::record_gpt(tape, config, 6, config.block_size, mode);
    for (const models::HookSite& s : gpt.sites)
      returned.push_back(s.hook == models::HookId::kAttnWeights
                             ? engine::Ref{}
                             : hooks.apply(tape, s.hook, s.layer, s.x, gpt.tokens));
    engine::PlanOptions options;
    options.training = false;
    for (std::size_t i = 0; i < tape.values().size(); ++i)
      if (tape.values()[i].producer >= 0) options.keep.push_back({static_cast<int>(i)});
    plan.emplace(std::move(tape), gpt.loss, options);
    params.allocate(3);
    tokens.resize(static_cast<std::size_t>(6 * config.block_size));
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i % 15);
    targets = tokens;
    plan->bind(gpt.tokens, tokens.data());
    plan->bind(gpt.targets, targets.data());
  }
  Floats value(engine::Ref r) const {
    const engine::View v = plan->view(r);
    return {v.f32(), v.f32() + v.shape->numel()};
  }
  const engine::Node& node(std::string_view name) const {
    for (const engine::Node& n : plan->tape().nodes())
      if (n.name == name) return n;
    throw std::logic_error(std::string(name));
  }
};

constexpr engine::Step kStep{.seed = 7, .index = 2, .first_row = 12, .progress = 0.5};

TEST(ProbePass, ReturnsWhatTheModelAdds) {
  Recorded m("dropout:0.3+gaussian_dropout:0.2@attn/mlp+layer_drop:0.4", models::Mode::kTrain);
  m.plan->forward(kStep);
  int branches = 0;
  for (std::size_t s = 0; s < m.gpt.sites.size(); ++s) {
    const auto& [hook, layer, x, behind] = m.gpt.sites[s];
    if (hook != models::HookId::kAttn && hook != models::HookId::kMlp) continue;
    const engine::Node& node = m.node(models::site_name(hook, layer) + ".residual");
    const Floats stream = m.value(node.in[0]), sum = m.value(node.out), b = m.value(m.returned[s]);
    for (std::size_t i = 0; i < sum.size(); ++i)
      ASSERT_NEAR(stream[i] + b[i], sum[i], 1e-6) << node.name << ' ' << i;
    ++branches;
  }
  EXPECT_EQ(branches, 4);
}

// The weights that the fused op is asked for, times its values, are what it computed.
TEST(ProbePass, AttentionWeightsAreTheOnesUsed) {
  for (const char* reg : {"none", "dropout:0.3@attn_weights", "drop_head:0.5",
                          "gaussian_dropout:0.3@attn_weights", "dropout_original:0.3"})
    for (const models::Mode mode : {models::Mode::kTrain, models::Mode::kEval}) {
      Recorded m(reg, mode);
      m.plan->forward(kStep);
      const models::Hooks hooks(m.config.regularizers, mode, m.config.n_layer);
      const std::size_t B = 6, T = 24, C = 16, NH = 2, hs = 8;
      for (const models::HookSite& site : m.gpt.sites) {
        if (site.hook != models::HookId::kAttnWeights) continue;
        lab::AttentionWeights weights(m.params, m.config, hooks, site,
                                      m.plan->tape().shape(site.x));
        const Floats qkv = m.value(site.x), out = m.value(site.behind);
        std::vector<double> expected(out.size(), 0.0);
        std::uint64_t count = 0;
        std::size_t key = 0;
        weights.run(kStep, qkv.data(), [&](std::span<const float> w) {
          std::size_t at = 0;
          for (std::size_t row = 0; row < B * T; ++row)
            for (std::size_t h = 0; h < NH; ++h)
              for (std::size_t j = key; j < std::min(key + hs, row % T + 1); ++j, ++at)
                for (std::size_t d = 0; d < hs; ++d)
                  expected[row * C + h * hs + d] +=
                      static_cast<double>(w[at]) *
                      static_cast<double>(qkv[(row / T * T + j) * 3 * C + 2 * C + h * hs + d]);
          EXPECT_EQ(at, w.size());
          count += w.size();
          key += hs;
        });
        EXPECT_EQ(count, weights.count());
        EXPECT_EQ(count, B * NH * T * (T + 1) / 2);
        for (std::size_t i = 0; i < out.size(); ++i)
          ASSERT_NEAR(expected[i], static_cast<double>(out[i]), 1e-6) << reg << ' ' << i;
      }
    }
}

TEST(ProbePass, SitesAreEveryHookWithTheNextProduct) {
  const Recorded m("none", models::Mode::kEval);
  std::vector<std::string> sites;
  for (const models::HookSite& s : m.gpt.sites)
    sites.push_back(models::site_name(s.hook, s.layer) + " > " +
                    m.plan->tape().value(s.behind).name);
  EXPECT_EQ(sites,
            (std::vector<std::string>{"emb > h.0.attn.c_attn", "h.0.attn_weights > h.0.attn",
                                      "h.0.attn > h.0.mlp.c_fc", "h.0.mlp_hidden > h.0.mlp.c_proj",
                                      "h.0.mlp > h.1.attn.c_attn", "h.1.attn_weights > h.1.attn",
                                      "h.1.attn > h.1.mlp.c_fc", "h.1.mlp_hidden > h.1.mlp.c_proj",
                                      "h.1.mlp > head"}));
}

// --- what theory says -------------------------------------------------------------------------

Probe probe(const train::Settings& settings, double progress = 0.5, std::int64_t masks = 32,
            std::uint64_t sample = 5000) {
  static const train::Corpus corpus = tests::small_corpus(4000, 400);
  lab::ProbeOptions options;
  options.masks = masks, options.tokens = 400, options.progress = progress;
  options.sample = sample;
  return lab::measure_probe(settings, corpus, nullptr, options, [](std::int64_t, std::int64_t) {});
}

const ProbePoint& point(const Probe& p, const std::string& site, bool behind = false) {
  for (const ProbePoint& point : p.points)
    if (point.site == site && point.behind() == behind) return point;
  throw std::logic_error(site);
}

/// Within 5 standard errors of a mean over 32 masks: once in 50 000 by chance.
void expect_near(const std::optional<Estimate>& e, double expected, const std::string& what) {
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
      "dropout:0.3@emb/attn_weights/attn/mlp_hidden/mlp~early:0.2+drop_connect:0.2~early:0.2");
  const Probe result = probe(early, 0.5, 2);
  ASSERT_EQ(result.points.size(), 18U);
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

// Evaluation comes first: training moves the running statistics that it reads.
TEST(Probe, TrainingLeavesEvaluationAlone) {
  train::Settings s = small("none");
  train::set(s, "norm", "batchnorm");
  const Probe few = probe(s, 0, 2), many = probe(s, 0, 5);
  for (std::size_t i = 0; i < few.points.size(); ++i)
    EXPECT_EQ(few.points[i].evaluation, many.points[i].evaluation) << few.points[i].site;
  EXPECT_GT(point(few, "emb", true).w1->value, 0);
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
  const train::Corpus corpus = tests::small_corpus(4000, 400);
  train::TensorFile file;
  file.path = "w.safetensors";
  const auto run = [&] {
    return lab::measure_probe(small("dropout:0.1"), corpus, &file, {},
                              [](std::int64_t, std::int64_t) {});
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
