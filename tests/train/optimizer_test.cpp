// The gradients' norm is the same bits on every machine: sixteen sums, whatever its vectors are.
#include "train/optim/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/rng.h"

namespace train {
namespace {

TEST(AdamW, TheGradientNormIsSixteenSumsInOrder) {
  for (const std::int64_t n : {1, 15, 16, 37, 1000, 8192, 20000}) {
    engine::Params params;
    params.declare("w", {n}, {});
    params.allocate(1);
    engine::Sequence random(engine::stream_key(1, engine::Stream::kSample), 1);
    // Squares of 12 bits are exact, so only the order of the sums can show.
    for (std::int64_t i = 0; i < n; ++i)
      params.grad(0)[i] = static_cast<float>(random.below(4096)) / 64;
    double squares = 0;
    for (std::int64_t begin = 0; begin < n; begin += 8192) {
      const std::int64_t count = std::min<std::int64_t>(8192, n - begin), whole = count / 16 * 16;
      float sums[16] = {};
      for (std::int64_t i = 0; i < count; ++i) {
        const float g = params.grad(0)[begin + i];
        sums[i < whole ? i % 16 : 0] += g * g;
      }
      float sum = 0;
      for (const float s : sums) sum += s;
      squares += static_cast<double>(sum);
    }
    Moments moments(params);
    EXPECT_EQ(AdamW(params, {}).step(moments, 0), std::sqrt(squares)) << n;
    EXPECT_EQ(moments.updates, 1);
  }
}

// PyTorch's AdamW in double: moments, bias corrections and decay as its documentation has them.
TEST(AdamW, TheUpdateIsThatOfPyTorchAlsoForBetasNextToOne) {
  struct Betas {
    double beta1, beta2;
  };
  for (const auto [beta1, beta2] :
       {Betas{0.9, 0.99}, {0.9, 0.999}, {0, 0}, {0.9, 0.99999999}, {0.99999999, 0.999999999}}) {
    const AdamWConfig config{beta1, beta2, 1e-8, 0.1, 0};
    constexpr int kNumbers = 40, kSteps = 50;
    constexpr double kRate = 1e-3;
    engine::Params params;
    params.declare("w", {kNumbers}, {});
    params.allocate(1);
    Moments moments(params);
    AdamW adam(params, config);
    std::vector<double> w(kNumbers), m(kNumbers, 0.0), v(kNumbers, 0.0);
    const double decay = params[0].decay ? config.weight_decay : 0;
    for (int i = 0; i < kNumbers; ++i) w[i] = params.value(0)[i];
    for (int t = 1; t <= kSteps; ++t) {
      for (int i = 0; i < kNumbers; ++i) {
        const auto g = static_cast<float>(std::sin(0.7 * i + 0.3 * t));
        params.grad(0)[i] = g;
        w[i] *= 1 - kRate * decay;
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        const double mean = m[i] / (1 - std::pow(beta1, t)),
                     square = v[i] / (1 - std::pow(beta2, t));
        w[i] -= kRate * mean / (std::sqrt(square) + config.epsilon);
      }
      adam.step(moments, kRate);
    }
    for (int i = 0; i < kNumbers; ++i) {
      EXPECT_NEAR(params.value(0)[i], w[i], 2e-6) << beta1 << ' ' << beta2 << " number " << i;
      EXPECT_NEAR(moments.first()[i], m[i], 1e-5 * std::abs(m[i]) + 1e-7);
      EXPECT_NEAR(moments.second()[i] / v[i], 1, 1e-4) << beta1 << ' ' << beta2;
    }
  }
}

// 1 - 0.9 is 0.1 and not what floats have for it.
TEST(AdamW, TheFirstMomentsHaveTheBitsOfADoublesComplement) {
  engine::Params params;
  params.declare("w", {4}, {});
  params.allocate(1);
  for (int i = 0; i < 4; ++i) params.grad(0)[i] = 1;
  Moments moments(params);
  AdamW(params, {0.9, 0.99, 1e-8, 0, 0}).step(moments, 1e-3);
  EXPECT_EQ(moments.first()[0], 0.1F);
  EXPECT_EQ(moments.second()[0], 0.01F);
}

}  // namespace
}  // namespace train
