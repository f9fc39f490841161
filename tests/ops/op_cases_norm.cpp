// Norms, activations and scale.
#include <utility>

#include "ops/activation.h"
#include "ops/ops.h"
#include "tests/ops/op_cases.h"
#include "tests/ops/op_references.h"

namespace tests {
namespace {

using Size = OpCase::Size;

OpCase layernorm(std::string name, Size size, const Shape& x, bool beta) {
  OpCase row{.name = "layernorm_" + name,
             .size = size,
             .operands = {activation("x", x, 0.3, 1.5), param("gamma", {x.back()}, 1, 0.3)}};
  if (beta) row.operands.push_back(param("beta", {x.back()}));
  row.build = [=](Tape& t, Refs in, const Randomness&) {
    return ops::layernorm(t, "op", in[0], in[1], beta ? in[2] : Ref{});
  };
  row.reference = ref_layernorm;
  return row;
}

OpCase rmsnorm(std::string name, Size size, const Shape& x) {
  return {.name = "rmsnorm_" + name,
          .size = size,
          .operands = {activation("x", x, 0.3, 1.5), param("gamma", {x.back()}, 1, 0.3)},
          .build = [](Tape& t, Refs in,
                      const Randomness&) { return ops::rmsnorm(t, "op", in[0], in[1]); },
          .reference = ref_rmsnorm};
}

// Running statistics start as a mean of 0.3 and a variance of 2.
OpCase batchnorm(std::string name, Size size, const Shape& x, bool beta,
                 ops::Statistics statistics) {
  OpCase row{.name = "batchnorm_" + name,
             .size = size,
             .operands = {activation("x", x, 0.3, 1.5), param("gamma", {x.back()}, 1, 0.3)}};
  if (beta) row.operands.push_back(param("beta", {x.back()}));
  row.build = [=](Tape& t, Refs in, const Randomness&) {
    const auto state = [&](const char* what, const Shape& shape, double value) {
      return t.state(what, shape, {engine::Init::Kind::kConstant, value});
    };
    const Shape channels{x.back()};
    const ops::RunningStatistics running{state("mean", channels, 0.3),
                                         state("variance", channels, 2), state("count", {1}, 0)};
    return ops::batchnorm(t, "op", in[0], in[1], beta ? in[2] : Ref{}, running, statistics);
  };
  if (statistics == ops::Statistics::kRunning)
    row.reference = [](const Point& p) { return ref_batchnorm_running(p, 0.3, 2); };
  else
    row.reference = ref_batchnorm;
  return row;
}

// qkv (B,T,3·NH·hs)
OpCase qk_norm(std::string name, Size size, std::int64_t B, std::int64_t T, std::int64_t NH,
               std::int64_t hs) {
  return {.name = "qk_norm_" + name,
          .size = size,
          .operands = {activation("qkv", {B, T, 3 * NH * hs}), param("gamma_q", {hs}, 1, 0.3),
                       param("gamma_k", {hs}, 1, 0.3)},
          .build = [](Tape& t, Refs in,
                      const Randomness&) { return ops::qk_norm(t, "op", in[0], in[1], in[2]); },
          .reference = ref_qk_norm};
}

OpCase act(const ops::ActivationKind& kind, std::string name, Size size, const Shape& x) {
  const std::pair<std::string_view, std::vector<double> (*)(const Point&)> references[] = {
      {"gelu", ref_gelu}, {"relu", ref_relu}, {"selu", ref_selu}, {"swiglu", ref_swiglu}};
  OpCase row{.name = std::string(kind.name) + '_' + name,
             .size = size,
             .operands = {activation("x", x, 0, 2)},
             .build = [&kind](Tape& t, Refs in, const Randomness&) {
               return kind.build(t, "op", in[0], {});
             }};
  for (const auto& [which, reference] : references)
    if (which == kind.name) row.reference = reference;
  return row;
}

// m·act(x) + c in one loop: x (B,T,C)
OpCase noisy(const ops::ActivationKind& kind, std::string_view noise_name, Size size,
             const Shape& x) {
  const ops::NoiseKind& noise = ops::noise_kind(noise_name);
  OpCase row = act(kind, base::concat("with_", noise_name, '_', x[2]), size, x);
  row.rate = 0.3;
  row.build = [&](Tape& t, Refs in, const Randomness& randomness) {
    return kind.build(t, "op", in[0], {&noise, randomness, "site"});
  };
  row.reference = [&noise, plain = row.reference](const Point& p) {
    Point behind = p;
    behind.floats[0] = plain(p);
    const std::vector<Operand> out = {activation(
        "act", {p.shape(0)[0], p.shape(0)[1],
                static_cast<std::int64_t>(behind.floats[0].size()) / p.shape(0).rows()})};
    behind.operands = out;
    return ref_noise(behind, noise);
  };
  return row;
}

OpCase scale(std::string name, Size size, const Shape& x) {
  return {
      .name = "scale_" + name,
      .size = size,
      .operands = {activation("x", x)},
      .build = [](Tape& t, Refs in, const Randomness&) { return ops::scale(t, "op", in[0], 1.7F); },
      .reference = [](const Point& p) { return ref_scale(p, 1.7); }};
}

std::vector<OpCase> activation_cases() {
  std::vector<OpCase> cases;
  for (const ops::ActivationKind& kind : ops::activation_kinds()) {
    cases.push_back(act(kind, "odd", Size::kSmall, {3, kind.inputs * 13}));
    // Sizes at which no element lies where a kink of relu or selu spoils the difference quotient.
    cases.push_back(act(kind, "rows", Size::kLarge, {2, 65, kind.inputs * 17}));
    cases.push_back(act(kind, "char", Size::kBench, {8, 256, kind.inputs * 1536}));
  }
  for (const ops::ActivationKind& kind : ops::activation_kinds())
    for (const char* noise : {"dropout", "alpha_dropout", "drop_path"})
      cases.push_back(noisy(kind, noise, Size::kSmall, {2, 3, kind.inputs * 5}));
  for (const char* noise : {"dropout", "gaussian_dropout", "locked_dropout", "token_dropout"})
    cases.push_back(noisy(ops::activation_kind("gelu"), noise, Size::kLarge, {3, 31, 80}));
  cases.push_back(act(ops::activation_kind("gelu"), "nano", Size::kLarge, {12, 64, 512}));
  cases.push_back(act(ops::activation_kind("swiglu"), "nano", Size::kLarge, {12, 64, 1024}));
  return cases;
}

}  // namespace

std::vector<OpCase> norm_cases() {
  constexpr auto kSmall = Size::kSmall, kLarge = Size::kLarge, kBench = Size::kBench;
  std::vector<OpCase> cases = {
      layernorm("row", kSmall, {1, 5}, true),
      layernorm("odd", kSmall, {2, 3, 65}, true),
      layernorm("simd_no_beta", kSmall, {4, 32}, false),
      layernorm("130_rows", kLarge, {2, 65, 37}, true),
      layernorm("nano", kLarge, {12, 64, 128}, false),
      layernorm("char", kBench, {8, 256, 384}, false),

      rmsnorm("row", kSmall, {1, 5}),
      rmsnorm("odd", kSmall, {2, 3, 65}),
      rmsnorm("130_rows", kLarge, {2, 65, 37}),
      rmsnorm("nano", kLarge, {12, 64, 128}),
      rmsnorm("char", kBench, {8, 256, 384}),

      batchnorm("odd", kSmall, {2, 5, 7}, true, ops::Statistics::kBatch),
      batchnorm("simd_no_beta", kSmall, {4, 32}, false, ops::Statistics::kBatch),
      batchnorm("130_rows", kLarge, {2, 65, 37}, true, ops::Statistics::kBatch),
      batchnorm("nano", kLarge, {12, 64, 128}, false, ops::Statistics::kBatch),
      batchnorm("recalibrating", kSmall, {3, 2, 5}, true, ops::Statistics::kAverage),
      batchnorm("running", kSmall, {2, 5, 7}, true, ops::Statistics::kRunning),
      batchnorm("nano_running", kLarge, {12, 64, 128}, false, ops::Statistics::kRunning),

      qk_norm("odd", kSmall, 2, 3, 2, 5),
      qk_norm("one_head", kSmall, 1, 2, 1, 8),
      qk_norm("130_rows", kLarge, 2, 65, 3, 7),
      qk_norm("nano", kLarge, 12, 64, 4, 32),
      qk_norm("char", kBench, 8, 256, 6, 64),

      scale("odd", kSmall, {3, 13}),
      scale("nano", kLarge, {12, 64, 128}),
  };
  for (OpCase& c : activation_cases()) cases.push_back(std::move(c));
  return cases;
}

}  // namespace tests
