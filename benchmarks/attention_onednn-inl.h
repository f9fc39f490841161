// The path that attention is measured against: oneDNN's batched matmuls with a hand-written softmax
// and dropout between them.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <dnnl.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "ops/mask-inl.h"
#include "ops/vexp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace bench {
namespace hn = hwy::HWY_NAMESPACE;
constexpr hn::ScalableTag<float> kF{};
using V = hn::Vec<hn::ScalableTag<float>>;

struct Case {
  std::int64_t B, NH, T, hs;
  std::int64_t C() const { return NH * hs; }
};

/// Aligned floats that stay where they are.
struct Floats {
  explicit Floats(std::size_t n) : size(n), memory(n + 16) {
    const auto at = reinterpret_cast<std::uintptr_t>(memory.data());
    data = memory.data() + (64 - at % 64) % 64 / sizeof(float);
  }
  Floats(const Floats&) = delete;
  Floats& operator=(const Floats&) = delete;
  std::size_t size;
  std::vector<float> memory;
  float* data;
};

inline void randomize(Floats& x, std::uint32_t site) {
  engine::Sequence seq(engine::stream_key(1, engine::Stream::kInit), site);
  for (std::size_t i = 0; i < x.size; ++i) x.data[i] = static_cast<float>(2 * seq.uniform() - 1);
}

/// oneDNN's batched matmul straight from the packed buffer, weights (B,NH,T,T) in memory. Kept from
/// forward to backward: P and P̃, so that backward needs no mask: dS = P̃ ∘ dP̃ − P ∘ D.
class Batched {
 public:
  Batched(const Case& c, float rate, Floats& qkv, Floats& dout)
      : c_(c),
        threshold_(ops::keep_threshold(rate)),
        n_(static_cast<std::size_t>(c.B * c.NH * c.T * c.T)),
        p_(n_),
        dropped_(threshold_ < ops::kAllKept ? n_ : 0),
        ds_(n_),
        out_(dout.size),
        dqkv_(qkv.size) {
    float* pd = threshold_ < ops::kAllKept ? dropped_.data : p_.data;
    const auto C = c.C();
    const auto head = [&](float* data, std::int64_t columns) {
      return Operand{data, {c.T * columns, c.hs, columns, 1}, c.hs};
    };
    const auto square = [&](float* data) {
      return Operand{data, {c.NH * c.T * c.T, c.T * c.T, c.T, 1}, c.T};
    };
    const Operand q = head(qkv.data, 3 * C), k = head(qkv.data + C, 3 * C);
    const Operand v = head(qkv.data + 2 * C, 3 * C), g = head(dout.data, C);
    forward_ = {product(q, transposed(k), square(p_.data)),
                product(square(pd), v, head(out_.data, C))};
    backward_ = {product(g, transposed(v), square(ds_.data)),
                 product(transposed(square(pd)), g, head(dqkv_.data + 2 * C, 3 * C)),
                 product(square(ds_.data), k, head(dqkv_.data, 3 * C)),
                 product(transposed(square(ds_.data)), q, head(dqkv_.data + C, 3 * C))};
    dout_ = dout.data;
  }

  void forward() {
    run(forward_[0]);
    for_rows([&](std::size_t row, std::size_t i) { softmax(row, i); });
    run(forward_[1]);
    stream_.wait();
  }
  void backward() {
    run(backward_[0]);
    for_rows([&](std::size_t row, std::size_t i) { gradient(row, i); });
    for (std::size_t i = 1; i < 4; ++i) run(backward_[i]);
    stream_.wait();
  }
  const Floats& out() const { return out_; }
  const Floats& dqkv() const { return dqkv_; }
  const std::string& implementation() const { return implementation_; }
  std::size_t bytes() const { return (p_.size + dropped_.size + ds_.size) * sizeof(float); }

