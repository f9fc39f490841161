// How do I use isodrop in a project of my own? See CMakeLists.txt; a program looks as inside the
// tree.
#include <cstdint>
#include <cstdio>
#include <vector>

#include "engine/plan.h"
#include "models/gpt.h"
#include "train/optim/optimizer.h"

int main() {
  constexpr std::int64_t B = 4, T = 16;
  models::GptConfig config{.n_layer = 1, .n_head = 2, .n_embd = 32, .block_size = T, .vocab = 8};
  config.regularizers = models::gpt2_dropout(0.1);
  engine::Params params;
  engine::Tape tape(params);
  const models::Gpt gpt = models::record_gpt(tape, config, B, T, models::Mode::kTrain);
  engine::Plan plan(std::move(tape), gpt.loss, {});
  params.allocate(1);
  std::vector<std::int32_t> tokens(B * T), targets(B * T);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    tokens[i] = static_cast<std::int32_t>(i % 8);
    targets[i] = static_cast<std::int32_t>((i + 1) % 8);  // count to 8 again and again
  }
  plan.bind(gpt.tokens, tokens.data());
  plan.bind(gpt.targets, targets.data());
  train::AdamW adamw(params, {});
  train::Moments moments(params);
  for (engine::Step step{.seed = 1}; step.index < 100; ++step.index) {
    plan.forward(step);
    plan.backward(step);
    adamw.step(moments, 3e-3);
  }
  std::printf("loss %.3f after 100 steps\n", static_cast<double>(plan.loss()));
  return plan.loss() < 1 ? 0 : 1;
}
