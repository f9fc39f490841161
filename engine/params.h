// Parameters by name: weights and their gradients, and persistent state without gradient.
//
// Example:
//     engine::Params params;
//     const int w = params.declare("w", {3, 4}, {engine::Init::Kind::kNormal, 0.02});
//     params.allocate(1);  // seed
//     params.value(w)[0] = 0.5F;
//     assert(params.count() == 12 && params.grad(w)[0] == 0);
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/buffer.h"
#include "engine/shape.h"

namespace engine {

/// How a parameter starts: normal(0, value) or the constant `value`. Columns of a matrix from
/// `tail` on times `tail_factor`.
struct Init {
  enum class Kind : std::uint8_t { kConstant, kNormal } kind = Kind::kConstant;
  double value = 0;
  std::int64_t tail = 0;
  double tail_factor = 1;
};

struct Param {
  std::string name;
  Shape shape;
  Init init;
  bool trainable = true;   // false: state such as running statistics
  bool decay = false;      // weight decay applies (matrices only)
  std::size_t offset = 0;  // in floats, into values and (where trainable) gradients
};

/// Declared while a tape is recorded, allocated once by `allocate()`; later tapes (evaluation,
/// sampling) name the same parameters again and share the memory.
class Params {
 public:
  /// Index of `name`, declared on first use. Throws Error if the shape differs from before, or
  /// where a new name comes after allocate().
  int declare(std::string_view name, const Shape& shape, Init init, bool trainable = true);
  int find(std::string_view name) const;  // -1: none

  /// Allocates values (set by Init) and gradients. The numbers depend on the seed, the parameter's
  /// name and its shape alone, so two models share what they have in common.
  void allocate(std::uint64_t seed);
  /// Takes the values of the same names. Throws Error naming the first that is missing there or has
  /// another shape. REQUIRES: both allocated.
  void copy_from(const Params& other);
  /// State back to where it started.
  void reset_state();
  bool allocated() const { return allocated_; }

  const std::vector<Param>& list() const { return list_; }
  const Param& operator[](int i) const { return list_[static_cast<std::size_t>(i)]; }
  float* value(int i) const { return values_.as<float>() + (*this)[i].offset; }
  float* grad(int i) const { return grads_.as<float>() + (*this)[i].offset; }
  /// All gradients, with the gaps between parameters, which hold zeros. REQUIRES: allocated.
  std::span<float> gradients() const;
  /// All trainable values, each where its gradient is in gradients().
  std::span<float> weights() const;
  /// All values without gradient, likewise.
  std::span<float> state() const;
  /// Trainable numbers in all.
  std::int64_t count() const;
  /// Bytes of values and gradients.
  std::size_t bytes() const;
  /// Bytes of the trainable values, which come first; known before allocate() too.
  std::size_t trainable_bytes() const;

 private:
  std::vector<Param> list_;
  Buffer values_, grads_;
  std::uint64_t seed_ = 0;
  bool allocated_ = false;
};

}  // namespace engine
