// Every product of a preset's step: oneDNN's own threading, a packed B, our partition and OpenBLAS,
// isolated and interleaved, against the FMA peak.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/parallel.h"
#include "benchmarks/products.h"
#include "benchmarks/step_args.h"
#include "cli/process.h"
#include "ops/peak.h"
#include "train/tasks/language_modelling.h"
#include "train/tasks/load_corpus.h"

namespace {

cli::Command command() {
  cli::Command c;
  c.name = "gemm";
  c.summary = "every product of a preset's step, by each implementation, against the FMA peak";
  c.extras = {{"rounds", "N", "15", "times each is timed"},
              {"bits", "", "", "whose bits are the partition's on 1, 2, 3, 4, 8, 16 threads"},
              bench::kFormat,
              bench::kDescribe};
  return c;
}

int run(int argc, char** argv) {
  const cli::Parsed args = bench::parse_step_args(command(), argc, argv);
  if (args.help) return 0;
  const train::Settings& settings = args.settings;
  const train::LanguageModelling corpus(train::random_corpus(settings));
  train::Trainer trainer(settings, corpus);
  bench::ProductTimer timer(bench::products_of(trainer.plan().tape(), settings.micro_steps()));
  double peak = ops::fma_peak_gflops();
  const std::int64_t rounds = args.integer("rounds", 1, 100'000);
  for (std::int64_t r = 0; r < rounds; ++r) timer.round();
  peak = std::max(peak, ops::fma_peak_gflops());

  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  double sums[bench::kSides] = {}, best = 0, flops = 0;
  for (std::size_t i = 0; i < timer.products().size(); ++i) {
    const bench::Product& p = timer.products()[i];
    nlohmann::ordered_json row = {{"product", p.name},
                                  {"m", p.spec.m},
                                  {"n", p.spec.n},
                                  {"k", p.spec.k},
                                  {"count", p.count},
                                  {"implementation", timer.implementation(i)},
                                  {"packing_ms", timer.packing_ms(i)}};
    for (int s = 0; s < bench::kSides; ++s) {
      const auto side = bench::Side{s};
      if (!bench::available(side)) continue;
      nlohmann::ordered_json cell = {{"ms", timer.ms(i, side)},
                                     {"gflops", p.flops() / timer.ms(i, side) / 1e6}};
      if (args.has("bits") && side != bench::Side::kOpenBlas)
        cell["same_bits"] = timer.same_bits(i, side);
      row[bench::name_of(side)] = cell;
      sums[s] += p.count * timer.ms(i, side);
    }
    best += p.count * timer.best_ms(i);
    flops += p.count * p.flops();
    rows.push_back(row);
  }
  nlohmann::ordered_json result = {{"preset", settings.preset},
                                   {"batch", settings.batch},
                                   {"threads", base::max_threads()},
                                   {"onednn", ops::onednn_version()},
                                   {"isa", ops::onednn_isa()},
                                   {"peak_gflops", peak},
                                   {"products", rows},
                                   {"best_ms", best},
                                   {"ideal_ms", flops / peak / 1e6}};
  for (int s = 0; s < bench::kSides; ++s)
    if (bench::available(bench::Side{s}))
      result["sum_ms"][bench::name_of(bench::Side{s})] = sums[s];
  if (args.text("format") == "json") {
    fmt::print("{}\n", result.dump(2));
    return 0;
  }
  fmt::print(
      "{} B {}, {} threads, oneDNN {} (ISA {}), FMA peak {:.0f} GFLOP/s; GFLOP/s alone, operands "
      "in the caches{}\n",
      settings.preset, settings.batch, base::max_threads(), ops::onednn_version(),
      ops::onednn_isa(), peak,
      args.has("bits") ? "; !: bits depend on the threads or differ from the partition's" : "");
  fmt::print("{:<24} {:>6} {:>6} {:>6} {:>4}", "product", "m", "n", "k", "");
  for (int s = 0; s < bench::kSides; ++s)
    if (bench::available(bench::Side{s})) fmt::print(" {:>10}", bench::name_of(bench::Side{s}));
  fmt::print("  packing  implementation\n");
  for (const auto& row : rows) {
    fmt::print("{:<24} {:>6} {:>6} {:>6} x{:<3}", row["product"].get<std::string>(),
               row["m"].get<int>(), row["n"].get<int>(), row["k"].get<int>(),
               row["count"].get<double>());
    for (int s = 0; s < bench::kSides; ++s) {
      if (!bench::available(bench::Side{s})) continue;
      const auto& cell = row[bench::name_of(bench::Side{s})];
      fmt::print(" {:>9.0f}{}", cell["gflops"].get<double>(),
                 cell.value("same_bits", true) ? ' ' : '!');
    }
    fmt::print("  {:6.3f}  {}\n", row["packing_ms"].get<double>(),
               row["implementation"].get<std::string>());
  }
  fmt::print("{:<24} {:>25}", "all, ms", "");
  for (int s = 0; s < bench::kSides; ++s)
    if (bench::available(bench::Side{s})) fmt::print(" {:>9.2f} ", sums[s]);
  fmt::print("  best of each {:.2f}, at the peak {:.2f}\n", best, flops / peak / 1e6);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  cli::wait_politely(argv);
  try {
    return run(argc, argv);
  } catch (const base::Error& e) {
    fmt::print(stderr, "bench_gemm: error: {}\n", e.what());
    return 2;
  }
}
