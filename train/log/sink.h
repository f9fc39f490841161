// Who is told what a run does as it goes. This room may touch budget.h, files.h and json.h, and
// nothing else of train: a sink knows no trainer.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <utility>

#include "train/budget.h"

namespace train {

/// A point of a run that is worth reporting.
struct Progress {
  std::int64_t step = 0, steps = 0;  // done, and in all (0: the budget is in seconds)
  Spent spent;
  double fraction = 0;             // of the budget
  double train_loss = 0;           // running mean since the last evaluation, regularizers on, nats
  std::optional<double> val_loss;  // nats per token, where it was evaluated
  double lr = 0, grad_norm = 0;
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void progress(const Progress& progress) = 0;
};

/// Calls a function.
class CallSink final : public Sink {
 public:
  explicit CallSink(std::function<void(const Progress&)> call) : call_(std::move(call)) {}
  void progress(const Progress& p) override { call_(p); }

 private:
  std::function<void(const Progress&)> call_;
};

}  // namespace train
