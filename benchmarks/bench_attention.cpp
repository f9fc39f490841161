// Attention alone, forward + backward: the fused op against batched oneDNN matmuls with a
// hand-written softmax between them, interleaved in one run.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/measure.h"
#include "benchmarks/attention_onednn-inl.h"
#include "ops/attention.h"

HWY_BEFORE_NAMESPACE();
namespace {
using namespace bench;
using Clock = std::chrono::steady_clock;
using Shape = engine::Shape;

/// 2·chains·rounds·lanes operations in independent chains of f32 multiply-adds. The chains are
/// parameters of a pack so that every compiler keeps them in registers.
template <std::size_t... kChain>
HWY_NOINLINE float fma_chains(int rounds, std::index_sequence<kChain...>) {
  V x[] = {hn::Set(kF, static_cast<float>(kChain))...};
  const V a = hn::Set(kF, 0.999f), b = hn::Set(kF, 0.001f);
  for (int r = 0; r < rounds; ++r) ((x[kChain] = hn::MulAdd(x[kChain], a, b)), ...);
  return (hn::GetLane(x[kChain]) + ...);
}

/// The f32 FMA peak of all threads in GF/s, the best of several attempts.
double fma_peak() {
  constexpr std::size_t kChains = 12;
  constexpr int kRounds = 400000;
  double best = 0;
  for (int attempt = 0; attempt < 10; ++attempt) {
    float sink = 0;
    const auto start = Clock::now();
#pragma omp parallel reduction(+ : sink)
    sink += fma_chains(kRounds, std::make_index_sequence<kChains>());
    const double s = std::chrono::duration<double>(Clock::now() - start).count();
    const double flops = 2.0 * kChains * kRounds * static_cast<double>(hn::Lanes(kF));
    best = std::max(best, flops * omp_get_max_threads() / s * 1e-9);
    if (sink == 42) std::puts("");
  }
  return best;
}

/// The op with its memory.
class Fused {
 public:
  Fused(const Case& c, float rate, Floats& qkv, Floats& dout)
      : op_(ops::make_attention(static_cast<int>(c.NH), &ops::noise_kind("dropout"))),
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
    return {{"median", base::median(ms)},
            {"min", base::quantile(ms, 0)},
            {"max", base::quantile(ms, 1)}};
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
  const auto part = [&](double share) { return base::quantile(ratios, share); };
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
