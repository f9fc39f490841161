// The gradients' norm is the same bits on every machine: sixteen sums, whatever its vectors are.
#include "train/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>

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

}  // namespace
}  // namespace train
