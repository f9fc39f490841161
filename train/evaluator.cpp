#include "train/evaluator.h"

#include <algorithm>

#include "train/data/batches.h"

namespace train {
namespace {

constexpr std::int64_t kTokens = 2048;  // a batch evaluates about so many

engine::Plan make_plan(engine::Params& params, const models::GptConfig& config, std::int64_t rows,
                       models::Gpt& gpt) {
  engine::Tape tape(params);
  gpt = models::record_gpt(tape, config, rows, config.block_size, models::Mode::kEval);
  engine::PlanOptions options;
  options.training = false;
  return {std::move(tape), gpt.loss, options};
}

}  // namespace

Evaluator::Evaluator(engine::Params& params, const models::GptConfig& config)
    : rows_(std::max<std::int64_t>(1, kTokens / config.block_size)),
      time_(config.block_size),
      plan_(make_plan(params, config, rows_, gpt_)),
      tokens_(static_cast<std::size_t>(rows_ * time_)),
      targets_(tokens_.size()) {
  plan_.bind(gpt_.tokens, tokens_.data());
  plan_.bind(gpt_.targets, targets_.data());
}

double Evaluator::loss(std::span<const std::int32_t> tokens, double progress) {
  double sum = 0;
  std::int64_t count = 0;
  const std::int64_t windows = eval_windows(tokens, time_);
  for (std::int64_t w = 0; w < windows; w += rows_) {
    const std::int64_t n = fill_eval(tokens, time_, w, rows_, tokens_.data(), targets_.data());
    plan_.forward({.progress = progress});
    sum += static_cast<double>(plan_.loss()) * static_cast<double>(n);
    count += n;
  }
  return sum / static_cast<double>(count);
}

}  // namespace train
