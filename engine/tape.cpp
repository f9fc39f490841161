#include "engine/tape.h"

#include <utility>

namespace engine {

Ref Tape::add(Value value) {
  base::require(value.shape.numel() > 0, value.name, ": shape ", value.shape, " has no elements");
  values_.push_back(std::move(value));
  return {static_cast<int>(values_.size()) - 1};
}

Ref Tape::input(std::string_view name, const Shape& shape, DType dtype) {
  return add({std::string(name), shape, dtype, -1, -1});
}

Ref Tape::param(std::string_view name, const Shape& shape, Init init) {
  const int index = params_->declare(name, shape, init);
  // One value a parameter, so that a tied one (wte) sums its gradients.
  for (std::size_t i = 0; i < values_.size(); ++i)
    if (values_[i].param == index) return {static_cast<int>(i)};
  return add({std::string(name), shape, DType::kF32, -1, index});
}

Ref Tape::state(std::string_view name, const Shape& shape, Init init) {
  const int index = params_->declare(name, shape, init, false);
  return add({std::string(name), shape, DType::kF32, -1, index});
}

Ref Tape::push(std::string_view name, std::unique_ptr<Op> op, std::vector<Ref> in,
               Randomness randomness, std::vector<Ref> state) {
  std::vector<Shape> shapes;
  for (const Ref r : in) {
    base::require(r.id >= 0 && static_cast<std::size_t>(r.id) < values_.size(), name,
                  ": input is not a value of this tape");
    shapes.push_back(shape(r));
  }
  const Shape out_shape = op->infer(shapes);
  const Ref out =
      add({std::string(name), out_shape, DType::kF32, static_cast<int>(nodes_.size()), -1});
  nodes_.push_back({std::string(name), std::move(op), std::move(in), out, std::move(state),
                    std::move(randomness), segment_});
  return out;
}

}  // namespace engine
