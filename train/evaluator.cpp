#include "train/evaluator.h"

#include <algorithm>

namespace train {
namespace {

constexpr std::int64_t kTokens = 2048;  // a batch evaluates about so many

}  // namespace

Evaluator::Evaluator(const Task& task, engine::Params& params, const models::GptConfig& config)
    : plan_(task, params, config, std::max<std::int64_t>(1, kTokens / config.block_size),
            models::Mode::kEval) {}

double Evaluator::loss(const Exam& exam, double progress) {
  double sum = 0;
  std::int64_t count = 0;
  for (std::int64_t row = 0; row < exam.rows(); row += plan_.rows()) {
    const std::int64_t n = exam.fill(row, plan_.rows(), plan_.inputs());
    plan_.plan().forward({.progress = progress});
    sum += plan_.reported() * static_cast<double>(n);
    count += n;
  }
  return sum / static_cast<double>(count);
}

}  // namespace train
