// Rows of (B,T,C) that an op puts noise on in its own loop, shared out in fixed chunks.
#pragma once
#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/parallel.h"
#include "ops/noise.h"

namespace ops {

class NoiseRows {
 public:
  static constexpr std::int64_t kChunk = 4096;  // elements a task takes, about

  /// `kind` null: no noise. `ids`: the op's input 1 holds the tokens behind the rows.
  explicit NoiseRows(const NoiseKind* kind, bool ids = false) : kind_(kind), ids_(ids) {}

  /// Throws Error naming the op where x does not suit the noise.
  void set_shape(const engine::Shape& x, std::string_view op) {
    const bool weights = kind_ != nullptr && kind_->granularity == Granularity::kWeight;
    base::require(x.rank() == (weights ? 2 : 3), "[", op, "] x ", x, ": needs ",
                  weights ? "a matrix" : "(B,T,C)");
    base::require(kind_ == nullptr || kind_->granularity != Granularity::kHead, "[", op, "] x ", x,
                  ": has a meaning in attention alone");
    t_ = weights ? 0 : x[1];  // no row of the batch changes what weights are multiplied by
    c_ = x.back();
    count_ = x.rows();
  }

  const NoiseKind* kind() const { return kind_; }
  std::int64_t count() const { return count_; }
  std::int64_t numel() const { return count_ * c_; }

  /// each(noise, rows, begin, end) over all rows, in parallel.
  template <class F>
  void for_each(const engine::Frame& f, const F& each) const {
    const Noise noise =
        kind_ == nullptr ? Noise{} : prepare(*kind_, f.step, f.site, static_cast<double>(f.rate));
    const auto size = [](std::int64_t n) { return static_cast<std::size_t>(n); };
    BatchRows rows{f.step.first_row * static_cast<std::uint64_t>(t_), size(t_), size(c_)};
    if (ids_) rows.ids = f.in[1].i32();
    base::parallel_chunks(count_, std::max<std::int64_t>(1, kChunk / c_),
                          [&](std::int64_t, std::int64_t r0, std::int64_t r1) {
                            each(noise, rows, size(r0), size(r1));
                          });
  }

 private:
  const NoiseKind* kind_;
  bool ids_;
  std::int64_t t_ = 0, c_ = 0, count_ = 0;
};

}  // namespace ops
