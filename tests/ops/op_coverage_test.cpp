// Every op that a GPT can put on a tape has a row in the op-case table.
#include <gtest/gtest.h>

#include <set>

#include "models/gpt.h"
#include "models/regularizer_grammar.h"
#include "tests/ops/op_harness.h"
#include "tests/ops/test_ops.h"

namespace tests {
namespace {

TEST(OpCoverage, EveryOpOnAGptTapeHasARow) {
  std::set<std::string, std::less<>> covered;
  for (const OpCase& c : op_cases())
    if (c.size != OpCase::Size::kBench)
      covered.emplace(RecordedCase(c, make_point(c), {}).op().name());
  std::set<std::string, std::less<>> seen;
  const auto note = [&](const Tape& tape) {
    for (const engine::Node& node : tape.nodes()) {
      seen.emplace(node.op->name());
      EXPECT_TRUE(covered.contains(node.op->name()))
          << node.name << ": no row for op " << node.op->name();
    }
  };
  const auto record = [&](const models::GptConfig& config) {
    engine::Params params;
    Tape tape(params);
    models::record_gpt(tape, config, 2, 8, models::Mode::kTrain);
    note(tape);
    if (config.head != models::Head::kTied) return;
    Tape decoder(params);
    models::record_decoder(decoder, config, 2, 1);
    note(decoder);
  };
  for (const bool bias : {false, true}) {
    models::GptConfig config;
    config.bias = bias;
    for (const char* reg : {"none", "dropout:0.1+drop_connect:0.1+layer_drop:0.1+r_drop:1+z_loss:1",
                            "uout:0.1@emb+label_smoothing:0.1"}) {
      config.regularizers = models::parse_regularizers(reg);
      record(config);
    }
    config.qk_norm = true;
    for (const models::Placement& place : models::placements()) {
      config.norm_place = &place;
      record(config);
    }
    for (const models::NormKind& norm : models::norm_kinds()) {
      config.norm = &norm;
      record(config);
    }
    for (const ops::ActivationKind& activation : ops::activation_kinds()) {
      config.activation = &activation;
      record(config);
    }
  }
  for (const models::Head head : {models::Head::kClasses, models::Head::kNormal}) {
    models::GptConfig config;
    config.features = 3;
    config.head = head;
    record(config);
  }
  EXPECT_GE(seen.size(), 16U);
}

}  // namespace
}  // namespace tests
