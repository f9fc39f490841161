// Every row of the noise table against a plain reference in double precision, and what each
// promises about moments.
#include "ops/noise.h"

#include <gtest/gtest.h>

#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstring>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "ops/noise-inl.h"

namespace ops {
void PrintTo(const NoiseKind& kind, std::ostream* out);

namespace {

using Floats = std::vector<float>;

Floats normals(std::size_t n, unsigned seed = 1) {
  std::mt19937 rng(seed);
  std::normal_distribution<float> d;
  Floats x(n);
  for (float& v : x) v = d(rng);
  return x;
}

/// (m, c) of an element, by the definition.
Affine reference(const NoiseKind& kind, const Noise& noise, double rate, const BatchRows& r,
                 std::size_t row, std::size_t column) {
  const std::uint64_t b = (r.first + row) / r.T;
  std::uint64_t unit = 0;
  switch (kind.granularity) {
    case Granularity::kElement:
    case Granularity::kWeight:
      unit = (r.first + row) * r.C + column;
      break;
    case Granularity::kLocked:
      unit = b * r.C + column;
      break;
    case Granularity::kToken:
      unit = r.first + row;
      break;
    case Granularity::kSample:
      unit = b;
      break;
    case Granularity::kHead:
      unit = b * r.heads + column / (r.C / r.heads);
      break;
    case Granularity::kVocabulary:
      unit = static_cast<std::uint64_t>(r.ids[row]);
      break;
    case Granularity::kStep:
      break;
  }
  const MaskStream& s = noise.stream;
  const std::uint16_t bits = engine::mask_bits(s.key, s.site, s.step, unit);
  if (kind.points != nullptr) {
    const TwoPoints p = kind.points(keep_probability(noise.threshold));
    return bits < noise.threshold ? p.kept : p.dropped;
  }
  const double u = (bits + 0.5) / 65536;
  const double deviation = kind.gaussian ? quantile(boost::math::normal(), u) : 2 * u - 1;
  return {1 + kind.spread(rate) * deviation, 0};
}

class EveryKind : public testing::TestWithParam<NoiseKind> {};
INSTANTIATE_TEST_SUITE_P(Noise, EveryKind,
                         testing::ValuesIn(noise_kinds().begin(), noise_kinds().end()),
                         [](const auto& i) { return std::string(i.param.name); });

TEST_P(EveryKind, EqualsTheReference) {
  const NoiseKind& kind = GetParam();
  const std::size_t widths[] = {12, 64, 66, 384, 1040};
  for (const std::size_t C : widths) {
    constexpr std::size_t kT = 7, kRows = 5 * kT;
    BatchRows rows{3 * kT, kT, C};
    rows.heads = 2;
    std::vector<std::int32_t> ids(kRows);
    for (std::size_t i = 0; i < kRows; ++i) ids[i] = static_cast<std::int32_t>(i * i % 11);
    rows.ids = ids.data();
    const double rate = 0.3;
    const Noise noise = prepare(kind, {.seed = 5, .index = 9}, 77, rate);
    const std::size_t n = kRows * C;
    const Floats x = normals(n, 1), h = normals(n, 2), before = normals(n, 4);
    Floats y(n), res(n), dx(n), dx_added = before, act(n);
    // In uneven pieces, as threads might.
    for (std::size_t begin = 0, end; begin < kRows; begin = end) {
      end = std::min(kRows, begin + 1 + begin % 4 * 3);
      noise_forward(noise, rows, begin, end, x.data(), y.data());
      noise_residual(noise, rows, begin, end, x.data(), h.data(), res.data());
      noise_backward(noise, rows, begin, end, x.data(), dx.data(), false);
      noise_backward(noise, rows, begin, end, x.data(), dx_added.data(), true);
      simd::noise_activation(noise, rows, begin, end, x.data(), act.data(), [](simd::VF v) {
        return simd::hn::Max(v, simd::hn::Zero(simd::kF32));
      });
    }
    for (std::size_t i = 0; i < n; ++i) {
      const Affine z = reference(kind, noise, rate, rows, i / C, i % C);
      const auto xd = static_cast<double>(x[i]);
      // Gaussian noise is scaled by 1.00001 for the variance of its 65536 values.
      const double tolerance = kind.gaussian ? 1e-4 : 2e-6;
      ASSERT_NEAR(y[i], z.m * xd + z.c, tolerance) << "row " << i / C << ", column " << i % C;
      ASSERT_NEAR(res[i], xd + z.m * static_cast<double>(h[i]) + z.c, tolerance) << i;
      ASSERT_NEAR(dx[i], z.m * xd, tolerance) << i;
      ASSERT_NEAR(dx_added[i], static_cast<double>(before[i]) + z.m * xd, tolerance) << i;
      ASSERT_NEAR(act[i], z.m * std::max(xd, 0.0) + z.c, tolerance) << i;
    }
    // The same bits in one piece.
    Floats whole(n);
    noise_forward(noise, rows, 0, kRows, x.data(), whole.data());
    EXPECT_EQ(whole, y);
  }
}

TEST_P(EveryKind, RateZeroIsAnExactCopy) {
  const BatchRows rows{0, 8, 48};
  Floats x = normals(16 * 48), y(x.size());
  x[5] = -0.0f;
  const Noise noise = prepare(GetParam(), {.seed = 5}, 77, 0);
  EXPECT_TRUE(noise.identity());
  noise_forward(noise, rows, 0, 16, x.data(), y.data());
  EXPECT_EQ(std::memcmp(x.data(), y.data(), x.size() * sizeof(float)), 0);
  EXPECT_EQ(noise_factor(GetParam(), 0, NoiseForm::kEvaluation), 1);
}

TEST_P(EveryKind, RefusesRatesThatMakeNoSense) {
  for (const double rate : {-0.1, 1.0, 1.5, std::nan("")})
    EXPECT_THROW(prepare(GetParam(), {}, 0, rate), base::Error) << rate;
  if (GetParam().points != nullptr) {
    EXPECT_THROW(prepare(GetParam(), {}, 0, 1 - 1e-7), base::Error);
  }
}

// Two micro-steps of 6 rows give the masks of one step of 12.
TEST_P(EveryKind, MicroStepsGiveTheMasksOfTheWholeBatch) {
  constexpr std::size_t kT = 4, kC = 20;
  const Floats x(12 * kT * kC, 1.0f);
  std::vector<std::int32_t> ids(12 * kT, 3);
  Floats whole(x.size()), parts(x.size());
  const Noise noise = prepare(GetParam(), {.seed = 1, .index = 2}, 3, 0.5);
  BatchRows rows{0, kT, kC, 2, ids.data()};
  noise_forward(noise, rows, 0, 12 * kT, x.data(), whole.data());
  noise_forward(noise, rows, 0, 6 * kT, x.data(), parts.data());
  rows.first = 6 * kT;
  noise_forward(noise, rows, 0, 6 * kT, x.data(), parts.data() + 6 * kT * kC);
  EXPECT_EQ(whole, parts);
}

struct Moments {
  double mean = 0, variance = 0, third = 0, fourth = 0;
};
Moments moments(const Floats& x) {
  Moments m;
  const auto n = static_cast<double>(x.size());
  for (const float v : x) m.mean += static_cast<double>(v) / n;
  for (const float v : x) {
    const double d = static_cast<double>(v) - m.mean;
    m.variance += d * d / n;
    m.third += d * d * d / n;
    m.fourth += d * d * d * d / n;
  }
  return m;
}

Floats apply(std::string_view kind, double rate, const Floats& x) {
  Floats y(x.size());
  noise_forward(prepare(noise_kind(kind), {.seed = 21, .index = 1}, 4, rate), BatchRows{0, 1, 1024},
                0, x.size() / 1024, x.data(), y.data());
  return y;
}

constexpr std::size_t kMany = 1 << 21;
constexpr double kRoot = 1448.15;  // √kMany

// E[m] = 1 and E[m²] = 1/q, for dropout and for gaussian dropout; 1 + p²/3 for uout.
TEST(NoiseMoments, OfTheMultiplier) {
  const Floats ones(kMany, 1.0f);
  for (const double p : {0.05, 0.1, 0.2, 0.5}) {
    for (const auto& [kind, variance] : {std::pair{"dropout", p / (1 - p)},
                                         {"gaussian_dropout", p / (1 - p)},
                                         {"weight_noise", p / (1 - p)},
                                         {"uout", p * p / 3}}) {
      const Moments m = moments(apply(kind, p, ones));
      const double kurtosis = m.fourth / (m.variance * m.variance);
      EXPECT_NEAR(m.mean, 1, 4 * std::sqrt(variance) / kRoot) << kind << ' ' << p;
      EXPECT_NEAR(m.variance / variance, 1, 4 * std::sqrt(kurtosis - 1) / kRoot + 2e-4)
          << kind << ' ' << p;
    }
  }
}

// Zero-mean input: the mean stays, the variance grows by 1/q.
TEST(NoiseMoments, InvertedDropoutOfNormalInput) {
  const Floats x = normals(kMany);
  for (const double p : {0.1, 0.5}) {
    const Moments m = moments(apply("dropout", p, x));
    EXPECT_NEAR(m.mean, 0, 4 / std::sqrt(1 - p) / kRoot);
    EXPECT_NEAR(m.variance * (1 - p), 1, 4 * std::sqrt(3 / (1 - p) - 1) / kRoot);
  }
}

TEST(AlphaDropout, Constants) {
  const TwoPoints half = alpha_points(0.5), tenth = alpha_points(0.9);
  EXPECT_NEAR(half.kept.m, 0.886405, 5e-7);
  EXPECT_NEAR(half.kept.c, 0.779194, 5e-7);
  EXPECT_NEAR(half.kept.m * 1 + half.kept.c, 1.665599, 1e-6);
  EXPECT_NEAR(half.kept.m * -1 + half.kept.c, -0.107211, 1e-6);
  EXPECT_EQ(half.dropped.m, 0);
  EXPECT_NEAR(half.dropped.c, -0.779194, 5e-7);
  EXPECT_NEAR(tenth.kept.m, 0.921285, 5e-7);
  EXPECT_NEAR(tenth.kept.c, 0.161971, 5e-7);
  EXPECT_NEAR(tenth.dropped.c, -1.457739, 5e-7);
}

// Mean 0 and variance 1 of a standard normal input stay; third and fourth moments do not.
TEST(AlphaDropout, KeepsMeanAndVarianceAlone) {
  const Floats x = normals(kMany);
  for (const double p : {0.05, 0.1, 0.2, 0.5}) {
    const Moments m = moments(apply("alpha_dropout", p, x));
    EXPECT_NEAR(m.mean, 0, 4 / kRoot) << p;
    EXPECT_NEAR(m.variance, 1, 4 * std::sqrt(m.fourth - 1) / kRoot) << p;
    EXPECT_GT(std::abs(m.third), 4 * std::sqrt(15.0) / kRoot) << p;
    EXPECT_GT(std::abs(m.fourth - 3), 4 * std::sqrt(96.0) / kRoot) << p;
  }
}

// √E[m²] of what is drawn: over 2^18 elements the mean square lies within 1 %.
TEST_P(EveryKind, RootMeanSquareIsThatOfTheNoise) {
  const NoiseKind& kind = GetParam();
  EXPECT_EQ(noise_factor(kind, 0, NoiseForm::kRootMeanSquare), 1);
  if (kind.shifts()) {
    EXPECT_EQ(noise_factor(kind, 0.3, NoiseForm::kRootMeanSquare), 1);
    return;
  }
  const Noise noise = prepare(kind, {7, 0, 0, 0}, 5, 0.3);
  double square = 0;
  constexpr int kSteps = 4096;
  constexpr std::size_t kC = 64;
  if (kind.granularity != Granularity::kElement) return;  // one draw for many: the same points
  std::vector<float> x(kSteps * kC, 1.0F), y(x.size());
  noise_forward(noise, {0, 1, kC}, 0, kSteps, x.data(), y.data());
  for (const float v : y) square += static_cast<double>(v) * static_cast<double>(v);
  EXPECT_NEAR(std::pow(noise_factor(kind, 0.3, NoiseForm::kRootMeanSquare), 2),
              square / static_cast<double>(y.size()), 0.01);
}

TEST(Noise, OriginalDropoutScalesInEvaluation) {
  const NoiseKind& original = noise_kind("dropout_original");
  EXPECT_DOUBLE_EQ(noise_factor(original, 0.25, NoiseForm::kEvaluation), 0.75);
  EXPECT_DOUBLE_EQ(noise_factor(noise_kind("dropout"), 0.25, NoiseForm::kEvaluation), 1);
  const Floats y = apply("dropout_original", 0.25, Floats(1024, 3.0f));
  for (const float v : y) EXPECT_TRUE(v == 0 || v == 3);
}

TEST(Noise, UnknownKindNamesTheValidOnes) {
  try {
    noise_kind("droput");
    FAIL();
  } catch (const base::Error& e) {
    EXPECT_NE(std::string(e.what()).find("droput"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("drop_path"), std::string::npos);
  }
}

}  // namespace

void PrintTo(const NoiseKind& kind, std::ostream* out) { *out << kind.name; }
}  // namespace ops
