#include "train/evaluator.h"

#include <algorithm>

namespace train {
namespace {

constexpr std::int64_t kTokens = 2048;  // a batch evaluates about so many

}  // namespace

std::int64_t evaluation_rows(const models::GptConfig& config) {
  return std::max<std::int64_t>(1, kTokens / config.block_size);
}

Evaluator::Evaluator(const Task& task, engine::Params& params, const models::GptConfig& config,
                     models::Mode mode)
    : plan_(task, params, config, evaluation_rows(config), mode) {}

Examined Evaluator::examine(const Exam& exam, double progress) {
  Examined out;
  out.windows.reserve(static_cast<std::size_t>(exam.rows()));
  double sum = 0;
  for (std::int64_t first = 0; first < exam.rows(); first += plan_.rows()) {
    exam.fill(first, plan_.rows(), plan_.inputs());
    plan_.plan().forward({.progress = progress});
    for (std::int64_t row = 0; row < std::min(plan_.rows(), exam.rows() - first); ++row) {
      const double loss = plan_.reported(row);
      sum += loss * static_cast<double>(exam.tokens(first + row));
      out.windows.push_back(static_cast<float>(loss));
    }
  }
  out.loss = sum / static_cast<double>(exam.tokens());
  return out;
}

}  // namespace train
