// Attention alone, forward + backward: the fused op against batched oneDNN matmuls with a
// hand-written softmax between them, interleaved in one run.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <dnnl.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "ops/attention.h"
#include "ops/mask-inl.h"
#include "ops/vexp-inl.h"

HWY_BEFORE_NAMESPACE();
namespace {
namespace hn = hwy::HWY_NAMESPACE;
constexpr hn::ScalableTag<float> kF{};
using V = hn::Vec<hn::ScalableTag<float>>;
using Clock = std::chrono::steady_clock;
using Shape = engine::Shape;

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

void randomize(Floats& x, std::uint32_t site) {
  engine::Sequence seq(engine::stream_key(1, engine::Stream::kInit), site);
  for (std::size_t i = 0; i < x.size; ++i) x.data[i] = static_cast<float>(2 * seq.uniform() - 1);
}

/// GF/s of independent chains of f32 multiply-adds on every thread.
double fma_peak() {
  constexpr int kChains = 12, kRounds = 400000;
  double best = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    const auto start = Clock::now();
    float sink = 0;
#pragma omp parallel reduction(+ : sink)
    {
      V x[kChains];
      for (int c = 0; c < kChains; ++c) x[c] = hn::Set(kF, static_cast<float>(c));
      const V a = hn::Set(kF, 0.999f), b = hn::Set(kF, 0.001f);
      for (int r = 0; r < kRounds; ++r) HWY_UNROLL(12)
      for (int c = 0; c < kChains; ++c) x[c] = hn::MulAdd(x[c], a, b);
      for (int c = 0; c < kChains; ++c) sink += hn::GetLane(x[c]);
    }
    const double s = std::chrono::duration<double>(Clock::now() - start).count();
    const double flops =
        2.0 * kChains * kRounds * static_cast<double>(hn::Lanes(kF)) * omp_get_max_threads();
    best = std::max(best, flops / s * 1e-9);
    if (sink == 42) std::puts("");
  }
  return best;
}

/// The op with its memory.
class Fused {
 public:
  Fused(const Case& c, float rate, Floats& qkv, Floats& dout)
      : op_(ops::make_attention(static_cast<int>(c.NH), true)),
        in_shape_{c.B, c.T, 3 * c.C()},
        out_shape_(op_->infer({&in_shape_, 1})),
        out_(dout.size),
        dqkv_(qkv.size),
        saved_(op_->needs().saved / sizeof(float)),
        scratch_(std::max(op_->needs().scratch_forward, op_->needs().scratch_backward) /
                 sizeof(float)),
        in_view_{qkv.data, engine::DType::kF32, &in_shape_},
        grad_{{dqkv_.data, engine::DType::kF32, &in_shape_}, false} {
    f_.in = {&in_view_, 1};
    f_.out = {out_.data, engine::DType::kF32, &out_shape_};
    f_.dout = {dout.data, engine::DType::kF32, &out_shape_};
    f_.din = {&grad_, 1};
    f_.saved = std::as_writable_bytes(std::span(saved_.data, saved_.size));
    f_.scratch = std::as_writable_bytes(std::span(scratch_.data, scratch_.size));
    f_.step.seed = 1;
    f_.site = 1;
    f_.rate = rate;
  }
  void forward() { op_->forward(f_); }
  void backward() { op_->backward(f_); }
  double flops() const {
    return op_->cost(engine::Pass::kForward).flops + op_->cost(engine::Pass::kBackward).flops;
  }
  const Floats& out() const { return out_; }
  const Floats& dqkv() const { return dqkv_; }
  std::size_t bytes() const { return (saved_.size + scratch_.size) * sizeof(float); }

 private:
  std::unique_ptr<engine::Op> op_;
  Shape in_shape_, out_shape_;
  Floats out_, dqkv_, saved_, scratch_;
  engine::View in_view_;
  engine::Grad grad_;
  engine::Frame f_;
};

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
    if (implementation_.find(pd.impl_info_str()) == std::string::npos)
      implementation_ += (implementation_.empty() ? "" : " ") + std::string(pd.impl_info_str());
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

double difference(const Floats& a, const Floats& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size; ++i)
    worst = std::max(worst, static_cast<double>(std::fabs(a.data[i] - b.data[i])));
  return worst;
}

struct Samples {
  std::vector<double> ms;
  template <class F>
  void time(const F& f) {
    const auto start = Clock::now();
    f();
    ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
  }
  nlohmann::json summary() const {
    std::vector<double> s = ms;
    std::sort(s.begin(), s.end());
    return {{"median", s[s.size() / 2]}, {"min", s.front()}, {"max", s.back()}};
  }
};

