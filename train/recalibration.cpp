#include "train/recalibration.h"

namespace train {

Recalibration::Recalibration(const Task& task, engine::Params& params,
                             const models::GptConfig& config, std::int64_t rows)
    : params_(params), plan_(task, params, config, rows, models::Mode::kRecalibrate) {}

void Recalibration::run(Feed& feed, double progress) {
  params_.reset_state();
  for (std::int64_t step = 0; step < kBatches; ++step) {
    feed.fill(static_cast<std::uint64_t>(step), 0, plan_.rows(), plan_.inputs());
    plan_.plan().forward({.progress = progress});
  }
}

}  // namespace train
