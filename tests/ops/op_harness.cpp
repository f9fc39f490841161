#include "tests/ops/op_harness.h"

#include <omp.h>

#include <algorithm>
#include <utility>

#include "tests/ops/test_ops.h"

namespace tests {

using Kind = Operand::Kind;

RecordedCase::RecordedCase(const OpCase& c, const Point& point, const RunOptions& options) {
  Tape tape(params_);
  std::vector<Ref> in;
  for (std::size_t k = 0; k < c.operands.size(); ++k) {
    const Operand& o = c.operands[k];
    bound_.emplace_back(point.floats[k].begin(), point.floats[k].end());
    ints_.push_back(point.ints[k]);
    const bool wanted = o.has_gradient() && options.only.value_or(k) == k;
    sources_.push_back(
        wanted ? tape.param(o.name, o.shape, {})
               : tape.input(o.name, o.shape,
                            o.kind == Kind::kInts ? engine::DType::kI32 : engine::DType::kF32));
    in.push_back(o.kind == Kind::kActivation && wanted
                     ? carry(tape, o.name + ".carried", sources_.back())
                     : sources_.back());
  }
  tape.segment(0);
  const double rate = c.rate;
  out_ = c.build(tape, in, {point.site, [rate](double) { return rate; }});
  node_ = static_cast<int>(tape.nodes().size()) - 1;
  Ref loss = out_;
  if (!tape.nodes().back().op->needs().terminal) {
    std::vector<Ref> summed = {options.squared ? square(tape, "squared", out_) : out_};
    tape.segment(-1);
    if (options.second_consumer)
      for (std::size_t k = 0; k < in.size(); ++k)
        if (c.operands[k].has_gradient()) summed.push_back(in[k]);
    loss = weighted_sum(tape, "sum", std::move(summed));
  }
  engine::PlanOptions plan_options;
  plan_options.training = options.training && c.trains();
  plan_options.recompute = options.recompute;
  plan_options.poison = options.poison;
  // A kept value is not recomputed.
  if (!options.squared) plan_options.keep = {out_};
  plan_.emplace(std::move(tape), loss, std::move(plan_options));
  params_.allocate(1);
  for (std::size_t k = 0; k < sources_.size(); ++k) {
    if (const int p = plan_->tape().value(sources_[k]).param; p >= 0)
      std::copy(bound_[k].begin(), bound_[k].end(), params_.value(p));
    else if (c.operands[k].kind == Kind::kInts)
      plan_->bind(sources_[k], ints_[k].data());
    else
      plan_->bind(sources_[k], bound_[k].data());
  }
}

std::vector<float> RecordedCase::grad(std::size_t operand) const {
  const engine::Value& v = plan_->tape().value(sources_[operand]);
  if (v.param < 0) return {};
  const float* g = params_.grad(v.param);
  return {g, g + v.shape.numel()};
}

RunResult run_case(const OpCase& c, const Point& point, const RunOptions& options) {
  const int threads_before = omp_get_max_threads();
  if (options.threads > 0) omp_set_num_threads(options.threads);
  RunResult result;
  {
    RecordedCase recorded(c, point, options);
    if (options.later_threads > 0) omp_set_num_threads(options.later_threads);
    engine::Plan& plan = recorded.plan();
    plan.forward(point.step);
    const auto read_out = [&] {
      const engine::View out = plan.view(recorded.out());
      result.out.assign(out.f32(), out.f32() + out.shape->numel());
    };
    const bool late =
        recorded.terminal() && options.training && c.trains();  // the output comes with backward()
    if (!options.squared && !late) read_out();
    if (options.training && c.trains()) {
      plan.backward(point.step);
      if (options.accumulate) {
        plan.forward(point.step);
        plan.backward(point.step, true);
      }
    }
    if (late) read_out();
    result.loss = plan.loss();
    for (std::size_t k = 0; k < c.operands.size(); ++k) result.grads.push_back(recorded.grad(k));
  }
  omp_set_num_threads(threads_before);
  return result;
}

}  // namespace tests
