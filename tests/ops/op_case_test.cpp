// Every row of the op-case table, held against its double-precision reference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/rng.h"
#include "tests/ops/op_harness.h"
#include "tests/ops/test_ops.h"

namespace tests {
namespace {

using Size = OpCase::Size;

double largest(std::span<const double> v) {
  double top = 0;
  for (const double x : v) top = std::max(top, std::abs(x));
  return top;
}

/// Same bits. On failure says where and what.
testing::AssertionResult same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return testing::AssertionFailure() << a.size() << " and " << b.size();
  for (std::size_t i = 0; i < a.size(); ++i)
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0)
      return testing::AssertionFailure() << "element " << i << ": " << a[i] << " and " << b[i];
  return testing::AssertionSuccess();
}

testing::AssertionResult same_bits(const RunResult& a, const RunResult& b) {
  if (auto out = same_bits(a.out, b.out); !out) return out << " in the output";
  if (auto loss = same_bits(std::vector{a.loss}, {b.loss}); !loss) return loss << " in the loss";
  for (std::size_t k = 0; k < a.grads.size(); ++k)
    if (auto grad = same_bits(a.grads[k], b.grads[k]); !grad)
      return grad << " in the gradient of operand " << k;
  return testing::AssertionSuccess();
}

class OpCaseTest : public testing::TestWithParam<OpCase> {
 protected:
  const OpCase& c() const { return GetParam(); }
  Point point_ = make_point(GetParam());
  RunResult run(const RunOptions& options = {}) const { return run_case(c(), point_, options); }
  bool terminal() const { return RecordedCase(c(), point_, {}).terminal(); }

  /// The scalar that run() differentiates, in double.
  double loss(const Point& p) const {
    const std::vector<double> out = c().reference(p);
    if (terminal_) return out[0];
    double sum = 0;
    for (std::size_t i = 0; i < out.size(); ++i)
      sum += weight(0, static_cast<std::int64_t>(i)) * out[i];
    return sum;
  }
  /// d loss / d h of moving operand k along `direction`: central differences with h = 1e-4, whose
  /// own error (h² of truncation, 1e-16/h of rounding, relative) is far below every tolerance.
  double derivative(std::size_t k, std::span<const double> direction) const {
    constexpr double kStep = 1e-4;
    Point p = point_;
    for (std::size_t i = 0; i < direction.size(); ++i) p.floats[k][i] += kStep * direction[i];
    const double up = loss(p);
    for (std::size_t i = 0; i < direction.size(); ++i) p.floats[k][i] -= 2 * kStep * direction[i];
    return (up - loss(p)) / (2 * kStep);
  }

  bool terminal_ = terminal();
};

// f32 rounding grows like the square root of the terms of a sum: 2⁻²⁴·√768 is 2e-6 of a typical
// value, and the largest value of a tensor is several times that. 1e-5 leaves room for exp and a
// division; a wrong formula is off by 1e-3 and more.
TEST_P(OpCaseTest, Forward) {
  const std::vector<double> want = c().reference(point_);
  for (const bool training : {true, false}) {
    const std::vector<float> got = run({.training = training}).out;
    ASSERT_EQ(got.size(), want.size());
    const double allowed = c().tolerance * largest(want);
    for (std::size_t i = 0; i < want.size(); ++i)
      ASSERT_NEAR(static_cast<double>(got[i]), want[i], allowed) << "element " << i;
  }
}

TEST_P(OpCaseTest, Gradient) {
  const RunResult got = run();
  for (std::size_t k = 0; k < c().operands.size(); ++k) {
    SCOPED_TRACE("operand " + c().operands[k].name);
    const std::vector<double> g(got.grads[k].begin(), got.grads[k].end());
    if (g.empty()) continue;
    std::vector<double> direction(g.size(), 0.0);
    if (c().size == Size::kSmall) {
      std::vector<double> want(g.size());
      for (std::size_t i = 0; i < g.size(); ++i) {
        direction[i] = 1;
        want[i] = derivative(k, direction);
        direction[i] = 0;
      }
      // Where a gradient vanishes altogether (layernorm of one channel) there is no scale.
      const double allowed = c().tolerance * std::max(largest(want), 1e-3);
      for (std::size_t i = 0; i < g.size(); ++i)
        ASSERT_NEAR(g[i], want[i], allowed) << "element " << i;
      continue;
    }
    double norm = 0;
    for (const double x : g) norm += x * x;
    engine::Sequence random(engine::stream_key(k, engine::Stream::kData), 1);
    for (int trial = 0; trial < 2; ++trial) {
      double inner = 0;
      for (std::size_t i = 0; i < g.size(); ++i) {
        direction[i] = (random.next32() & 1) != 0 ? 1 : -1;
        inner += direction[i] * g[i];
      }
      ASSERT_NEAR(inner, derivative(k, direction), c().tolerance * std::sqrt(norm));
    }
  }
}

