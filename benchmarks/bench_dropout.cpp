// What dropout costs: ratios to memcpy and to std::mt19937 from one run, all cases interleaved.
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <memory>
#include <new>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/measure.h"
#include "base/parallel.h"
#include "benchmarks/stored_mask-inl.h"
#include "ops/noise.h"

HWY_BEFORE_NAMESPACE();
namespace {
using namespace ops;
using namespace ops::simd;

constexpr double kRate = 0.1;
const MaskStream kStream{engine::stream_key(1, engine::Stream::kMask), engine::site_id("bench"), 7};

/// out = x/q where kept, with any number of rounds; kBypass: stores that bypass the caches.
template <int kRounds, bool kBypass = false>
void dropout(const float* HWY_RESTRICT x, float* HWY_RESTRICT out, std::size_t first, std::size_t n,
             std::uint32_t threshold) {
  const VF m = hn::Set(kF32, static_cast<float>(1 / keep_probability(threshold)));
  for_each_keep<kRounds>(kStream, first, n, threshold, [=](auto at, Keep keep) HWY_ATTR {
    const VF y = hn::IfThenElseZero(keep, hn::Mul(m, at.load(x)));
    kBypass ? at.stream(y, out) : at.store(y, out);
  });
  if (kBypass) hwy::FlushStream();
}
/// The same, and the mask to `bits`.
void dropout_storing(const float* HWY_RESTRICT x, float* HWY_RESTRICT out,
                     std::uint8_t* HWY_RESTRICT bits, std::size_t n, std::uint32_t threshold) {
  const VF m = hn::Set(kF32, static_cast<float>(1 / keep_probability(threshold)));
  for_each_keep(kStream, 0, n, threshold, [=](auto at, Keep keep) HWY_ATTR {
    store_keep(at, keep, bits);
    at.store(hn::IfThenElseZero(keep, hn::Mul(m, at.load(x))), out);
  });
}
/// dx = dout/q where `bits` say kept.
void backward_reading(const float* HWY_RESTRICT dout, float* HWY_RESTRICT dx,
                      const std::uint8_t* HWY_RESTRICT bits, std::size_t n,
                      std::uint32_t threshold) {
  const VF m = hn::Set(kF32, static_cast<float>(1 / keep_probability(threshold)));
  for_each_stored(bits, n, [=](auto at, Keep keep) HWY_ATTR {
    at.store(hn::IfThenElseZero(keep, hn::Mul(m, at.load(dout))), dx);
  });
}
}  // namespace
HWY_AFTER_NAMESPACE();

