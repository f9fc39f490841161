// One table of op cases: it drives the forward, gradient, accumulation, poison, recomputation and
// thread-invariance tests and the op benchmark. To cover an op, add a row to op_cases.cpp:
//
//   {.name = "gelu_5x7",
//    .operands = {activation("x", {5, 7})},
//    .build = [](Tape& t, Refs in, const Randomness&) { return ops::gelu(t, "op", in[0]); },
//    .reference = [](const Point& p) { ... return out; }},   // plain double precision
//
// An op with randomness gets `.rate`; its reference asks p.kept(element).
#pragma once
#include <cstdint>
#include <functional>
#include <ostream>
#include <span>
#include <string>
#include <vector>

#include "engine/tape.h"

namespace tests {

using engine::Randomness;
using engine::Ref;
using engine::Shape;
using engine::Step;
using engine::Tape;

struct Operand {
  enum class Kind : std::uint8_t { kParam, kActivation, kData, kInts } kind = Kind::kParam;
  std::string name;
  Shape shape;
  double mean = 0, sd = 1;         // numbers: normal
  std::int32_t low = 0, high = 1;  // ints: uniform in [low, high)
  std::int64_t missing = 0;        // data: every so many is NaN; 0: none

  bool has_gradient() const { return kind == Kind::kParam || kind == Kind::kActivation; }
};

inline Operand param(std::string name, Shape shape, double mean = 0, double sd = 1) {
  return {Operand::Kind::kParam, std::move(name), shape, mean, sd};
}
inline Operand activation(std::string name, Shape shape, double mean = 0, double sd = 1) {
  return {Operand::Kind::kActivation, std::move(name), shape, mean, sd};
}
/// Numbers without a gradient.
inline Operand data(std::string name, Shape shape, double mean = 0, double sd = 1,
                    std::int64_t missing = 0) {
  return {Operand::Kind::kData, std::move(name), shape, mean, sd, 0, 1, missing};
}
inline Operand ints(std::string name, Shape shape, std::int32_t low, std::int32_t high) {
  return {Operand::Kind::kInts, std::move(name), shape, 0, 0, low, high};
}

/// What an op's output is a function of.
struct Point {
  std::span<const Operand> operands = {};
  std::vector<std::vector<double>> floats = {};  // one a operand, empty for ints; exact in float
  std::vector<std::vector<std::int32_t>> ints = {};  // one a operand, empty for numbers
  Step step = {};
  std::uint32_t site = 0;
  double rate = 0;

  const Shape& shape(std::size_t k) const { return operands[k].shape; }
  /// Row b of an operand's first dimension, counted in the whole batch.
  std::uint64_t row(std::int64_t b) const { return step.first_row + static_cast<std::uint64_t>(b); }
  /// The 16 random bits of a mask element.
  std::uint16_t bits(std::uint64_t element) const;
  /// How many of 65536 values of these bits keep an element, round(q·65536).
  double threshold() const;
  /// Dropout's factor: 0, or the inverse of the quantized keep probability.
  double kept(std::uint64_t element) const {
    return bits(element) < threshold() ? 65536 / threshold() : 0;
  }
};

using Refs = std::span<const Ref>;

struct OpCase {
  enum class Size : std::uint8_t {
    kSmall,  // gradients are checked element by element
    kLarge,  // as training has it: gradients are checked in random directions; benchmarked
    kBench,  // benchmarked, not tested
  };
  std::string name;
  Size size = Size::kSmall;
  std::vector<Operand> operands;
  double rate = 0;
  std::function<Ref(Tape&, Refs, const Randomness&)> build = {};
  std::function<std::vector<double>(const Point&)> reference = {};
  // Largest error allowed, as a share of the largest value of the tensor (of its norm for
  // derivatives in a direction).
  double tolerance = 1e-5;

  /// An op for evaluation alone has no operand with a gradient.
  bool trains() const {
    for (const Operand& o : operands)
      if (o.has_gradient()) return true;
    return false;
  }
  friend std::ostream& operator<<(std::ostream& out, const OpCase& c) { return out << c.name; }
};

const std::vector<OpCase>& op_cases();
/// Without those that are only benchmarked.
std::vector<OpCase> tested_cases();
/// The part of it in op_cases_regularizers.cpp.
std::vector<OpCase> regularizer_cases();
/// The part of it in op_cases_norm.cpp.
std::vector<OpCase> norm_cases();

/// The operands' numbers: the same ones each time.
Point make_point(const OpCase& c);

}  // namespace tests
