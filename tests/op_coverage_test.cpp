// Every op that a GPT can put on a tape has a row in the op-case table.
#include <gtest/gtest.h>

#include <set>

#include "models/gpt.h"
#include "tests/op_harness.h"
#include "tests/test_ops.h"

namespace tests {
namespace {

TEST(OpCoverage, EveryOpOnAGptTapeHasARow) {
  std::set<std::string, std::less<>> covered;
  for (const OpCase& c : op_cases())
    if (c.size != OpCase::Size::kBench)
      covered.emplace(RecordedCase(c, make_point(c), {}).op().name());
  std::set<std::string, std::less<>> seen;
  for (const bool bias : {false, true}) {
    for (const double dropout : {0.0, 0.1}) {
      models::GptConfig config;
      config.bias = bias;
      if (dropout > 0) config.regularizers = models::gpt2_dropout(dropout);
      engine::Params params;
      Tape tape(params);
      models::record_gpt(tape, config, 2, 8, models::Mode::kTrain);
      for (const engine::Node& node : tape.nodes()) {
        seen.emplace(node.op->name());
        EXPECT_TRUE(covered.contains(node.op->name()))
            << node.name << ": no row for op " << node.op->name();
      }
    }
  }
  EXPECT_GE(seen.size(), 7U);
}

}  // namespace
}  // namespace tests