namespace {
using Clock = std::chrono::steady_clock;

struct Case {
  std::string name;
  int rounds;  // of Philox; 0: none
  std::function<void()> run;
  std::vector<double> ns = {};  // per element, one for each repetition
};
struct Sample {
  double low, median, high;
};

Sample summary(const std::vector<double>& v, double low = 0, double high = 1) {
  return {base::quantile(v, low), base::median(v), base::quantile(v, high)};
}
/// The middle half of the repetitions' ratios.
Sample ratio(const Case& a, const Case& b) {
  std::vector<double> r;
  for (std::size_t i = 0; i < a.ns.size(); ++i) r.push_back(a.ns[i] / b.ns[i]);
  return summary(r, 0.25, 0.75);
}

void measure(std::vector<Case>& cases, std::size_t n, int repeats) {
  for (int r = -1; r < repeats; ++r)
    for (Case& c : cases) {
      const auto start = Clock::now();
      c.run();
      const std::chrono::duration<double, std::nano> took = Clock::now() - start;
      if (r >= 0) c.ns.push_back(took.count() / static_cast<double>(n));
    }
}

struct Free {
  void operator()(float* p) const { ::operator delete[](p, std::align_val_t{4096}); }
};
using Tensor = std::unique_ptr<float[], Free>;
Tensor tensor(std::size_t n) {
  Tensor t(static_cast<float*>(::operator new[](n * sizeof(float), std::align_val_t{4096})));
  for (std::size_t i = 0; i < n; ++i) t[i] = static_cast<float>(i % 1000) - 500.0f;
  return t;
}

std::vector<Case> in_cache(std::size_t n, int repeats) {
  const Tensor x = tensor(n), y = tensor(n);
  std::vector<std::uint8_t> bits(keep_bytes(n));
  std::mt19937 mt(1);
  const std::uint32_t threshold = keep_threshold(kRate);
  const auto scale = static_cast<float>(1 / keep_probability(threshold));
  const Noise noise = prepare(noise_kind("dropout"), {}, kStream.site, kRate);
  const BatchRows rows{0, n / 256, 256};
  std::vector<Case> cases = {
      {"memcpy", 0, [&] { std::memcpy(y.get(), x.get(), n * sizeof(float)); }},
      {"mt19937 + bernoulli_distribution", 0,
       [&] {
         std::bernoulli_distribution keep(1 - kRate);
         for (std::size_t i = 0; i < n; ++i) y[i] = keep(mt) ? x[i] * scale : 0.0f;
       }},
      {"dropout forward", 10, [&] { dropout<10>(x.get(), y.get(), 0, n, threshold); }},
      {"dropout forward", 7, [&] { dropout<7>(x.get(), y.get(), 0, n, threshold); }},
      {"dropout op forward", engine::kPhiloxRounds,
       [&] { noise_forward(noise, rows, 0, n / 256, x.get(), y.get()); }},
      {"dropout op backward, mask regenerated", engine::kPhiloxRounds,
       [&] { noise_backward(noise, rows, 0, n / 256, x.get(), y.get(), false); }},
      {"dropout forward, mask kept at 1 bit", engine::kPhiloxRounds,
       [&] { dropout_storing(x.get(), y.get(), bits.data(), n, threshold); }},
      {"dropout backward, mask read at 1 bit", 0,
       [&] { backward_reading(x.get(), y.get(), bits.data(), n, threshold); }}};
  measure(cases, n, repeats);
  return cases;
}

std::vector<Case> in_memory(std::size_t n, int threads, int repeats) {
  const Tensor x = tensor(n), y = tensor(n);
  const std::uint32_t threshold = keep_threshold(kRate);
  constexpr std::size_t kPart = std::size_t{1} << 16;  // elements: what an op gives a task
  const auto parts = static_cast<std::int64_t>(n / kPart);
  const auto parallel = [&](auto f) {
    return [=] {
#pragma omp parallel for schedule(static) num_threads(threads)
      for (std::int64_t p = 0; p < parts; ++p) f(static_cast<std::size_t>(p) * kPart);
    };
  };
  float *xp = x.get(), *yp = y.get();
  const auto share = (n / static_cast<std::size_t>(threads));
  std::vector<Case> cases = {
      {"memcpy", 0,
       [=] {
#pragma omp parallel num_threads(threads)
         {
           const std::size_t at = share * static_cast<std::size_t>(omp_get_thread_num());
           std::memcpy(yp + at, xp + at, share * sizeof(float));
         }
       }},
      {"dropout forward", 10,
       parallel([=](std::size_t i) { dropout<10>(xp + i, yp + i, i, kPart, threshold); })},
      {"dropout forward", 7,
       parallel([=](std::size_t i) { dropout<7>(xp + i, yp + i, i, kPart, threshold); })},
      {"dropout forward, stores bypass caches", 10,
       parallel([=](std::size_t i) { dropout<10, true>(xp + i, yp + i, i, kPart, threshold); })},
      {"dropout forward, stores bypass caches", 7,
       parallel([=](std::size_t i) { dropout<7, true>(xp + i, yp + i, i, kPart, threshold); })}};
  measure(cases, n, repeats);
  return cases;
}

nlohmann::json json_of(const Sample& s, const char* low, const char* high) {
  return {{"median", s.median}, {low, s.low}, {high, s.high}};
}

nlohmann::json json_of(const std::vector<Case>& cases, std::size_t n, int threads) {
  nlohmann::json rows = nlohmann::json::array();
  for (const Case& c : cases) {
    nlohmann::json row = {{"name", c.name}, {"rounds", nullptr}, {"bits", nullptr}};
    if (c.rounds > 0) row["rounds"] = c.rounds, row["bits"] = 16;
    row["ns_per_element"] = json_of(summary(c.ns), "min", "max");
    row["over_memcpy"] = json_of(ratio(c, cases.front()), "q1", "q3");
    if (cases[1].rounds == 0) row["mt19937_over_this"] = json_of(ratio(cases[1], c), "q1", "q3");
    rows.push_back(std::move(row));
  }
  return {{"bytes", n * sizeof(float)}, {"threads", threads}, {"cases", std::move(rows)}};
}

void print(const nlohmann::json& tensor_result) {
  std::printf("\n%-58s ns/element (min)   × memcpy (middle half)\n",
              (std::to_string(tensor_result["bytes"].get<std::size_t>() >> 20) +
               " MB f32, threads: " + std::to_string(tensor_result["threads"].get<int>()))
                  .c_str());
  for (const nlohmann::json& c : tensor_result["cases"]) {
    std::string name = c["name"];
    if (!c["rounds"].is_null()) name += ", " + std::to_string(c["rounds"].get<int>()) + " rounds";
    const nlohmann::json &ns = c["ns_per_element"], &r = c["over_memcpy"];
    std::printf("  %-56s %7.4f (%.4f)  %6.2f (%.2f to %.2f)\n", name.c_str(),
                ns["median"].get<double>(), ns["min"].get<double>(), r["median"].get<double>(),
                r["q1"].get<double>(), r["q3"].get<double>());
  }
}

/// For each line N on standard input: the median milliseconds of N forward calls of dropout's op on
/// `elements`, so that a driver can take turns with a peer.
int serve(std::size_t elements, int threads) {
  constexpr std::size_t kColumns = 256, kRowsATask = 256;
  const std::size_t n = (elements + kColumns - 1) / kColumns * kColumns;
  const Tensor x = tensor(n), y = tensor(n);
  const Noise noise = prepare(noise_kind("dropout"), {}, kStream.site, kRate);
  const BatchRows rows{0, n / kColumns, kColumns};
  omp_set_num_threads(threads);
  std::puts("ready");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    const int calls = std::atoi(line.c_str());
    if (calls < 1) return 2;
    std::vector<double> ms;
    for (int i = 0; i < calls; ++i) {
      const auto start = Clock::now();
      base::parallel_chunks(static_cast<std::int64_t>(rows.T), kRowsATask,
                            [&](std::int64_t, std::int64_t begin, std::int64_t end) {
                              noise_forward(noise, rows, static_cast<std::size_t>(begin),
                                            static_cast<std::size_t>(end), x.get(), y.get());
                            });
      ms.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
    std::printf("%.6f\n", base::median(ms));
    std::fflush(stdout);
  }
  return 0;
}

int usage(const std::string& why) {
  std::fprintf(stderr,
               "bench_dropout: %s\nusage: bench_dropout [--format text|json] [--repeats N] "
               "[--threads N] [--serve ELEMENTS] [--describe]\n",
               why.c_str());
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  bool json = false;
  int repeats = 200, threads = 2, served = 0;
  for (int i = 1; i < argc; i += 2) {
    const std::string flag = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (flag == "--describe") {
      std::puts("dropout kernels against memcpy and std::mt19937, in cache and in memory");
      return 0;
    }
    const int number = std::atoi(value.c_str());
    if (flag == "--format" && (value == "json" || value == "text"))
      json = value == "json";
    else if (flag == "--repeats" && number > 0)
      repeats = number;
    else if (flag == "--threads" && number > 0)
      threads = number;
    else if (flag == "--serve" && number > 0)
      served = number;
    else
      return usage("cannot use '" + flag + " " + value + "'");
  }
  if (served > 0) return serve(static_cast<std::size_t>(served), threads);
  constexpr std::size_t kCached = (1u << 20) / sizeof(float), kLarge = (64u << 20) / sizeof(float);
  const nlohmann::json result = {
      {"benchmark", "dropout"},
      {"isa", hwy::TargetName(HWY_TARGET)},
      {"rate", kRate},
      {"repeats", repeats},
      {"tensors",
       {json_of(in_cache(kCached, repeats), kCached, 1),
        json_of(in_memory(kLarge, threads, std::max(5, repeats / 4)), kLarge, threads)}}};
  if (json) {
    std::puts(result.dump(2).c_str());
    return 0;
  }
  std::printf(
      "dropout, rate %.1f, 16 bits per element, %s, medians of %d interleaved repetitions\n", kRate,
      hwy::TargetName(HWY_TARGET), repeats);
  for (const nlohmann::json& t : result["tensors"]) print(t);
  const nlohmann::json& cached = result["tensors"][0]["cases"];
  std::printf("\nstd::mt19937 takes %.0f times as long as 10 rounds, %.0f times as 7\n",
              cached[2]["mt19937_over_this"]["median"].get<double>(),
              cached[3]["mt19937_over_this"]["median"].get<double>());
}
