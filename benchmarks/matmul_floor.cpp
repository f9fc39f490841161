#include "benchmarks/matmul_floor.h"

#include <algorithm>
#include <array>
#include <optional>

#include "benchmarks/step_args.h"
#include "engine/quantile.h"
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

struct MatmulFloor::Shape {
  explicit Shape(const ops::MatmulSpec& s) : spec(s), onednn(s), partition(s) {
    partition.build(true, false);
  }
  ops::MatmulSpec spec;
  double count = 0;
  ops::Matmul onednn;
  ops::Gemm partition;
  std::vector<double> onednn_ms, partition_ms;

  double best() const { return std::min(engine::median(onednn_ms), engine::median(partition_ms)); }
};

MatmulFloor::~MatmulFloor() = default;

MatmulFloor::MatmulFloor(const engine::Tape& tape, std::int64_t micro_steps) {
  std::size_t a = 0, b = 0, c = 0, scratch = 0;
  for (const engine::Node& node : tape.nodes()) {
    const auto linear = linear_of(tape, node);
    if (!linear) continue;
    for (const ops::MatmulSpec& spec : matmuls(*linear)) {
      auto known = std::find_if(shapes_.begin(), shapes_.end(),
                                [&](const Shape& s) { return same(s.spec, spec); });
      if (known == shapes_.end()) {
        known = shapes_.emplace(shapes_.end(), spec);
        a = std::max(a, bytes(spec.m, spec.k));
        b = std::max(b, bytes(spec.k, spec.n));
        c = std::max(c, bytes(spec.m, spec.n));
        scratch =
            std::max({scratch, ops::Matmul::scratch_bytes(spec), known->partition.scratch_bytes()});
      }
      known->count += static_cast<double>(micro_steps);
    }
  }
  a_ = engine::Buffer(a);
  b_ = engine::Buffer(b);
  c_ = engine::Buffer(c);
  scratch_ = engine::Buffer(scratch);
  fill(a_);
  fill(b_);
  fill(c_);
}

void MatmulFloor::round() {
  const auto time = [](std::vector<double>& ms, const auto& run) {
    if (ms.empty() || ms.back() < kWarmedMs) run();
    const auto start = std::chrono::steady_clock::now();
    run();
    ms.push_back(1e3 * seconds_since(start));
  };
  const float *a = a_.as<float>(), *b = b_.as<float>();
  float* c = c_.as<float>();
  for (Shape& s : shapes_) {
    time(s.onednn_ms, [&] { s.onednn.run(a, b, nullptr, c, scratch_.data()); });
    time(s.partition_ms, [&] { s.partition.run(a, b, nullptr, c, scratch_.data(), false); });
  }
}

double MatmulFloor::ms() const {
  double sum = 0;
  for (const Shape& s : shapes_) sum += s.count * s.best();
  return sum;
}

nlohmann::ordered_json MatmulFloor::to_json() const {
  auto json = nlohmann::ordered_json::array();
  for (const Shape& s : shapes_)
    json.push_back({{"m", s.spec.m},
                    {"n", s.spec.n},
                    {"k", s.spec.k},
                    {"count", s.count},
                    {"onednn_ms", engine::median(s.onednn_ms)},
                    {"partition_ms", engine::median(s.partition_ms)}});
  return json;
}

}  // namespace bench
