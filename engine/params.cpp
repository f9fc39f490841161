#include "engine/params.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "engine/rng.h"

namespace engine {
namespace {

std::size_t floats(const Param& p) { return static_cast<std::size_t>(p.shape.numel()); }
std::size_t slot(const Param& p) { return align_up(floats(p) * sizeof(float)) / sizeof(float); }

void draw(const Param& p, std::uint64_t seed, float* out) {
  const std::size_t n = floats(p);
  if (p.init.kind == Init::Kind::kConstant) {
    std::fill_n(out, n, static_cast<float>(p.init.value));
    return;
  }
  // Box & Muller 1958, two normals from one Philox block.
  const Key key = stream_key(seed, Stream::kInit);
  const std::uint32_t site = site_id(p.name);
  for (std::size_t i = 0; i < n; i += 2) {
    const Block b = random_block(key, site, 0, i / 2, 10);
    const auto uniform = [](std::uint32_t lo, std::uint32_t hi) {
      return (static_cast<double>((std::uint64_t{hi} << 32 | lo) >> 12) + 0.5) * 0x1p-52;
    };
    const double radius = p.init.value * std::sqrt(-2.0 * std::log(uniform(b[0], b[1])));
    const double angle = 2.0 * std::numbers::pi * uniform(b[2], b[3]);
    out[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < n) out[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

void initialise(const Param& p, std::uint64_t seed, float* out) {
  draw(p, seed, out);
  if (p.init.tail_factor == 1) return;
  const auto columns = static_cast<std::size_t>(p.shape.back());
  const auto tail = static_cast<std::size_t>(p.init.tail);
  const auto factor = static_cast<float>(p.init.tail_factor);
  for (std::size_t row = 0; row < floats(p); row += columns)
    for (std::size_t j = tail; j < columns; ++j) out[row + j] *= factor;
}

}  // namespace

int Params::declare(std::string_view name, const Shape& shape, Init init, bool trainable) {
  if (const int i = find(name); i >= 0) {
    base::require((*this)[i].shape == shape, "parameter ", name, ": declared as ", (*this)[i].shape,
                  " and again as ", shape);
    base::require((*this)[i].trainable == trainable, "parameter ", name, ": declared as ",
                  trainable ? "state" : "trainable", " and again as ",
                  trainable ? "trainable" : "state");
    return i;
  }
  base::require(!allocated_, "parameter ", name, ": unknown to the model that was built first");
  list_.push_back({std::string(name), shape, init, trainable, trainable && shape.rank() >= 2, 0});
  return static_cast<int>(list_.size()) - 1;
}

int Params::find(std::string_view name) const {
  for (std::size_t i = 0; i < list_.size(); ++i)
    if (list_[i].name == name) return static_cast<int>(i);
  return -1;
}

void Params::allocate(std::uint64_t seed) {
  base::require(!allocated_, "parameters: allocated twice");
  std::size_t values = 0, grads = 0;
  // Trainable ones first, so that their offsets serve gradients too.
  for (const bool trainable : {true, false}) {
    for (Param& p : list_) {
      if (p.trainable != trainable) continue;
      p.offset = values;
      values += slot(p);
      if (trainable) grads = values;
    }
  }
  values_ = Buffer(values * sizeof(float));
  grads_ = Buffer(grads * sizeof(float));
  std::fill_n(values_.as<float>(), values, 0.0F);
  std::fill_n(grads_.as<float>(), grads, 0.0F);
  seed_ = seed;
  allocated_ = true;
  for (std::size_t i = 0; i < list_.size(); ++i)
    initialise(list_[i], seed, value(static_cast<int>(i)));
}

void Params::copy_from(const Params& other) {
  for (std::size_t i = 0; i < list_.size(); ++i) {
    const int from = other.find(list_[i].name);
    base::require(from >= 0 && other[from].shape == list_[i].shape, "parameter ", list_[i].name,
                  " of shape ", list_[i].shape, " is not among those to be copied");
    std::copy_n(other.value(from), list_[i].shape.numel(), value(static_cast<int>(i)));
  }
}

void Params::reset_state() {
  for (std::size_t i = 0; i < list_.size(); ++i)
    if (!list_[i].trainable) initialise(list_[i], seed_, value(static_cast<int>(i)));
}

std::span<float> Params::gradients() const {
  return {grads_.as<float>(), grads_.size() / sizeof(float)};
}

std::span<float> Params::weights() const { return {values_.as<float>(), gradients().size()}; }

std::span<float> Params::state() const {
  const std::size_t trainable = gradients().size();
  return {values_.as<float>() + trainable, values_.size() / sizeof(float) - trainable};
}

std::int64_t Params::count() const {
  std::int64_t n = 0;
  for (const Param& p : list_) n += p.trainable ? p.shape.numel() : 0;
  return n;
}

std::size_t Params::trainable_bytes() const {
  std::size_t n = 0;
  for (const Param& p : list_) n += p.trainable ? slot(p) * sizeof(float) : 0;
  return n;
}

std::size_t Params::bytes() const {
  std::size_t n = 0;
  for (const Param& p : list_) n += slot(p) * sizeof(float) * (p.trainable ? 2 : 1);
  return n;
}

}  // namespace engine
