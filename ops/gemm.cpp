#include "ops/gemm.h"

#include <algorithm>

#include "engine/error.h"
#include "engine/memory_plan.h"
#include "engine/parallel.h"

namespace ops {
namespace {

constexpr double kBlockFlops = 4e6;  // less is not worth a thread
constexpr std::int64_t kBlocks = 8;  // enough to balance a few threads
constexpr std::int64_t kLeast = 64;  // rows and columns: below, oneDNN's kernels run dry

/// Size of the parts when n is cut into about `parts`: a multiple of 16, at least kLeast, and none
/// for a small rest.
std::int64_t cut(std::int64_t n, std::int64_t parts) {
  const std::int64_t most = std::clamp<std::int64_t>(n / kLeast, 1, parts);
  return std::min(n, engine::chunks(engine::chunks(n, most), 16) * 16);
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
    const std::int64_t bm = cut(m, parts), rows = engine::chunks(m, bm);
    const std::int64_t bn = cut(n, engine::chunks(wanted, rows)), columns = engine::chunks(n, bn);
    const std::int64_t count = std::min(rows * columns, wanted), read = m * columns + n * rows;
    if (count < most || (count == most && read >= least_read)) continue;
    best = {bm, bn};
    most = count;
    least_read = read;
  }
  return best;
}

}  // namespace

Gemm::Gemm(const MatmulSpec& spec) : spec_(spec), threads_(engine::max_threads()) {
  const auto wanted = static_cast<std::int64_t>(
      std::clamp(flops() / kBlockFlops, 1.0, static_cast<double>(kBlocks)));
  const Blocks blocks = choose(spec.m, spec.n, wanted);
  block_m_ = blocks.m;
  block_n_ = blocks.n;
  for (const bool lower : {false, true}) {
    for (const bool right : {false, true}) {
      const std::int64_t m = lower ? spec.m % block_m_ : block_m_;
      const std::int64_t n = right ? spec.n % block_n_ : block_n_;
      for (const bool sum : {false, true}) {
        MatmulSpec s = block(m, n);
        s.accumulate = sum;
        if (m > 0 && n > 0) scratch_ = std::max(scratch_, Matmul::scratch_bytes(s));
      }
    }
  }
  scratch_ = engine::align_up(scratch_);
}

MatmulSpec Gemm::block(std::int64_t m, std::int64_t n) const {
  MatmulSpec s = spec_;
  s.m = m;
  s.n = n;
  s.threaded = false;
  s.copies = threads_;
  return s;
}

std::size_t Gemm::scratch_bytes() const { return scratch_ * static_cast<std::size_t>(threads_); }

void Gemm::build(bool assign, bool add) {
  for (const bool sum : {false, true}) {
    if (!(sum ? add : assign)) continue;
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
  const std::int64_t cols = engine::chunks(spec_.n, block_n_);
  const std::int64_t count = engine::chunks(spec_.m, block_m_) * cols;
  const auto one = [&](std::int64_t i) {
    const std::int64_t row = i / cols * block_m_, col = i % cols * block_n_;
    const auto& primitive = primitives_[add][row + block_m_ > spec_.m][col + block_n_ > spec_.n];
    engine::require(primitive.has_value(), "[gemm] run: C ", add ? "+= AB" : "= AB",
                    " was not built");
    const int thread = omp_get_thread_num();
    primitive->run(a + row * spec_.a_row, b + col * spec_.b_col,
                   bias == nullptr ? nullptr : bias + col, c + row * spec_.c_row + col,
                   scratch + scratch_ * static_cast<std::size_t>(thread), thread);
  };
  engine::Thrown thrown;
#pragma omp parallel num_threads(threads_)
  {
    omp_set_num_threads(1);  // within this region: oneDNN must not split k, even in a team of one
// Static: a thread meets the rows again that it met in the ops before.
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < count; ++i) thrown.guard([&] { one(i); });
  }
  thrown.rethrow();
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

}  // namespace ops
