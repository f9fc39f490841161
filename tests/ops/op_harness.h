// Records an op case on a tape and runs it once.
#pragma once
#include <optional>
#include <vector>

#include "engine/plan.h"
#include "tests/ops/op_cases.h"

namespace tests {

struct RunOptions {
  bool accumulate = false;       // a second backward pass is added to the first
  bool second_consumer = false;  // operands have gradients already when the op adds its own
  bool squared = false;          // out² is what is summed: the op's output is read in backward
  bool recompute = false;
  bool poison = false;
  bool training = true;
  int threads = 0;                       // 0: as they are
  int later_threads = 0;                 // from the first step on; 0: as they were
  std::optional<std::size_t> only = {};  // gradient of this operand alone
};

struct RunResult {
  std::vector<float> out;
  float loss = 0;
  std::vector<std::vector<float>> grads;  // one a operand, empty for ints
};

/// A recorded case that owns all it needs.
class RecordedCase {
 public:
  RecordedCase(const OpCase& c, const Point& point, const RunOptions& options);
  RecordedCase(const RecordedCase&) = delete;
  RecordedCase& operator=(const RecordedCase&) = delete;

  engine::Plan& plan() { return *plan_; }
  /// The node under test.
  int node() const { return node_; }
  const engine::Op& op() const {
    return *plan_->tape().nodes()[static_cast<std::size_t>(node_)].op;
  }
  bool terminal() const { return op().needs().terminal; }
  engine::Ref out() const { return out_; }
  std::vector<float> grad(std::size_t operand) const;

 private:
  engine::Params params_;
  std::vector<std::vector<float>> bound_;
  std::vector<std::vector<std::int32_t>> ints_;
  std::vector<engine::Ref> sources_;
  std::optional<engine::Plan> plan_;
  engine::Ref out_;
  int node_ = -1;
};

RunResult run_case(const OpCase& c, const Point& point, const RunOptions& options);

}  // namespace tests
