// Who is told what a run does as it goes. This room may touch budget.h, files.h and json.h, and
// nothing else of train: a sink knows no trainer.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "train/config/budget.h"

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

/// L2 norms over all trainable parameters of a layer ("h.0", "wte").
struct LayerNorms {
  std::string name;
  double weight = 0;    // after the step
  double gradient = 0;  // before clipping
  double update = 0;    // of what the step changed, decay included
};
struct Norms {
  std::int64_t step = 0;
  std::vector<LayerNorms> layers;  // in the order of the model
};

/// Of the model as it was after a step, in UTF-8.
struct DrawnText {
  std::int64_t step = 0;
  std::string text;
};

class Sink {
 public:
  virtual ~Sink() = default;
  virtual void progress(const Progress& progress) = 0;
  /// Where the run was told to measure them.
  virtual void norms(const Norms&) {}
  /// Where texts are drawn.
  virtual void text(const DrawnText&) {}
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
