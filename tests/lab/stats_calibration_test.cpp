// Scores of probabilities and of normal forecasts: against values made by
// scripts/golden_studies.py, by hand, and by simulation.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "engine/rng.h"
#include "lab/stats/forecasts.h"
#include "tests/lab/expect_close.h"
#include "tests/lab/stats_studies_golden.h"

namespace {

using golden::Values;
using lab::Forecast;
using lab::Interval;
using lab::Logits;
using tests::expect_close;

struct Rows {
  std::vector<float> z;
  std::vector<std::int32_t> labels;
  Logits view() const { return {z, z.size() / labels.size(), labels}; }
};

Rows rows_of(const golden::Classes& g) {
  Rows rows;
  for (const double v : g.z) rows.z.push_back(static_cast<float>(v));
  for (const double v : g.labels) rows.labels.push_back(static_cast<std::int32_t>(v));
  return rows;
}

TEST(Calibration, ASingleClassIsCertain) {
  const Rows rows{{1.5F, -3.0F, 0.0F}, {0, 0, 0}};
  EXPECT_EQ(lab::nll(rows.view()), 0);
  EXPECT_EQ(lab::brier(rows.view(), 2), 0);
  const lab::Temperature best = lab::fit_temperature(rows.view());
  EXPECT_EQ(best.value, 1);
  EXPECT_EQ(best.nll, 0);
  EXPECT_FALSE(best.at_edge);
  for (const Forecast& f : lab::top_label(rows.view())) EXPECT_TRUE(f.hit && f.p == 1);
  EXPECT_THROW((void)lab::nll(Logits{}), base::Error) << "none is still wrong";
}

TEST(Calibration, MatchesScikitLearn) {
  for (const golden::Classes& g : golden::kClasses) {
    const Rows rows = rows_of(g);
    const Logits in = rows.view();
    expect_close(lab::nll(in), g.want[0]);
    expect_close(lab::brier(in), g.want[1]);
    const lab::Temperature best = lab::fit_temperature(in);
    EXPECT_FALSE(best.at_edge);
    expect_close(best.value, g.want[2], 1e-6);
    expect_close(best.nll, g.want[3], 1e-10);
    expect_close(lab::nll(in, best.value), best.nll);
    EXPECT_LT(best.nll, lab::nll(in, best.value * 1.01));
    EXPECT_LT(best.nll, lab::nll(in, best.value / 1.01));
    const auto r = lab::reliability(lab::top_label(in), 5).value();
    ASSERT_EQ(r.bins.size(), 5u);
    expect_close(r.ece, g.want[4]);
    expect_close(r.ece_debiased, g.want[5]);
    expect_close(r.squared_debiased, g.want[6]);
  }
}

TEST(Calibration, ByHand) {
  const Rows rows{{0, 0, std::log(3.0f), 0}, {0, 0}};  // ½, ¾
  EXPECT_NEAR(lab::nll(rows.view()), -(std::log(0.5) + std::log(0.75)) / 2, 1e-7);
  EXPECT_NEAR(lab::brier(rows.view()), (0.5 + 0.125) / 2, 1e-7);
  const auto top = lab::top_label(rows.view());
  EXPECT_EQ(top[0].p, 0.5);  // tied: the first class
  EXPECT_TRUE(top[0].hit);
  EXPECT_NEAR(lab::top_label(rows.view(), 0.5)[1].p, 0.9, 1e-7);  // 3² : 1
  const Rows far{{1e30f, -1e30f, 1e30f, -1e30f}, {0, 1}};
  EXPECT_NEAR(lab::nll(far.view()), 1e30, 1e23);
}

TEST(Calibration, TemperatureAtItsEdge) {
  const Rows right{{1, 0, 0, 1}, {0, 1}}, wrong{{1, 0, 0, 1}, {1, 0}};
  const lab::Temperature cold = lab::fit_temperature(right.view());
  EXPECT_TRUE(cold.at_edge);
  EXPECT_EQ(cold.value, 0.01);
  EXPECT_EQ(cold.nll, lab::nll(right.view(), 0.01));
  const lab::Temperature hot = lab::fit_temperature(wrong.view());
  EXPECT_TRUE(hot.at_edge);
  EXPECT_EQ(hot.value, 100);
}

TEST(Calibration, Errors) {
  const Rows good{{1, 0, 0, 1}, {0, 1}};
  EXPECT_THROW(lab::nll(good.view(), 0), base::Error);
  EXPECT_THROW(lab::brier(good.view(), std::nan("")), base::Error);
  const Rows beyond{{1, 0, 0, 1}, {0, 2}}, negative{{1, 0}, {-1}};
  for (const Rows& rows : {beyond, negative, Rows{{1, std::nanf("")}, {0}}}) {
    EXPECT_THROW(lab::nll(rows.view()), base::Error);
    EXPECT_THROW(lab::brier(rows.view()), base::Error);
    EXPECT_THROW(lab::top_label(rows.view()), base::Error);
    EXPECT_THROW(lab::fit_temperature(rows.view()), base::Error);
  }
  EXPECT_THROW(lab::nll({good.z, 3, good.labels}), base::Error);
  EXPECT_THROW(lab::nll({{}, 2, {}}), base::Error);
  EXPECT_THROW(lab::reliability({{0.5, true}, {1.5, false}}), base::Error);
  EXPECT_THROW(lab::reliability({{0.5, true}, {0.5, false}}, 0), base::Error);
  EXPECT_FALSE(lab::reliability({{0.5, true}}).has_value());
}

TEST(Reliability, BinsOfEqualMassKeepTiesTogether) {
  std::vector<Forecast> f;
  for (int i = 0; i < 10; ++i) f.push_back({i < 5 ? 0.2 : i < 8 ? 0.5 : 0.9, i % 2 == 0});
  const auto r = lab::reliability(f, 3).value();  // cuts due at 3 and 6, moved to 5 and 8
  ASSERT_EQ(r.bins.size(), 3u);
  EXPECT_EQ(r.bins[0].count, 5);
  EXPECT_EQ(r.bins[1].count, 3);
  EXPECT_NEAR(r.bins[0].mean_p, 0.2, 1e-12);
  EXPECT_NEAR(r.bins[0].hit_rate, 0.6, 1e-12);
  EXPECT_NEAR(r.ece, 0.5 * 0.4 + 0.3 * (0.5 - 1.0 / 3) + 0.2 * 0.4, 1e-12);
  std::reverse(f.begin(), f.end());
  const auto turned = lab::reliability(f, 3).value();
  EXPECT_EQ(turned.ece, r.ece);
  EXPECT_EQ(turned.ece_debiased, r.ece_debiased);
  EXPECT_EQ(lab::reliability(f, 1)->bins.size(), 1u);
  // A single forecast left over joins the bin before it.
  EXPECT_EQ(lab::reliability({{0.1, true}, {0.2, true}, {0.3, true}}, 3)->bins.size(), 1u);
  // Nothing missed, nothing to take off.
  const auto sure = lab::reliability({{1, true}, {1, true}, {0, false}, {0, false}}, 2).value();
  EXPECT_EQ(sure.ece, 0);
  EXPECT_EQ(sure.ece_debiased, 0);
}

// A perfect forecaster, and one that is 0.1 too sure: what is left of the bias.
TEST(Reliability, DebiasingOnSimulatedForecasts) {
  constexpr int kTrials = 400, kForecasts = 600;
  for (const double gap : {0.0, 0.1}) {
    engine::Sequence random(engine::stream_key(7, engine::Stream::kSample), 0);
    double ece = 0, debiased = 0, squared = 0, squares = 0;
    for (int trial = 0; trial < kTrials; ++trial) {
      std::vector<Forecast> f;
      for (int i = 0; i < kForecasts; ++i) {
        const double p = 0.2 + 0.7 * random.uniform();
        f.push_back({p, random.uniform() < p - gap});
      }
      const auto r = lab::reliability(std::move(f)).value();
      ece += r.ece / kTrials;
      debiased += r.ece_debiased / kTrials;
      squared += r.squared_debiased / kTrials;
      squares += r.squared_debiased * r.squared_debiased / kTrials;
    }
    const double error = 4 * std::sqrt((squares - squared * squared) / kTrials);
    EXPECT_NEAR(squared, gap * gap, error + 2e-4);  // forecasts within a bin differ: a trifle
    EXPECT_LT(std::abs(debiased - gap), 0.65 * std::abs(ece - gap));
    EXPECT_GT(ece, gap + (gap == 0 ? 0.04 : 0.004));
  }
}

TEST(Normal, MatchesIntegrals) {
  for (const golden::Normal& g : golden::kNormal) {
    const lab::Gaussian forecast{g.forecast[0], g.forecast[1]};
    expect_close(lab::gaussian_crps(forecast, g.forecast[2]), g.want[0], 1e-8);
    expect_close(lab::gaussian_nll(forecast, g.forecast[2]), g.want[1]);
    const Interval ci = lab::central_interval(forecast, 0.9);
    expect_close(ci.lo, g.want[2]);
    expect_close(ci.hi, g.want[3]);
  }
  EXPECT_EQ(lab::gaussian_crps({1, 0}, 3), 2);
}

TEST(Normal, CoverageCountsEnds) {
  const std::vector<Interval> ci = {{0, 1}, {0, 1}, {0, 1}, {0, 1}};
  EXPECT_EQ(lab::coverage(ci, Values{0, 1, 1.1, -0.1}), 0.5);
  EXPECT_THROW(lab::coverage(ci, Values{0}), base::Error);
  EXPECT_THROW(lab::coverage({}, {}), base::Error);
}

}  // namespace
