#include "tests/ops/op_cases.h"

#include <cmath>
#include <utility>

#include "engine/rng.h"
#include "ops/ops.h"
#include "tests/ops/op_references.h"

namespace tests {
namespace {

using ops::Weight;
using Size = OpCase::Size;

// x (…,C) · w [+ bias]
OpCase matmul(std::string name, Size size, const Shape& x, std::int64_t oc, Weight layout,
              bool bias) {
  const std::int64_t c = x.back();
  OpCase row{.name = "matmul_" + name,
             .size = size,
             .operands = {activation("x", x),
                          param("w", layout == Weight::kInOut ? Shape{c, oc} : Shape{oc, c})}};
  if (bias) row.operands.push_back(param("bias", {oc}));
  row.build = [=](Tape& t, Refs in, const Randomness&) {
    return ops::matmul(t, "op", in[0], in[1], bias ? in[2] : Ref{}, layout);
  };
  row.reference = [=](const Point& p) { return ref_matmul(p, layout == Weight::kOutIn); };
  return row;
}

// Both operands computed by other ops.
OpCase matmul_of_activations() {
  OpCase row = matmul("of_activations", Size::kSmall, {3, 5}, 7, Weight::kInOut, false);
  row.operands[1].kind = Operand::Kind::kActivation;
  return row;
}

OpCase embedding(std::string name, Size size, std::int64_t B, std::int64_t T, std::int64_t V,
                 std::int64_t P, std::int64_t C) {
  return {.name = "embedding_" + name,
          .size = size,
          .operands = {ints("tokens", {B, T}, 0, static_cast<std::int32_t>(V)),
                       param("wte", {V, C}), param("wpe", {P, C})},
          .build = [](Tape& t, Refs in,
                      const Randomness&) { return ops::embedding(t, "op", in[0], in[1], in[2]); },
          .reference = ref_embedding};
}

// At positions from `first` on.
OpCase embedding_at(std::string name, Size size, std::int64_t B, std::int64_t T, std::int64_t V,
                    std::int64_t P, std::int64_t C, std::int32_t first) {
  OpCase row = embedding(std::move(name), size, B, T, V, P, C);
  row.operands.push_back(ints("first", {1}, first, first + 1));
  row.build = [](Tape& t, Refs in, const Randomness&) {
    return ops::embedding(t, "op", in[0], in[1], in[2], in[3]);
  };
  return row;
}

// `length` of P cached positions count.
OpCase cached_attention(std::string name, Size size, std::int64_t B, std::int64_t n,
                        std::int64_t n_head, std::int64_t hs, std::int64_t P, std::int32_t length) {
  const std::int64_t C = n_head * hs;
  return {.name = "cached_attention_" + name,
          .size = size,
          .operands = {data("qkv", {B, n, 3 * C}), data("cache", {B, P, 2 * C}),
                       ints("length", {1}, length, length + 1)},
          .build =
              [=](Tape& t, Refs in, const Randomness&) {
                return ops::cached_attention(t, "op", in[0], in[1], in[2], n_head);
              },
          .reference = [=](const Point& p) { return ref_cached_attention(p, n_head); }};
}

OpCase feature_embedding(std::string name, Size size, std::int64_t B, std::int64_t T,
                         std::int64_t F, std::int64_t P, std::int64_t C) {
  return {.name = "feature_embedding_" + name,
          .size = size,
          .operands = {data("features", {B, T, F}), param("w", {F, C}), param("wpe", {P, C})},
          .build =
              [](Tape& t, Refs in, const Randomness&) {
                return ops::feature_embedding(t, "op", in[0], in[1], in[2]);
              },
          .reference = ref_feature_embedding};
}

// `sd`: of the raw standard deviations; `missing`: every so many target does not count
OpCase gaussian_nll(std::string name, Size size, const Shape& x, double sd, std::int64_t missing) {
  return {.name = "gaussian_nll_" + name,
          .size = size,
          .operands = {activation("x", x, 0.5, sd), data("targets", {x.rows()}, 0, 2, missing)},
          .build = [](Tape& t, Refs in,
                      const Randomness&) { return ops::gaussian_nll(t, "op", in[0], in[1]); },
          .reference = ref_gaussian_nll};
}

// targets from `low`: below 0 they are ignored
OpCase cross_entropy(std::string name, Size size, std::int64_t rows, std::int64_t V,
                     std::int32_t low) {
  return {.name = "cross_entropy_" + name,
          .size = size,
          .operands = {activation("logits", {rows, V}, 0.5, 3),
                       ints("targets", {rows}, low, static_cast<std::int32_t>(V))},
          .build = [](Tape& t, Refs in,
                      const Randomness&) { return ops::cross_entropy(t, "op", in[0], in[1]); },
          .reference = ref_cross_entropy};
}

// `chunk`: rows of logits there are at a time
OpCase linear_cross_entropy(std::string name, Size size, std::int64_t rows, std::int64_t C,
                            std::int64_t V, std::int32_t low, std::int64_t chunk) {
  return {.name = "linear_cross_entropy_" + name,
          .size = size,
          .operands = {activation("x", {rows, C}), param("w", {V, C}, 0.1, 0.5),
                       ints("targets", {rows}, low, static_cast<std::int32_t>(V))},
          .build =
              [=](Tape& t, Refs in, const Randomness&) {
                const std::int64_t row_bytes = (V + 15) / 16 * 16 * 4;
                return ops::linear_cross_entropy(t, "op", in[0], in[1], in[2], 1,
                                                 chunk * row_bytes);
              },
          .reference = ref_linear_cross_entropy};
}

std::vector<OpCase> make_cases() {
  constexpr auto kSmall = Size::kSmall, kLarge = Size::kLarge, kBench = Size::kBench;
  constexpr auto kInOut = Weight::kInOut, kOutIn = Weight::kOutIn;
  std::vector<OpCase> cases = {
      matmul("1x1", kSmall, {1, 1}, 1, kInOut, false),
      matmul("row", kSmall, {1, 5}, 7, kInOut, true),
      matmul("row_out_in", kSmall, {1, 16}, 5, kOutIn, false),
      matmul("column", kSmall, {9, 6}, 1, kInOut, true),
      matmul("odd", kSmall, {3, 5, 5}, 9, kInOut, true),
      matmul("odd_out_in", kSmall, {3, 5, 5}, 9, kOutIn, true),
      matmul("simd", kSmall, {2, 8, 16}, 32, kInOut, false),
      matmul("simd_out_in", kSmall, {2, 8, 16}, 32, kOutIn, false),
      matmul_of_activations(),
      matmul("130_rows", kLarge, {130, 65}, 33, kInOut, true),
      matmul("blocks", kLarge, {2, 131, 130}, 259, kInOut, true),
      matmul("nano_c_attn", kLarge, {12, 64, 128}, 384, kInOut, false),
      matmul("nano_mlp_c_proj", kLarge, {12, 64, 512}, 128, kInOut, false),
      matmul("nano_head", kLarge, {12, 64, 128}, 65, kOutIn, false),
      matmul("char_c_fc", kBench, {8, 256, 384}, 1536, kInOut, false),
      matmul("char_mlp_c_proj", kBench, {8, 256, 1536}, 384, kInOut, false),
      matmul("char_head", kBench, {8, 256, 384}, 65, kOutIn, false),

      embedding("odd", kSmall, 2, 3, 7, 5, 5),
      embedding("one", kSmall, 1, 1, 3, 1, 16),
      embedding("130_rows", kLarge, 5, 26, 11, 26, 65),
      embedding("nano", kLarge, 12, 64, 65, 64, 128),

      embedding_at("at_odd", kSmall, 2, 3, 7, 9, 5, 4),
      embedding_at("at_last", kSmall, 1, 1, 3, 6, 16, 5),

      cached_attention("first", kSmall, 1, 1, 1, 3, 4, 0),
      cached_attention("odd", kSmall, 2, 1, 3, 5, 7, 5),
      cached_attention("several", kSmall, 2, 4, 2, 7, 9, 3),
      cached_attention("full", kSmall, 1, 1, 2, 16, 8, 8),
      cached_attention("nano", kLarge, 1, 1, 4, 32, 64, 63),
      cached_attention("nano_prompt", kLarge, 1, 32, 4, 32, 64, 32),
      cached_attention("char", kBench, 1, 1, 6, 64, 256, 255),

      feature_embedding("odd", kSmall, 2, 3, 5, 4, 7),
      feature_embedding("one", kSmall, 1, 1, 1, 1, 1),
      feature_embedding("130_rows", kLarge, 5, 26, 3, 26, 65),
      feature_embedding("nano", kLarge, 12, 16, 11, 16, 128),

      gaussian_nll("odd", kSmall, {2, 5, 2}, 1, 0),
      gaussian_nll("one", kSmall, {1, 2}, 1, 0),
      gaussian_nll("missing", kSmall, {9, 2}, 2, 4),
      gaussian_nll("none_counts", kSmall, {3, 2}, 1, 1),
      gaussian_nll("130_rows", kLarge, {130, 2}, 0.5, 3),
      gaussian_nll("nano", kLarge, {12, 64, 2}, 1, 0),

      cross_entropy("odd", kSmall, 5, 9, 0),
      cross_entropy("row", kSmall, 1, 5, 0),
      cross_entropy("ignored", kSmall, 7, 5, -4),
      cross_entropy("130_rows", kLarge, 130, 257, -60),
      cross_entropy("nano", kLarge, 768, 65, 0),
      cross_entropy("char", kBench, 2048, 65, 0),

      linear_cross_entropy("odd", kSmall, 5, 7, 9, 0, 5),
      linear_cross_entropy("one", kSmall, 1, 1, 3, 0, 1),
      linear_cross_entropy("ignored_chunks", kSmall, 19, 5, 17, -8, 16),
      linear_cross_entropy("chunks", kLarge, 130, 33, 257, -60, 32),
      linear_cross_entropy("nano", kLarge, 768, 128, 65, 0, 768),
      linear_cross_entropy("char", kBench, 2048, 384, 65, 0, 2048),
  };
  for (OpCase& c : norm_cases()) cases.push_back(std::move(c));
  for (OpCase& c : regularizer_cases()) cases.push_back(std::move(c));
  return cases;
}

}  // namespace

const std::vector<OpCase>& op_cases() {
  static const std::vector<OpCase> cases = make_cases();
  return cases;
}

std::vector<OpCase> tested_cases() {
  std::vector<OpCase> cases = op_cases();
  std::erase_if(cases, [](const OpCase& c) { return c.size == OpCase::Size::kBench; });
  return cases;
}

double Point::threshold() const { return std::round((1 - rate) * 65536); }

std::uint16_t Point::bits(std::uint64_t element) const {
  const auto key = engine::stream_key(step.seed, engine::Stream::kMask);
  return engine::mask_bits(key, site, step.index, element);
}

Point make_point(const OpCase& c) {
  Point p{.operands = c.operands,
          .step = {.seed = 11, .index = 3, .first_row = 2, .progress = 0.25},
          .site = engine::site_id(c.name),
          .rate = c.rate};
  for (const Operand& o : c.operands) {
    engine::Sequence random(engine::stream_key(5, engine::Stream::kData),
                            engine::site_id(c.name + '.' + o.name));
    auto& floats = p.floats.emplace_back();
    auto& whole = p.ints.emplace_back();
    for (std::int64_t i = 0; i < o.shape.numel(); ++i) {
      if (o.kind == Operand::Kind::kInts) {
        const auto range = static_cast<std::uint64_t>(o.high - o.low);
        whole.push_back(o.low + static_cast<std::int32_t>(random.below(range)));
      } else {
        double sum = -2;  // of four uniforms with variance 1/12 each: normal enough
        for (int k = 0; k < 4; ++k) sum += random.next32() * 0x1p-32;
        const double number = o.mean + o.sd * std::sqrt(3.0) * sum;
        const bool missing = o.missing > 0 && i % o.missing == 0;
        floats.push_back(missing ? NAN : static_cast<double>(static_cast<float>(number)));
      }
    }
  }
  return p;
}

}  // namespace tests
