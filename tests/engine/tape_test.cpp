// Mistakes in a model are found while it is recorded, and say what does not fit.
#include "engine/tape.h"

#include <gtest/gtest.h>

#include "ops/ops.h"
#include "tests/expect_error.h"

namespace engine {
namespace {

class TapeTest : public testing::Test {
 protected:
  Ref floats(const Shape& shape) { return tape_.input("x", shape, DType::kF32); }
  Ref ints(const Shape& shape) { return tape_.input("ids", shape, DType::kI32); }
  Params params_;
  Tape tape_{params_};
};

TEST_F(TapeTest, OpsNameThemselvesAndTheShapes) {
  EXPECT_ERROR(ops::matmul(tape_, "m", floats({8, 64}), floats({32, 128})),
               "[matmul] x (8,64) · w (32,128): inner dimensions differ");
  EXPECT_ERROR(ops::matmul(tape_, "m", floats({8, 64}), floats({64, 32}), {}, ops::Weight::kOutIn),
               "[matmul] x (8,64) · w (64,32)ᵀ: inner dimensions differ");
  EXPECT_ERROR(ops::matmul(tape_, "m", floats({8, 64}), floats({64, 128}), floats({64})),
               "bias has shape (64), not (128)");
  EXPECT_ERROR(ops::matmul(tape_, "m", floats({64}), floats({64, 128})), "[matmul] x (64)");
  EXPECT_ERROR(ops::layernorm(tape_, "n", floats({8, 64}), floats({32})),
               "[layernorm] x (8,64): gamma (32) is not (64)");
  EXPECT_ERROR(ops::layernorm(tape_, "n", floats({8, 64}), floats({64}), floats({1, 64})),
               "beta (1,64) is not (64)");
  EXPECT_ERROR(ops::embedding(tape_, "e", ints({2, 9}), floats({65, 16}), floats({8, 16})),
               "[embedding] tokens (2,9): longer than the 8 positions");
  EXPECT_ERROR(ops::embedding(tape_, "e", ints({2, 8}), floats({65, 16}), floats({8, 17})),
               "[embedding] tokens (2,8), wte (65,16), wpe (8,17)");
  EXPECT_ERROR(ops::cross_entropy(tape_, "l", floats({8, 65}), ints({7})),
               "[cross_entropy] logits (8,65), targets (7)");
}

TEST_F(TapeTest, ARefusedOpLeavesNothingOnTheTape) {
  const Ref x = floats({8, 64}), w = floats({32, 128});
  const std::size_t values = tape_.values().size();
  EXPECT_ERROR(ops::matmul(tape_, "m", x, w), "inner dimensions");
  EXPECT_EQ(tape_.values().size(), values);
  EXPECT_TRUE(tape_.nodes().empty());
}

TEST_F(TapeTest, RefusesValuesItDoesNotHave) {
  EXPECT_ERROR(ops::gelu(tape_, "h.0.act", Ref{}), "h.0.act: input is not a value of this tape");
  EXPECT_ERROR(ops::gelu(tape_, "h.0.act", Ref{7}), "h.0.act: input is not a value of this tape");
}

TEST_F(TapeTest, RefusesShapesThatHoldNothing) {
  EXPECT_ERROR(floats({0, 64}), "x: shape (0,64) has no elements");
  EXPECT_ERROR(tape_.param("w", {64, 0}, {}), "w: shape (64,0) has no elements");
}

TEST_F(TapeTest, AParameterNamedTwiceIsOneValue) {
  const Ref a = tape_.param("wte", {65, 16}, {}), b = tape_.param("wte", {65, 16}, {});
  EXPECT_EQ(a, b);
  EXPECT_EQ(params_.list().size(), 1U);
  EXPECT_ERROR(tape_.param("wte", {64, 16}, {}),
               "parameter wte: declared as (65,16) and again as (64,16)");
}

TEST_F(TapeTest, LaterTapesKnowTheSameParametersOnly) {
  tape_.param("wte", {65, 16}, {});
  params_.allocate(1);
  Tape evaluation(params_);
  EXPECT_TRUE(evaluation.param("wte", {65, 16}, {}));
  EXPECT_ERROR(evaluation.param("wpe", {65, 16}, {}), "parameter wpe: unknown to the model");
}

TEST(Shape, RefusesWhatDoesNotFit) {
  EXPECT_ERROR((Shape{1, 2, 3, 4, 5}), "at most 4 dimensions, got 5");
  EXPECT_ERROR((Shape{2, -1}), "negative dimension -1");
  EXPECT_ERROR((Shape{1'000'000'000, 1'000'000'000, 1'000'000'000}), "too many elements");
  EXPECT_EQ((Shape{12, 64, 128}).str(), "(12,64,128)");
}

}  // namespace
}  // namespace engine
