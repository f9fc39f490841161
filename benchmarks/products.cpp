#include "benchmarks/products.h"

#include <omp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#ifdef ISODROP_OPENBLAS
#include <cblas.h>
#endif

#include "base/measure.h"
#include "benchmarks/step_args.h"
#include "engine/rng.h"
#include "ops/gemm.h"

namespace bench {
namespace {

constexpr double kWarmedMs = 3;  // a call that takes longer leaves the caches as it found them

struct Linear {
  std::int64_t rows, c, oc;
  bool in_out;  // w (C,OC), else (OC,C)
};

/// The node's linear layer: x (…,C) f32 times a matrix w that is a parameter or its op's own.
std::optional<Linear> linear_of(const engine::Tape& tape, const engine::Node& node) {
  if (node.in.size() < 2) return {};
  const engine::Value &x = tape.value(node.in[0]), &w = tape.value(node.in[1]);
  if (x.dtype != engine::DType::kF32 || x.shape.rank() < 2 || w.shape.rank() != 2) return {};
  if (node.op->name() != "matmul" && w.param < 0) return {};
  const std::int64_t c = x.shape.back();
  // A square w may be either; the output's width tells the others apart.
  const bool in_out =
      w.shape[0] == c && (node.op->name() != "matmul" || tape.shape(node.out).back() == w.shape[1]);
  if (!in_out && w.shape[1] != c) return {};
  return Linear{x.shape.rows(), c, w.shape[in_out ? 1 : 0], in_out};
}

std::array<ops::MatmulSpec, 3> matmuls(const Linear& l) {
  const std::int64_t w_c = l.in_out ? l.oc : 1, w_oc = l.in_out ? 1 : l.c;
  ops::MatmulSpec out{.m = l.rows, .n = l.oc, .k = l.c};  // out = x · w
  out.a_row = l.c, out.b_row = w_c, out.b_col = w_oc, out.c_row = l.oc;
  ops::MatmulSpec dx{.m = l.rows, .n = l.c, .k = l.oc};  // dx = dout · wᵀ
  dx.a_row = l.oc, dx.b_row = w_oc, dx.b_col = w_c, dx.c_row = l.c;
  // dw = xᵀ · dout, or doutᵀ · x
  const std::int64_t m = l.in_out ? l.c : l.oc, n = l.in_out ? l.oc : l.c;
  ops::MatmulSpec dw{.m = m, .n = n, .k = l.rows};
  dw.a_row = 1, dw.a_col = m, dw.b_row = n, dw.c_row = n;
  return {out, dx, dw};
}

bool same(const ops::MatmulSpec& x, const ops::MatmulSpec& y) {
  const auto key = [](const ops::MatmulSpec& s) {
    return std::array{s.m, s.n, s.k, s.a_row, s.a_col, s.b_row, s.b_col, s.c_row};
  };
  return key(x) == key(y);
}

std::size_t bytes(std::int64_t rows, std::int64_t columns) {
  return static_cast<std::size_t>(rows * columns) * sizeof(float);
}

/// Numbers of either sign, as training has them: zeros would flatter the machine.
void fill(const engine::Buffer& buffer) {
  engine::Sequence random(engine::stream_key(1, engine::Stream::kData), 1);
  for (std::size_t i = 0; i < buffer.size() / sizeof(float); ++i)
    buffer.as<float>()[i] = static_cast<float>(random.below(2001)) * 1e-3F - 1;
}

}  // namespace

double Product::flops() const {
  return 2.0 * static_cast<double>(spec.m) * static_cast<double>(spec.n) *
         static_cast<double>(spec.k);
}

const char* name_of(Side side) {
  constexpr std::array kNames = {"whole", "packed", "partition", "fine", "OpenBLAS"};
  return kNames[static_cast<std::size_t>(side)];
}

bool available([[maybe_unused]] Side side) {
#ifdef ISODROP_OPENBLAS
  return true;
#else
  return side != Side::kOpenBlas;
#endif
}

std::vector<Product> products_of(const engine::Tape& tape, std::int64_t micro_steps) {
  std::vector<Product> products;
  for (const engine::Node& node : tape.nodes()) {
    const auto linear = linear_of(tape, node);
    if (!linear) continue;
    const char* const kinds[] = {" forward", " dx", " dw"};
    const auto specs = matmuls(*linear);
    for (std::size_t i = 0; i < specs.size(); ++i) {
      auto known = std::find_if(products.begin(), products.end(),
                                [&](const Product& p) { return same(p.spec, specs[i]); });
      if (known == products.end())
        known = products.insert(products.end(), {node.name + kinds[i], specs[i]});
      known->count += static_cast<double>(micro_steps);
    }
  }
  return products;
}

struct ProductTimer::Timed {
  explicit Timed(const ops::MatmulSpec& s)
      : spec(s), whole(s), partition(s, ops::Way::kPartition), fine(s, ops::Way::kFine) {
    partition.build(true, false);
    fine.build(true, false);
    ops::MatmulSpec in_own_layout = s;
    in_own_layout.packed = true;
    packed.emplace(in_own_layout);
    packed_bytes = ops::Matmul::packed_bytes(in_own_layout);
    scratch_bytes = std::max({ops::Matmul::scratch_bytes(s), partition.scratch_bytes(),
                              fine.scratch_bytes(), ops::Matmul::scratch_bytes(in_own_layout)});
  }
  ops::MatmulSpec spec;
  ops::Matmul whole;
  std::optional<ops::Matmul> packed;
  ops::Gemm partition, fine;
  std::size_t packed_bytes = 0, scratch_bytes = 0;
  std::array<std::vector<double>, kSides> ms;
  std::vector<double> packing_ms;
};

ProductTimer::ProductTimer(std::vector<Product> products) : products_(std::move(products)) {
  std::size_t a = 0, b = 0, c = 0, packed = 1, scratch = 1;
  for (const Product& p : products_) {
    const Timed& timed = *timed_.emplace_back(std::make_unique<Timed>(p.spec));
    a = std::max(a, bytes(p.spec.m, p.spec.k));
    b = std::max(b, bytes(p.spec.k, p.spec.n));
    c = std::max(c, bytes(p.spec.m, p.spec.n));
    packed = std::max(packed, timed.packed_bytes);
    scratch = std::max(scratch, timed.scratch_bytes);
  }
  a_ = engine::Buffer(a);
  b_ = engine::Buffer(b);
  c_ = engine::Buffer(c);
  packed_ = engine::Buffer(packed);
  scratch_ = engine::Buffer(scratch);
  fill(a_);
  fill(b_);
  fill(c_);
}
ProductTimer::~ProductTimer() = default;

void ProductTimer::run(Timed& t, Side side) {
  const float *a = a_.as<float>(), *b = b_.as<float>();
  float* c = c_.as<float>();
  switch (side) {
    case Side::kWhole:
      return t.whole.run(a, b, nullptr, c, scratch_.data());
    case Side::kPacked:
      return t.packed->run(a, t.packed_bytes > 0 ? packed_.as<float>() : b, nullptr, c,
                           scratch_.data());
    case Side::kPartition:
      return t.partition.run(a, b, nullptr, c, scratch_.data(), false);
    case Side::kFine:
      return t.fine.run(a, b, nullptr, c, scratch_.data(), false);
    case Side::kOpenBlas:
      break;
  }
#ifdef ISODROP_OPENBLAS
  const auto i = [](std::int64_t n) { return static_cast<blasint>(n); };
  const ops::MatmulSpec& s = t.spec;
  const auto order = [](std::int64_t col) { return col == 1 ? CblasNoTrans : CblasTrans; };
  cblas_sgemm(CblasRowMajor, order(s.a_col), order(s.b_col), i(s.m), i(s.n), i(s.k), 1, a,
              i(s.a_row * s.a_col), b, i(s.b_row * s.b_col), 0, c, i(s.c_row));
#endif
}

void ProductTimer::round() {
  const auto time = [](std::vector<double>& ms, const auto& work) {
    if (ms.empty() || ms.back() < kWarmedMs) work();
    const auto start = std::chrono::steady_clock::now();
    work();
    ms.push_back(1e3 * seconds_since(start));
  };
  for (const auto& timed : timed_) {
    Timed& t = *timed;
    if (t.packed_bytes > 0)
      time(t.packing_ms, [&] { t.packed->pack(b_.as<float>(), packed_.data()); });
    for (int side = 0; side < kSides; ++side)
      if (available(Side{side}))
        time(t.ms[static_cast<std::size_t>(side)], [&] { run(t, Side{side}); });
  }
}

double ProductTimer::ms(std::size_t product, Side side) const {
  return base::median(timed_[product]->ms[static_cast<std::size_t>(side)]);
}

double ProductTimer::best_ms(std::size_t product) const {
  double best = ms(product, Side::kWhole);
  for (int side = 0; side < kSides; ++side)
    if (available(Side{side})) best = std::min(best, ms(product, Side{side}));
  return best;
}

double ProductTimer::packing_ms(std::size_t product) const {
  return timed_[product]->packed_bytes == 0 ? 0 : base::median(timed_[product]->packing_ms);
}

std::string ProductTimer::implementation(std::size_t product) const {
  return timed_[product]->whole.implementation();
}

bool ProductTimer::same_bits(std::size_t product, Side side) {
  const ops::MatmulSpec& spec = products_[product].spec;
  const std::size_t n = bytes(spec.m, spec.c_row);
  std::vector<std::byte> want;
  const int before = omp_get_max_threads();
  bool same = true;
  for (const int threads : {1, 2, 3, 4, 8, 16}) {
    omp_set_num_threads(threads);
    Timed t(spec);
    if (scratch_.size() < t.scratch_bytes) scratch_ = engine::Buffer(t.scratch_bytes);
    if (want.empty()) {
      run(t, Side::kPartition);
      want.assign(c_.data(), c_.data() + n);
    }
    if (t.packed_bytes > 0) t.packed->pack(b_.as<float>(), packed_.data());
    std::memset(c_.data(), 0xFF, n);
    run(t, side);
    same = same && std::memcmp(c_.data(), want.data(), n) == 0;
  }
  omp_set_num_threads(before);
  return same;
}

}  // namespace bench
