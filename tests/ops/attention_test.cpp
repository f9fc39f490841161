// Attention against its definition, and the same bits for any number of threads.
#include <omp.h>

#include <string>

#include "tests/ops/attention_harness.h"

namespace {
using namespace tests::attention;

class AttentionCase : public testing::TestWithParam<Case> {};

TEST_P(AttentionCase, MatchesTheDoubleReference) {
  const Case& c = GetParam();
  const Floats qkv = qkv_of(c), dout = dout_of(c), before = noise(std::ssize(qkv), 3, 1);
  const Reference want = reference(c, widened(qkv), dout);
  const Result got = run(c, qkv, dout);
  EXPECT_LT(difference(got.out, want.out), 2e-6);
  EXPECT_LT(difference(got.dqkv, want.dqkv), 5e-6);

  const Result added = run(c, qkv, dout, true, before);
  std::vector<double> sum = want.dqkv;
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(before[i]);
  EXPECT_LT(difference(added.dqkv, sum), 5e-6);
}

TEST_P(AttentionCase, SameBitsForAnyNumberOfThreads) {
  const Case& c = GetParam();
  const Floats qkv = qkv_of(c), dout = dout_of(c);
  const int before = omp_get_max_threads();
  std::vector<Result> results;
  for (const int threads : {1, 2, 3}) {
    omp_set_num_threads(threads);
    results.push_back(run(c, qkv, dout));
  }
  omp_set_num_threads(before);
  for (const Result& r : results) {
    EXPECT_EQ(r.out, results[0].out);
    EXPECT_EQ(r.lse, results[0].lse);
    EXPECT_EQ(r.dqkv, results[0].dqkv);
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionCase,
                         testing::Values(Case{1, 1, 1, 1}, Case{2, 7, 3, 5, 0.2f},
                                         Case{1, 31, 1, 3, 0.5f}, Case{2, 33, 2, 16, 0.1f, 12},
                                         Case{2, 64, 2, 32, 0.1f}, Case{1, 65, 2, 20, 0.2f},
                                         Case{1, 130, 2, 64, 0.1f, 5}, Case{1, 130, 1, 48},
                                         Case{1, 257, 1, 128, 0.3f}, Case{1, 96, 1, 33, 0.9f}),
                         [](const auto& param) {
                           const Case& c = param.param;
                           return "B" + std::to_string(c.B) + "T" + std::to_string(c.T) + "NH" +
                                  std::to_string(c.NH) + "hs" + std::to_string(c.hs) + "p" +
                                  std::to_string(static_cast<int>(c.rate * 100));
                         });

TEST(Attention, ReferenceGradientIsItsFiniteDifference) {
  const Case c{1, 9, 2, 3, 0.3f};
  const Floats dout = dout_of(c);
  const std::vector<double> x = widened(qkv_of(c));
  const Reference at = reference(c, x, dout);
  const auto value = [&](const std::vector<double>& qkv) {
    const Reference r = reference(c, qkv, dout);
    double sum = 0;
    for (std::size_t i = 0; i < r.out.size(); ++i) sum += r.out[i] * static_cast<double>(dout[i]);
    return sum;
  };
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double h = 1e-5;
    std::vector<double> up = x, down = x;
    up[i] += h, down[i] -= h;
    EXPECT_NEAR(at.dqkv[i], (value(up) - value(down)) / (2 * h), 1e-8);
  }
}

}  // namespace