// A second backward pass, as the second micro-step of a batch has it, doubles the gradients.
TEST_P(OpCaseTest, AccumulatesOverMicroSteps) {
  const RunResult once = run(), twice = run({.accumulate = true});
  for (std::size_t k = 0; k < once.grads.size(); ++k) {
    const std::vector<double> g(once.grads[k].begin(), once.grads[k].end());
    const double allowed = 2e-6 * largest(g);  // f32 sums of the same terms in another order
    for (std::size_t i = 0; i < g.size(); ++i)
      ASSERT_NEAR(static_cast<double>(twice.grads[k][i]), 2 * g[i], allowed)
          << c().operands[k].name << " element " << i;
  }
}

// Where another op has written a gradient before, the op adds to it.
TEST_P(OpCaseTest, AddsToTheGradientsOfAnotherConsumer) {
  if (terminal_) GTEST_SKIP() << "ends the tape";
  const RunResult alone = run(), shared = run({.second_consumer = true});
  std::size_t summed = 0;  // operands of the weighted sum, the op's output being number 0
  for (std::size_t k = 0; k < alone.grads.size(); ++k) {
    const std::vector<double> g(alone.grads[k].begin(), alone.grads[k].end());
    if (g.empty()) continue;
    ++summed;
    const double allowed = 2e-6 * (1 + largest(g));  // f32 rounding of one more addition
    for (std::size_t i = 0; i < g.size(); ++i)
      ASSERT_NEAR(static_cast<double>(shared.grads[k][i]),
                  g[i] + weight(summed, static_cast<std::int64_t>(i)), allowed)
          << c().operands[k].name << " element " << i;
  }
}

// Where only one operand's gradient is wanted it is what it is where all are.
TEST_P(OpCaseTest, GradientOfOneOperandAlone) {
  const RunResult all = run();
  for (std::size_t k = 0; k < all.grads.size(); ++k) {
    if (all.grads[k].empty()) continue;
    EXPECT_TRUE(same_bits(run({.only = k}).grads[k], all.grads[k])) << c().operands[k].name;
  }
}

// Reading what the op did not ask to keep, or did not write, gives NaN; writing too far throws.
TEST_P(OpCaseTest, SameBitsWhenDeadMemoryIsPoisoned) {
  EXPECT_TRUE(same_bits(run({.poison = true}), run()));
  EXPECT_TRUE(
      same_bits(run({.second_consumer = true, .poison = true}), run({.second_consumer = true})));
}

TEST_P(OpCaseTest, SameBitsWhenRecomputed) {
  if (terminal_) GTEST_SKIP() << "ends the tape";
  EXPECT_TRUE(
      same_bits(run({.squared = true, .recompute = true, .poison = true}), run({.squared = true})));
}

TEST_P(OpCaseTest, SameBitsForAnyNumberOfThreads) {
  const RunResult one = run({.threads = 1});
  EXPECT_TRUE(same_bits(run({.threads = 2}), one));
  EXPECT_TRUE(same_bits(run({.threads = 3}), one));
}

// Scratch is laid out before the first step; another number of threads then must not overrun it.
TEST_P(OpCaseTest, ThreadsMayChangeAfterPlanning) {
  EXPECT_TRUE(same_bits(run({.poison = true, .threads = 1, .later_threads = 3}), run()));
}

INSTANTIATE_TEST_SUITE_P(Ops, OpCaseTest, testing::ValuesIn(tested_cases()),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace tests
