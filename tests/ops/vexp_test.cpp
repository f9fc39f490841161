#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "ops/vexp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace {
namespace hn = hwy::HWY_NAMESPACE;
constexpr hn::ScalableTag<float> kF{};

/// f of every element of x. REQUIRES: x.size() is a multiple of the lanes.
template <class F>
std::vector<float> map(const std::vector<float>& x, const F& f) {
  std::vector<float> y(x.size());
  for (std::size_t i = 0; i < x.size(); i += hn::Lanes(kF))
    hn::StoreU(f(hn::LoadU(kF, x.data() + i)), kF, y.data() + i);
  return y;
}

std::vector<float> range(double from, double to) {
  std::vector<float> x(1 << 20);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(from + (to - from) * static_cast<double>(i) / (1 << 20));
  return x;
}

/// Largest error in units of the last place of the true value.
template <class G>
double worst_ulp(const std::vector<float>& x, const std::vector<float>& y, const G& truth) {
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double t = truth(static_cast<double>(x[i]));
    const double ulp = std::ldexp(1.0, std::ilogb(t) - 23);
    worst = std::max(worst, std::fabs(static_cast<double>(y[i]) - t) / ulp);
  }
  return worst;
}

TEST(Vexp, Exp2IsAccurate) {
  for (const auto& x : {range(-126, 127.4), range(-1, 1)}) {
    const auto y = map(x, [](auto v) { return ops::simd::exp2(kF, v); });
    EXPECT_LT(worst_ulp(x, y, [](double v) { return std::exp2(v); }), 1.5);
  }
}

TEST(Vexp, ExpIsAccurate) {
  for (const auto& x : {range(-87.3, 88.2), range(-1, 1)}) {
    const auto y = map(x, [](auto v) { return ops::simd::exp(kF, v); });
    EXPECT_LT(worst_ulp(x, y, [](double v) { return std::exp(v); }), 1.5);
  }
}

TEST(Vexp, Log2IsAccurate) {
  for (const auto& x : {range(1, 2000), range(0.5, 2), range(1e-30, 1e-20)}) {
    const auto y = map(x, [](auto v) { return ops::simd::log2(kF, v); });
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double t = std::log2(static_cast<double>(x[i]));
      ASSERT_NEAR(static_cast<double>(y[i]), t, 1.5e-7 * std::max(1.0, std::fabs(t))) << x[i];
    }
  }
}

TEST(Vexp, EndsOfTheRange) {
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<float> x(64, std::numeric_limits<float>::quiet_NaN());
  x[0] = 0, x[1] = -inf, x[2] = -1e30f, x[3] = -200;
  const auto two = map(x, [](auto v) { return ops::simd::exp2(kF, v); });
  const auto e = map(x, [](auto v) { return ops::simd::exp(kF, v); });
  for (const auto& y : {two, e}) {
    EXPECT_EQ(y[0], 1);
    for (const std::size_t i : {1u, 2u, 3u}) EXPECT_EQ(y[i], 0);
    EXPECT_TRUE(std::isnan(y[4]));
  }
}

}  // namespace
HWY_AFTER_NAMESPACE();
