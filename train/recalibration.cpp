#include "train/recalibration.h"

namespace train {
namespace {

engine::Plan make_plan(engine::Params& params, const models::GptConfig& config, std::int64_t rows,
                       models::Gpt& gpt) {
  engine::Tape tape(params);
  gpt = models::record_gpt(tape, config, rows, config.block_size, models::Mode::kRecalibrate);
  engine::PlanOptions options;
  options.training = false;
  return {std::move(tape), gpt.loss, options};
}

}  // namespace

Recalibration::Recalibration(engine::Params& params, const models::GptConfig& config,
                             std::int64_t rows)
    : params_(params),
      rows_(rows),
      plan_(make_plan(params, config, rows, gpt_)),
      tokens_(static_cast<std::size_t>(rows * config.block_size)),
      targets_(tokens_.size()) {
  plan_.bind(gpt_.tokens, tokens_.data());
  plan_.bind(gpt_.targets, targets_.data());
}

void Recalibration::run(Batches& batches) {
  params_.reset_state();
  for (std::int64_t step = 0; step < kBatches; ++step) {
    batches.fill(static_cast<std::uint64_t>(step), 0, rows_, tokens_.data(), targets_.data());
    plan_.forward({});
  }
}

}  // namespace train
