#include "ops/gemm.h"

#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "engine/memory_plan.h"

namespace ops {
namespace {

constexpr double kBlockFlops = 4e6;  // less is not worth a thread
constexpr std::int64_t kLeast = 64;  // rows and columns: below, oneDNN's kernels run dry

/// Size of the parts when n is cut into about `parts`: a multiple of 16, at least kLeast, and none
/// for a small rest.
std::int64_t cut(std::int64_t n, std::int64_t parts) {
  const std::int64_t most = std::clamp<std::int64_t>(n / kLeast, 1, parts);
  return std::min(n, base::chunks(base::chunks(n, most), 16) * 16);
}

struct Blocks {
  std::int64_t m, n;  // rows and columns of a block
};

/// Of the ways to cut m × n into about `wanted` blocks the one that reads the least: A once for
/// each column of blocks, B once for each row of them.
Blocks choose(std::int64_t m, std::int64_t n, std::int64_t wanted) {
  Blocks best{};
  std::int64_t most = 0, least_read = 0;
  for (std::int64_t parts = wanted; parts >= 1; --parts) {
    const std::int64_t bm = cut(m, parts), rows = base::chunks(m, bm);
    const std::int64_t bn = cut(n, base::chunks(wanted, rows)), columns = base::chunks(n, bn);
    const std::int64_t count = std::min(rows * columns, wanted), read = m * columns + n * rows;
    if (count < most || (count == most && read >= least_read)) continue;
    best = {bm, bn};
    most = count;
    least_read = read;
  }
  return best;
}

}  // namespace

Gemm::Gemm(const MatmulSpec& spec, std::optional<Way> way)
    : spec_(spec), way_(way), threads_(base::max_threads()) {
  const std::vector<Way> ways = way ? std::vector{*way} : ways_for(spec, threads_);
  for (const Way each : ways) scratch_ = std::max(scratch_, scratch_of(each));
}

bool Gemm::in_blocks() const { return *way_ == Way::kPartition || *way_ == Way::kFine; }

void Gemm::cut_for(Way way) {
  const auto most = static_cast<double>(way == Way::kFine ? kFineBlocks : kBlocks);
  const auto wanted = static_cast<std::int64_t>(std::clamp(flops() / kBlockFlops, 1.0, most));
  const Blocks blocks = choose(spec_.m, spec_.n, wanted);
  block_m_ = blocks.m;
  block_n_ = blocks.n;
  block_scratch_ = 0;
  for (const bool lower : {false, true}) {
    for (const bool right : {false, true}) {
      const std::int64_t m = lower ? spec_.m % block_m_ : block_m_;
      const std::int64_t n = right ? spec_.n % block_n_ : block_n_;
      for (const bool sum : {false, true}) {
        MatmulSpec s = block(m, n);
        s.accumulate = sum;
        if (m > 0 && n > 0) block_scratch_ = std::max(block_scratch_, Matmul::scratch_bytes(s));
      }
    }
  }
  block_scratch_ = engine::align_up(block_scratch_);
}

MatmulSpec Gemm::block(std::int64_t m, std::int64_t n) const {
  MatmulSpec s = spec_;
  s.m = m;
  s.n = n;
  s.threaded = false;
  s.copies = threads_;
  return s;
}

MatmulSpec Gemm::whole(Way way, bool add) const {
  MatmulSpec s = spec_;
  s.packed = way == Way::kPacked;
  s.accumulate = add;
  return s;
}

std::size_t Gemm::scratch_of(Way way) {
  if (way == Way::kPartition || way == Way::kFine) {
    cut_for(way);
    return block_scratch_ * static_cast<std::size_t>(threads_);
  }
  const std::size_t packed =
      way == Way::kPacked ? engine::align_up(Matmul::packed_bytes(whole(way, false))) : 0;
  return packed + std::max(Matmul::scratch_bytes(whole(way, false)),
                           Matmul::scratch_bytes(whole(way, true)));
}

void Gemm::build(bool assign, bool add, engine::Tuning& tuning) {
  if (!way_) way_ = choose_way(spec_, tuning);
  build(assign, add);
}

void Gemm::build(bool assign, bool add) {
  base::require(way_.has_value(), "[gemm] build: no way was chosen");
  if (in_blocks()) cut_for(*way_);
  if (*way_ == Way::kPacked) packed_ = engine::align_up(Matmul::packed_bytes(whole(*way_, false)));
  for (const bool sum : {false, true}) {
    if (!(sum ? add : assign)) continue;
    if (!in_blocks()) {
      if (!primitives_[sum][0][0]) primitives_[sum][0][0].emplace(whole(*way_, sum));
      continue;
    }
    for (const bool lower : {false, true}) {
      for (const bool right : {false, true}) {
        const std::int64_t m = lower ? spec_.m % block_m_ : block_m_;
        const std::int64_t n = right ? spec_.n % block_n_ : block_n_;
        auto& primitive = primitives_[sum][lower][right];
        if (m == 0 || n == 0 || primitive) continue;
        MatmulSpec s = block(m, n);
        s.accumulate = sum;
        primitive.emplace(s);
      }
    }
  }
}

void Gemm::run(const float* a, const float* b, const float* bias, float* c, std::byte* scratch,
               bool add) const {
  base::require(primitives_[add][0][0].has_value(), "[gemm] run: C ", add ? "+= AB" : "= AB",
                " was not built");
  if (in_blocks()) return run_blocks(a, b, bias, c, scratch, add);
  // The scratch was made for as many threads as there were.
  const int now = base::max_threads();
  if (now != threads_) omp_set_num_threads(threads_);
  const Matmul& product = *primitives_[add][0][0];
  if (packed_ > 0) {
    product.pack(b, scratch);
    b = reinterpret_cast<const float*>(scratch);
  }
  product.run(a, b, bias, c, scratch + packed_);
  if (now != threads_) omp_set_num_threads(now);
}

void Gemm::run_blocks(const float* a, const float* b, const float* bias, float* c,
                      std::byte* scratch, bool add) const {
  const std::int64_t cols = base::chunks(spec_.n, block_n_);
  const std::int64_t count = base::chunks(spec_.m, block_m_) * cols;
  const auto one = [&](std::int64_t i) {
    const std::int64_t row = i / cols * block_m_, col = i % cols * block_n_;
    const auto& primitive = primitives_[add][row + block_m_ > spec_.m][col + block_n_ > spec_.n];
    const int thread = omp_get_thread_num();
    primitive->run(a + row * spec_.a_row, b + col * spec_.b_col,
                   bias == nullptr ? nullptr : bias + col, c + row * spec_.c_row + col,
                   scratch + block_scratch_ * static_cast<std::size_t>(thread), thread);
  };
  base::Thrown thrown;
#pragma omp parallel num_threads(threads_)
  {
    omp_set_num_threads(1);  // within this region: oneDNN must not split k, even in a team of one
// Static: a thread meets the rows again that it met in the ops before.
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < count; ++i) thrown.guard([&] { one(i); });
  }
  thrown.rethrow();
}

std::string Gemm::describe() const {
  for (const auto& by_edge : primitives_)
    if (by_edge[0][0])
      return base::concat(by_edge[0][0]->implementation(), ", ",
                          kWayNames[static_cast<std::size_t>(*way_)]);
  return {};
}

double Gemm::flops() const {
  return 2.0 * static_cast<double>(spec_.m) * static_cast<double>(spec_.n) *
         static_cast<double>(spec_.k);
}

double Gemm::bytes() const {
  const auto m = static_cast<double>(spec_.m), n = static_cast<double>(spec_.n),
             k = static_cast<double>(spec_.k);
  return 4 * (m * k + k * n + m * n);
}

std::string describe(std::span<const NamedGemm> products) {
  std::string all, first;
  bool alike = true;
  for (const NamedGemm& p : products) {
    const std::string how = p.gemm->describe();
    if (how.empty()) continue;
    if (first.empty()) first = how;
    alike = alike && how == first;
    all += base::concat(all.empty() ? "" : "; ", p.name, " ", how);
  }
  return alike ? first : all;
}

}  // namespace ops
