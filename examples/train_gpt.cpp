// How do I train a GPT from C++? The whole story: a text, a model, training with and without
// dropout, a validation loss, and text from the model.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "engine/plan.h"
#include "engine/rng.h"
#include "models/gpt.h"
#include "train/optim/optimizer.h"

namespace {

constexpr std::int64_t B = 8, T = 32;
using Tokens = std::vector<std::int32_t>;

/// Sentences of four random words, as characters: a–z, blank and full stop are 0–27.
Tokens make_text(std::size_t sentences, std::uint64_t seed) {
  const std::vector<std::string> words = {"dropout", "keeps", "a", "small", "model", "honest"};
  engine::Sequence random(engine::stream_key(seed, engine::Stream::kData), 0);
  Tokens text;
  for (std::size_t i = 0; i < sentences; ++i) {
    for (int word = 0; word < 4; ++word) {
      for (const char c : words[random.below(words.size())]) text.push_back(c - 'a');
      text.push_back(word < 3 ? 26 : 27);
    }
  }
  return text;
}

/// B windows of T characters from random places, and the characters that follow each.
void draw_batch(const Tokens& text, engine::Sequence& random, Tokens& tokens, Tokens& targets) {
  for (std::int64_t b = 0; b < B; ++b) {
    const auto window = text.begin() + static_cast<std::int64_t>(random.below(text.size() - T));
    std::copy_n(window, T, tokens.begin() + b * T);
    std::copy_n(window + 1, T, targets.begin() + b * T);
  }
}

void run(double dropout) {
  const Tokens text = make_text(40, 1), validation_text = make_text(200, 2);
  Tokens tokens(B * T), targets(B * T);

  // Record the model on a tape, plan its memory, and start from the weights of seed 1.
  models::GptConfig config{.n_layer = 2, .n_embd = 64, .block_size = T, .vocab = 28};
  config.regularizers = models::gpt2_dropout(dropout);
  engine::Params params;
  engine::Tape tape(params);
  const models::Gpt gpt = models::record_gpt(tape, config, B, T, models::Mode::kTrain);
  engine::Plan plan(std::move(tape), gpt.loss, {});
  params.allocate(1);
  plan.bind(gpt.tokens, tokens.data());
  plan.bind(gpt.targets, targets.data());

  // Train: forward, backward, update.
  train::AdamW adamw(params, {});
  train::Moments moments(params);
  engine::Sequence order(engine::stream_key(1, engine::Stream::kData), 1);
  for (engine::Step step{.seed = 1}; step.index < 300; ++step.index) {
    draw_batch(text, order, tokens, targets);
    plan.forward(step);
    plan.backward(step);
    adamw.step(moments, 3e-3);
  }

  // Evaluate on another tape over the same parameters. It contains no noise.
  engine::Tape eval_tape(params);
  const models::Gpt eval =
      models::record_gpt(eval_tape, config, B, T, models::Mode::kEval, models::Output::kLogits);
  engine::Plan eval_plan(std::move(eval_tape), eval.cross_entropy,
                         {.training = false, .keep = {eval.logits}});
  eval_plan.bind(eval.tokens, tokens.data());
  eval_plan.bind(eval.targets, targets.data());
  double loss = 0;
  for (int batch = 0; batch < 20; ++batch) {
    draw_batch(validation_text, order, tokens, targets);
    eval_plan.forward({});
    loss += eval_plan.loss() / 20;
  }
  std::printf("dropout %.1f: training loss %.3f, validation loss %.3f\n", dropout,
              static_cast<double>(plan.loss()), loss);

  // Sample: append the most likely next character to the first row, again and again.
  for (int i = 0; i < 40; ++i) {
    eval_plan.forward({});
    const float* last = eval_plan.view(eval.logits).f32() + (T - 1) * config.vocab;
    std::copy(tokens.begin() + 1, tokens.begin() + T, tokens.begin());
    tokens[T - 1] = static_cast<std::int32_t>(std::max_element(last, last + config.vocab) - last);
    std::putchar("abcdefghijklmnopqrstuvwxyz ."[tokens[T - 1]]);
  }
  std::putchar('\n');
}

}  // namespace

int main() {
  for (const double dropout : {0.0, 0.1}) run(dropout);
}
