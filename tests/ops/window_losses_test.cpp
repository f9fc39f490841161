// linear_cross_entropy of several windows, as evaluation asks for it: each is what the op says of
// that window alone.
#include <gtest/gtest.h>

#include <vector>

#include "engine/plan.h"
#include "engine/rng.h"
#include "ops/ops.h"
#include "tests/expect_error.h"

namespace {

using engine::Ref;

constexpr std::int64_t kC = 5, kV = 37;

std::vector<float> losses(const std::vector<float>& x, const std::vector<std::int32_t>& targets,
                          std::int64_t windows, std::int64_t chunk_bytes = 1 << 20) {
  engine::Params params;
  engine::Tape tape(params);
  const auto rows = static_cast<std::int64_t>(targets.size());
  const Ref in = tape.input("x", {rows, kC}, engine::DType::kF32);
  const Ref y = tape.input("targets", {rows}, engine::DType::kI32);
  const Ref w = tape.param("w", {kV, kC}, {engine::Init::Kind::kNormal, 0.5});
  const Ref loss = ops::linear_cross_entropy(tape, "loss", in, w, y, windows, chunk_bytes);
  engine::Plan plan(std::move(tape), loss, {.training = false});
  params.allocate(3);
  plan.bind(in, const_cast<float*>(x.data()));
  plan.bind(y, const_cast<std::int32_t*>(targets.data()));
  plan.forward({});
  const float* out = plan.view(loss).f32();
  return {out, out + windows};
}

TEST(WindowLosses, AreThoseOfEachWindowAlone) {
  constexpr std::int64_t kWindows = 6, kRows = 7;
  engine::Sequence random(engine::stream_key(1, engine::Stream::kSample), 1);
  std::vector<float> x(kWindows * kRows * kC);
  std::vector<std::int32_t> targets(kWindows * kRows);
  for (float& v : x) v = static_cast<float>(random.below(2000)) / 1000 - 1;
  for (auto& t : targets) t = static_cast<std::int32_t>(random.below(kV + 5)) - 5;  // some ignored
  std::fill_n(targets.begin(), kRows, -1);  // a whole window
  for (const std::int64_t chunk : {std::int64_t{1} << 20, std::int64_t{17 * 4 * 48}}) {
    const auto all = losses(x, targets, kWindows, chunk);
    EXPECT_EQ(all[0], 0);
    for (std::int64_t w = 0; w < kWindows; ++w) {
      const auto at = [&](const auto& of, std::int64_t width) {
        const auto from = of.begin() + w * kRows * width;
        return std::decay_t<decltype(of)>(from, from + kRows * width);
      };
      EXPECT_FLOAT_EQ(all[static_cast<std::size_t>(w)], losses(at(x, kC), at(targets, 1), 1)[0]);
    }
  }
  EXPECT_ERROR(losses(x, targets, 5), "5 windows do not divide the rows");
}

TEST(WindowLosses, HaveNoGradient) {
  engine::Params params;
  engine::Tape tape(params);
  const Ref x = tape.param("x", {4, kC}, {});
  const Ref y = tape.input("targets", {4}, engine::DType::kI32);
  const Ref w = tape.param("w", {kV, kC}, {});
  const Ref loss = ops::linear_cross_entropy(tape, "loss", x, w, y, 2);
  EXPECT_ERROR(engine::Plan(std::move(tape), loss, {}), "must be one number");
}

}  // namespace
