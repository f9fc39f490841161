// Lambdas as one function, for std::visit.
#pragma once

namespace base {

template <class... F>
struct Overload : F... {
  using F::operator()...;
};
template <class... F>
Overload(F...) -> Overload<F...>;

}  // namespace base
