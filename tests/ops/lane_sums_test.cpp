#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/rng.h"
#include "ops/lane_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace {
namespace hn = hwy::HWY_NAMESPACE;

std::vector<float> numbers(std::int64_t n, std::uint32_t site) {
  engine::Sequence random(engine::stream_key(3, engine::Stream::kInit), site);
  std::vector<float> x(static_cast<std::size_t>(n));
  for (float& v : x) v = static_cast<float>(2 * random.uniform() - 1);
  return x;
}

/// The definition, one element after the other: what every instruction set must give.
float in_sixteen_lanes(const std::vector<float>& x, const std::vector<float>& y) {
  float lane[16] = {};
  const std::size_t whole = x.size() / 16 * 16;
  for (std::size_t j = 0; j < x.size(); ++j) {
    float& sum = lane[j < whole ? j % 16 : 0];
    sum = std::fma(x[j], y[j], sum);
  }
  float total = 0;
  for (const float sum : lane) total += sum;
  return total;
}

TEST(LaneSums, HaveTheBitsOfSixteenLanes) {
  if (!HWY_NATIVE_FMA) GTEST_SKIP() << "this instruction set rounds products first";
  for (const std::int64_t n : {0, 1, 7, 15, 16, 17, 28, 31, 32, 63, 64, 65, 128, 384, 1000}) {
    const std::vector<float> x = numbers(n, 1), y = numbers(n, 2);
    const float *px = x.data(), *py = y.data();
    const auto [sum, twice] =
        ops::simd::lane_sums<2>(n, [=](auto d, std::int64_t j, auto* sums) HWY_ATTR {
          sums[0] = hn::MulAdd(hn::LoadU(d, px + j), hn::LoadU(d, py + j), sums[0]);
          sums[1] = hn::MulAdd(hn::Add(hn::LoadU(d, px + j), hn::LoadU(d, px + j)),
                               hn::LoadU(d, py + j), sums[1]);
        });
    EXPECT_EQ(sum, in_sixteen_lanes(x, y)) << n;
    EXPECT_EQ(twice, 2 * sum) << n;
  }
}

}  // namespace
HWY_AFTER_NAMESPACE();
