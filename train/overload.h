// Lambdas as one function, for std::visit.
#pragma once

namespace train {

template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;

}  // namespace train
