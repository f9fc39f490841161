#include "engine/params.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/expect_error.h"

namespace engine {
namespace {

constexpr Init kSmallNormal{Init::Kind::kNormal, 0.02};

struct Declared {
  const char* name;
  Shape shape;
};

/// The values of parameter `name` in a model of `declared`.
std::vector<float> values(std::initializer_list<Declared> declared, std::string_view name,
                          std::uint64_t seed) {
  Params params;
  for (const Declared& d : declared) params.declare(d.name, d.shape, kSmallNormal);
  params.allocate(seed);
  const int i = params.find(name);
  return {params.value(i), params.value(i) + params[i].shape.numel()};
}

TEST(Params, StartDependsOnSeedNameAndShapeAlone) {
  const std::vector<float> alone = values({{"w", {7, 9}}}, "w", 5);
  EXPECT_EQ(values({{"wte", {65, 16}}, {"w", {7, 9}}, {"b", {9}}}, "w", 5), alone);
  EXPECT_NE(values({{"w", {7, 9}}}, "w", 6), alone);
  EXPECT_NE(values({{"v", {7, 9}}}, "v", 5), alone);
}

TEST(Params, NormalIsNormal) {
  // 64k numbers: mean, sd, correlation of neighbours and share beyond two sd, each within 4
  // standard errors.
  const std::vector<float> w = values({{"w", {256, 257}}}, "w", 1);
  const auto n = static_cast<double>(w.size());
  double sum = 0, squares = 0, beyond_two = 0, neighbours = 0, before = 0;
  for (const float x : w) {
    const double z = static_cast<double>(x) / kSmallNormal.value;
    neighbours += z * before;
    before = z;
    sum += z;
    squares += z * z;
    beyond_two += std::abs(z) > 2 ? 1 : 0;
  }
  EXPECT_NEAR(sum / n, 0, 4 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 4 * std::sqrt(2 / n));
  EXPECT_NEAR(neighbours / n, 0, 4 / std::sqrt(n));
  EXPECT_NEAR(beyond_two / n, 0.0455, 4 * std::sqrt(0.0455 / n));
}

TEST(Params, GradientsStartAtZeroAndStateHasNone) {
  Params params;
  const int mean = params.declare("running_mean", {3}, {Init::Kind::kConstant, 0.5}, false);
  const int w = params.declare("w", {2, 3}, kSmallNormal);
  const int b = params.declare("b", {3}, {});
  params.allocate(1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(params.value(mean)[i], 0.5F);
    EXPECT_EQ(params.grad(b)[i], 0.0F);
  }
  EXPECT_EQ(params.count(), 9);
  EXPECT_TRUE(params[w].decay);
  EXPECT_FALSE(params[b].decay);
  EXPECT_FALSE(params[mean].trainable);
  // Trainable ones lie first, so that an optimizer walks values and gradients in step.
  EXPECT_LT(params[b].offset, params[mean].offset);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(params.value(b)) % 64, 0U);
}

TEST(Params, RefusesASecondAllocation) {
  Params params;
  params.declare("w", {2, 3}, kSmallNormal);
  params.allocate(1);
  EXPECT_ERROR(params.allocate(2), "allocated twice");
}

TEST(Params, RefusesANameUsedForStateAndWeights) {
  Params params;
  params.declare("w", {3}, {}, true);
  EXPECT_ERROR(params.declare("w", {3}, {}, false), "parameter w: declared as trainable");
}

}  // namespace
}  // namespace engine