nlohmann::json measure(const Case& c, float rate, int repetitions) {
  Floats qkv(static_cast<std::size_t>(c.B * c.T * 3 * c.C())), dout(qkv.size / 3);
  randomize(qkv, 1), randomize(dout, 2);
  {
    Fused a(c, 0, qkv, dout);
    Batched b(c, 0, qkv, dout);
    a.forward(), a.backward(), b.forward(), b.backward();
    if (!(difference(a.out(), b.out()) < 1e-4 && difference(a.dqkv(), b.dqkv()) < 1e-3)) {
      std::fprintf(stderr, "bench_attention: the two disagree\n");
      std::exit(1);
    }
  }
  Fused fused(c, rate, qkv, dout);
  Batched batched(c, rate, qkv, dout);
  Samples f, fb, b, bb, both_f, both_b;
  for (int r = -2; r < repetitions; ++r) {
    if (r == 0) f.ms.clear(), fb.ms.clear(), b.ms.clear(), bb.ms.clear();
    f.time([&] { fused.forward(); });
    fb.time([&] { fused.backward(); });
    b.time([&] { batched.forward(); });
    bb.time([&] { batched.backward(); });
  }
  std::vector<double> ratios;
  for (std::size_t r = 0; r < f.ms.size(); ++r) {
    both_f.ms.push_back(f.ms[r] + fb.ms[r]);
    both_b.ms.push_back(b.ms[r] + bb.ms[r]);
    ratios.push_back(both_b.ms.back() / both_f.ms.back());
  }
  std::sort(ratios.begin(), ratios.end());
  const auto part = [&](double share) {
    return ratios[static_cast<std::size_t>(share * static_cast<double>(ratios.size() - 1))];
  };
  return {{"heads", c.B * c.NH},
          {"T", c.T},
          {"hs", c.hs},
          {"rate", rate},
          {"fused_ms", both_f.summary()},
          {"fused_forward_ms", f.summary()},
          {"fused_backward_ms", fb.summary()},
          {"onednn_ms", both_b.summary()},
          {"onednn_forward_ms", b.summary()},
          {"onednn_backward_ms", bb.summary()},
          {"onednn_implementation", batched.implementation()},
          {"speedup", {{"median", part(0.5)}, {"p10", part(0.1)}, {"p90", part(0.9)}}},
          {"fused_flops", fused.flops()},
          {"fused_memory_mb", static_cast<double>(fused.bytes()) * 1e-6},
          {"onednn_memory_mb", static_cast<double>(batched.bytes()) * 1e-6}};
}

int usage() {
  std::puts(
      "usage: bench_attention [--describe] [--format text|json] [--repetitions N] [--dropout P]");
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  int repetitions = 0;
  float rate = 0.1f;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    if (a == "--describe") {
      std::puts("fused attention against batched oneDNN matmuls and a softmax, forward + backward");
      return 0;
    }
    if (i + 1 == argc) return usage();
    const std::string value = argv[++i];
    if (a == "--format" && (value == "json" || value == "text"))
      json = value == "json";
    else if (a == "--repetitions")
      repetitions = std::max(1, std::atoi(value.c_str()));
    else if (a == "--dropout")
      rate = std::strtof(value.c_str(), nullptr);
    else
      return usage();
  }
  const double before = fma_peak();
  nlohmann::json rows = nlohmann::json::array();
  for (const Case& c : {Case{12, 6, 256, 64}, Case{1, 12, 1024, 64}, Case{12, 4, 64, 32}})
    rows.push_back(measure(c, rate, repetitions > 0 ? repetitions : c.T == 64 ? 400 : 60));
  const double peak = std::max(before, fma_peak());
  for (auto& row : rows) {
    // In 1e9/s: executed multiplications and additions up to the diagonal, without the softmax.
    row["gflops"] =
        row["fused_flops"].get<double>() / row["fused_ms"]["median"].get<double>() * 1e-6;
    row["of_peak"] = row["gflops"].get<double>() / peak;
  }
  const nlohmann::json report{{"benchmark", "attention"},
                              {"threads", omp_get_max_threads()},
                              {"simd", hwy::TargetName(HWY_TARGET)},
                              {"lanes", hn::Lanes(kF)},
                              {"peak_gflops", peak},
                              {"rows", rows}};
  if (json) {
    std::printf("%s\n", report.dump(2).c_str());
    return 0;
  }
  std::printf("attention, forward + backward, %d threads, %s, FMA peak %.0f GF/s, dropout %g\n",
              omp_get_max_threads(), hwy::TargetName(HWY_TARGET), peak, static_cast<double>(rate));
  std::printf("%16s %26s %26s %20s %8s\n", "heads,T,hs", "fused ms (min..max)",
              "oneDNN ms (min..max)", "speedup (p10..p90)", "of peak");
  for (const auto& r : rows) {
    const auto get = [&](const char* a, const char* b) { return r[a][b].get<double>(); };
    std::printf(
        "%6ld,%5ld,%3ld %10.3f (%.3f..%.3f) %10.3f (%.3f..%.3f) %9.2f (%.2f..%.2f) %7.1f%%\n",
        r["heads"].get<long>(), r["T"].get<long>(), r["hs"].get<long>(), get("fused_ms", "median"),
        get("fused_ms", "min"), get("fused_ms", "max"), get("onednn_ms", "median"),
        get("onednn_ms", "min"), get("onednn_ms", "max"), get("speedup", "median"),
        get("speedup", "p10"), get("speedup", "p90"), 100 * r["of_peak"].get<double>());
    std::printf("%16s forward %.3f backward %.3f   oneDNN: forward %.3f backward %.3f, %s\n", "",
                get("fused_forward_ms", "median"), get("fused_backward_ms", "median"),
                get("onednn_forward_ms", "median"), get("onednn_backward_ms", "median"),
                r["onednn_implementation"].get<std::string>().c_str());
  }
}
HWY_AFTER_NAMESPACE();
