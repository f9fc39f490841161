// CentralMoments and distances of samples against closed forms.
#include "lab/stats/moments.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/rng.h"

namespace {

using Floats = std::vector<float>;
using lab::CentralMoments;

CentralMoments moments(const Floats& values) {
  CentralMoments m;
  m.add(values);
  return m;
}

TEST(CentralMoments, OfFourNumbers) {
  const CentralMoments m = moments({1, 2, 3, 10});  // deviations −3 −2 −1 6
  EXPECT_DOUBLE_EQ(*m.mean(), 4);
  EXPECT_DOUBLE_EQ(*m.variance(), 50 / 4.0);
  EXPECT_DOUBLE_EQ(*m.skewness(), 180 / 4.0 / std::pow(12.5, 1.5));
  EXPECT_DOUBLE_EQ(*m.kurtosis(), 1394 / 4.0 / (12.5 * 12.5) - 3);
}

// 0 with probability p, else 1: skewness (p − q)/√(pq), excess kurtosis (1 − 6pq)/(pq).
TEST(CentralMoments, OfABernoulliFarFromZeroInManyChunks) {
  constexpr std::size_t kN = 1'000'000;
  constexpr double kP = 0.2, kFar = 4096;
  Floats values(kN);
  for (std::size_t i = 0; i < kN; ++i) values[i] = static_cast<float>(kFar + (i % 5 == 0 ? 0 : 1));
  const CentralMoments m = moments(values);
  const double q = 1 - kP;
  EXPECT_NEAR(*m.mean(), kFar + q, 1e-9);
  EXPECT_NEAR(*m.variance(), kP * q, 1e-12);
  EXPECT_NEAR(*m.skewness(), (kP - q) / std::sqrt(kP * q), 1e-9);
  EXPECT_NEAR(*m.kurtosis(), (1 - 6 * kP * q) / (kP * q), 1e-9);
}

TEST(CentralMoments, OfANormalAndAUniform) {
  engine::Sequence random(engine::stream_key(5, engine::Stream::kSample), 2);
  constexpr std::size_t kN = 400'000;
  Floats normal(kN), uniform(kN);
  for (std::size_t i = 0; i < kN; ++i) {
    const double u = 1 - random.uniform(), v = random.uniform();
    normal[i] = static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v));
    uniform[i] = static_cast<float>(random.uniform());
  }
  const double se = 1 / std::sqrt(static_cast<double>(kN));
  const CentralMoments n = moments(normal), u = moments(uniform);
  EXPECT_NEAR(*n.mean(), 0, 5 * se);
  EXPECT_NEAR(*n.variance(), 1, 5 * std::sqrt(2.0) * se);
  EXPECT_NEAR(*n.skewness(), 0, 5 * std::sqrt(6.0) * se);
  EXPECT_NEAR(*n.kurtosis(), 0, 5 * std::sqrt(24.0) * se);
  EXPECT_NEAR(*u.mean(), 0.5, 5 * std::sqrt(1 / 12.0) * se);
  EXPECT_NEAR(*u.variance(), 1 / 12.0, 0.001);
  EXPECT_NEAR(*u.kurtosis(), -1.2, 0.01);
}

TEST(CentralMoments, PiecesGiveTheWhole) {
  Floats values(1000);
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(std::sin(static_cast<double>(i * i)));
  const CentralMoments whole = moments(values);
  CentralMoments joined;
  for (std::size_t begin = 0; begin < values.size(); begin += 37)
    joined.add(std::span(values).subspan(begin, std::min<std::size_t>(37, values.size() - begin)));
  EXPECT_EQ(joined.count(), 1000);
  EXPECT_NEAR(*joined.mean(), *whole.mean(), 1e-14);
  EXPECT_NEAR(*joined.variance(), *whole.variance(), 1e-14);
  EXPECT_NEAR(*joined.skewness(), *whole.skewness(), 1e-12);
  EXPECT_NEAR(*joined.kurtosis(), *whole.kurtosis(), 1e-12);
}

TEST(CentralMoments, WhatIsNotKnownIsNotMadeUp) {
  EXPECT_FALSE(CentralMoments().mean().has_value());
  EXPECT_FALSE(CentralMoments().variance().has_value());
  const CentralMoments same = moments(Floats(70'000, 0.1F));
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

}  // namespace
