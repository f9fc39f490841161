#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "ops/gemm.h"
#include "ops/operands.h"

namespace ops {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kTimings = 3;
constexpr double kWorthIt = 0.98;  // of the partition's time: less is noise

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Sets OpenMP's number of threads for as long as it lives.
class Threads {
 public:
  explicit Threads(int n) : before_(omp_get_max_threads()) { omp_set_num_threads(n); }
  ~Threads() { omp_set_num_threads(before_); }
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

 private:
  int before_;
};

/// A product with memory of its own.
class Trial {
 public:
  Trial(const MatmulSpec& spec, Way way, const Operands& operands)
      : operands_(operands), gemm_(spec, way), scratch_(gemm_.scratch_bytes()) {
    gemm_.build(true, true);
  }
  void run(float* c, bool add) const {
    gemm_.run(operands_.a.as<float>(), operands_.b.as<float>(), operands_.bias(), c,
              scratch_.data(), add);
  }

 private:
  const Operands& operands_;
  Gemm gemm_;
  engine::Buffer scratch_;
};

/// C = AB, then C += AB.
void results(const MatmulSpec& spec, Way way, const Operands& operands, engine::Buffer& c) {
  const Trial trial(spec, way, operands);
  std::memset(c.data(), 0, c.size());
  trial.run(c.as<float>(), false);
  trial.run(c.as<float>(), true);
}

/// Whether its results on each of these numbers of threads are the partition's on the first.
bool has_bits(const MatmulSpec& spec, Way way, const Operands& operands,
              std::span<const int> tried) {
  engine::Buffer want(operands.c_bytes), got(operands.c_bytes);
  {
    const Threads first(tried.front());
    results(spec, Way::kPartition, operands, want);
  }
  return std::all_of(tried.begin(), tried.end(), [&](int n) {
    const Threads threads(n);
    results(spec, way, operands, got);
    return std::memcmp(want.data(), got.data(), want.size()) == 0;
  });
}

/// Those that a way is tried on before it is kept: the present number is taken with it.
bool has_bits(const MatmulSpec& spec, Way way, const Operands& operands) {
  std::vector<int> tried(kTriedThreads.begin(), kTriedThreads.end());
  if (std::find(tried.begin(), tried.end(), omp_get_max_threads()) == tried.end())
    tried.push_back(omp_get_max_threads());
  return has_bits(spec, way, operands, tried);
}

/// Whether the way has its bits here and now, whatever a file says: tried once in a process.
bool checked(const std::string& key, const MatmulSpec& spec, Way way) {
  if (way == Way::kPartition) return true;
  static std::mutex mutex;
  static std::map<std::pair<std::string, Way>, bool> known;
  const std::scoped_lock lock(mutex);
  const auto [it, fresh] = known.try_emplace({key, way}, false);
  if (fresh) it->second = has_bits(spec, way, Operands(spec), {{omp_get_max_threads()}});
  return it->second;
}

/// Model name, and which instructions the system lets programs use.
std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  std::string model = "?", flags;
  for (std::string line; std::getline(in, line) && flags.empty();) {
    const std::size_t colon = std::min(line.size(), line.find(':'));
    if (line.starts_with("model name")) model = line.substr(colon);
    if (line.starts_with("flags") || line.starts_with("Features")) flags = line.substr(colon);
  }
  std::replace(model.begin(), model.end(), '\t', ' ');
  return base::concat(model, " #", std::hex, std::hash<std::string>{}(flags));
}

/// The ways from the fastest on, without those that are not worth it.
std::vector<Way> by_time(const MatmulSpec& spec, const Operands& operands) {
  const std::vector<Way> ways = ways_for(spec, omp_get_max_threads());
  std::vector<Trial> trials;
  trials.reserve(ways.size());
  for (const Way way : ways) trials.emplace_back(spec, way, operands);
  engine::Buffer c(operands.c_bytes);
  std::array<double, kWayNames.size()> best{};
  for (int round = -1; round < kTimings; ++round)
    for (std::size_t i = 0; i < ways.size(); ++i) {
      const auto start = Clock::now();
      trials[i].run(c.as<float>(), false);
      const double took = seconds_since(start);
      if (round <= 0 || took < best[i]) best[i] = took;
    }
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < ways.size(); ++i)
    if (i == 0 || best[i] < kWorthIt * best[0]) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t x, std::size_t y) { return best[x] < best[y]; });
  std::vector<Way> sorted;
  for (const std::size_t i : order) sorted.push_back(ways[i]);
  return sorted;
}

}  // namespace

bool can_pack(const MatmulSpec& spec) {
  if (spec.a_col != 1) return false;
  MatmulSpec packed = spec;
  packed.packed = true;
  const std::size_t bytes = Matmul::packed_bytes(packed);
  return bytes > 0 && bytes <= kMostPacked;
}

std::vector<Way> ways_for(const MatmulSpec& spec, int threads) {
  std::vector<Way> ways = {Way::kPartition, Way::kWhole};
  if (can_pack(spec)) ways.push_back(Way::kPacked);
  if (threads > kBlocks) ways.push_back(Way::kFine);
  return ways;
}

bool has_partition_bits(const MatmulSpec& spec, Way way) {
  return has_bits(spec, way, Operands(spec));
}

std::string tuning_key(const MatmulSpec& s) {
  static const std::string here =
      base::concat("product 2, oneDNN ", onednn_version(), " ", onednn_isa(), ", cpu", processor());
  return base::concat(here, ", threads ", omp_get_max_threads(), ": ", s.m, ' ', s.n, ' ', s.k, ' ',
                      s.a_row, ' ', s.a_col, ' ', s.b_row, ' ', s.b_col, ' ', s.c_row,
                      s.bias ? " bias" : "");
}

Way choose_way(const MatmulSpec& spec, engine::Tuning& tuning) {
  const std::string key = tuning_key(spec);
  if (const auto word = tuning.recall(key))
    for (const Way way : ways_for(spec, omp_get_max_threads()))
      if (*word == kWayNames[static_cast<std::size_t>(way)] && checked(key, spec, way)) return way;
  if (!tuning.may_measure()) return Way::kPartition;
  const auto start = Clock::now();
  Way chosen = Way::kPartition;
  const Operands operands(spec);
  for (const Way way : by_time(spec, operands)) {
    chosen = way;
    if (way == Way::kPartition || has_bits(spec, way, operands)) break;
  }
  tuning.spent(seconds_since(start));
  tuning.keep(key, kWayNames[static_cast<std::size_t>(chosen)]);
  return chosen;
}

}  // namespace ops