 private:
  struct Operand {
    float* data;
    dnnl::memory::dims strides;  // b, h, row, column
    std::int64_t columns;
    bool flipped = false;
  };
  struct Product {
    dnnl::matmul primitive;
    std::unordered_map<int, dnnl::memory> args;
  };
  static Operand transposed(Operand a) {
    a.flipped = true;
    return a;
  }
  dnnl::memory memory(const Operand& a) {
    dnnl::memory::dims dims{c_.B, c_.NH, c_.T, a.columns}, strides = a.strides;
    if (a.flipped) std::swap(dims[2], dims[3]), std::swap(strides[2], strides[3]);
    return {{dims, dnnl::memory::data_type::f32, strides}, engine_, a.data};
  }
  Product product(const Operand& a, const Operand& b, const Operand& c) {
    const auto x = memory(a), y = memory(b), z = memory(c);
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc pd(engine_, x.get_desc(), y.get_desc(), z.get_desc());
#else
    const dnnl::matmul::primitive_desc pd({x.get_desc(), y.get_desc(), z.get_desc()}, engine_);
#endif
    const std::string name = pd.impl_info_str();
    if (implementation_.find(name) == std::string::npos) {
      if (!implementation_.empty()) implementation_ += ' ';
      implementation_ += name;
    }
    return {dnnl::matmul(pd), {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, y}, {DNNL_ARG_DST, z}}};
  }
  void run(const Product& p) { p.primitive.execute(stream_, p.args); }

  template <class F>
  void for_rows(const F& f) {
#pragma omp parallel for schedule(static)
    for (std::int64_t row = 0; row < c_.B * c_.NH * c_.T; ++row)
      f(static_cast<std::size_t>(row), static_cast<std::size_t>(row % c_.T));
  }

  /// p (T) = softmax of the first i + 1 scores, then 0; dropped: with the mask.
  void softmax(std::size_t row, std::size_t i) {
    const auto T = static_cast<std::size_t>(c_.T), n = i + 1, N = hn::Lanes(kF);
    float* p = p_.data + row * T;
    const float scale = 1.44269504f / std::sqrt(static_cast<float>(c_.hs));
    std::fill(p + n, p + T, -INFINITY);  // T is a multiple of the lanes here
    V top = hn::Set(kF, -INFINITY), sum = hn::Zero(kF);
    for (std::size_t j = 0; j < n; j += N) top = hn::Max(top, hn::LoadU(kF, p + j));
    top = hn::Mul(hn::MaxOfLanes(kF, top), hn::Set(kF, scale));
    for (std::size_t j = 0; j < n; j += N) {
      const V e = ops::simd::exp2(kF, hn::MulSub(hn::LoadU(kF, p + j), hn::Set(kF, scale), top));
      hn::StoreU(e, kF, p + j);
      sum = hn::Add(sum, e);
    }
    const V inverse = hn::Div(hn::Set(kF, 1.0f), hn::SumOfLanes(kF, sum));
    const std::size_t end = (n + N - 1) / N * N;
    if (threshold_ == ops::kAllKept) {
      for (std::size_t j = 0; j < n; j += N)
        hn::StoreU(hn::Mul(inverse, hn::LoadU(kF, p + j)), kF, p + j);
    } else {
      float* out = dropped_.data + row * T;
      const V m = hn::Set(kF, static_cast<float>(1 / ops::keep_probability(threshold_)));
      const ops::MaskStream stream{engine::stream_key(1, engine::Stream::kMask), 1, 0};
      ops::simd::for_each_keep(stream, row * ((T + 127) / 128 * 128), end, threshold_,
                               [&](auto at, auto keep) {
                                 const V x = hn::Mul(inverse, at.load(p));
                                 at.store(x, p);
                                 at.store(hn::IfThenElseZero(keep, hn::Mul(m, x)), out);
                               });
      std::fill(out + end, out + T, 0.0f);
    }
    std::fill(p + end, p + T, 0.0f);
  }

  /// ds (T) = dS/√hs from dP̃ in place.
  void gradient(std::size_t row, std::size_t i) {
    const auto T = static_cast<std::size_t>(c_.T), n = i + 1, N = hn::Lanes(kF);
    float* ds = ds_.data + row * T;
    const float* p = p_.data + row * T;
    const float* pd = threshold_ < ops::kAllKept ? dropped_.data + row * T : p;
    V sum = hn::Zero(kF);
    for (std::size_t j = 0; j < n; j += N)
      sum = hn::MulAdd(hn::LoadU(kF, pd + j), hn::LoadU(kF, ds + j), sum);
    const V delta = hn::SumOfLanes(kF, sum);
    const V scale = hn::Set(kF, 1 / std::sqrt(static_cast<float>(c_.hs)));
    std::size_t j = 0;
    for (; j < n; j += N) {
      const V x = hn::Mul(hn::LoadU(kF, pd + j), hn::LoadU(kF, ds + j));
      hn::StoreU(hn::Mul(scale, hn::NegMulAdd(hn::LoadU(kF, p + j), delta, x)), kF, ds + j);
    }
    std::fill(ds + j, ds + T, 0.0f);
  }

  Case c_;
  std::uint32_t threshold_;
  std::size_t n_;
  Floats p_, dropped_, ds_, out_, dqkv_;
  const float* dout_ = nullptr;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<Product> forward_, backward_;
  std::string implementation_;
};

}  // namespace bench
HWY_AFTER_NAMESPACE();
