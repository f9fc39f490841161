// Rows of the op-case table for what regularizes: noise of every kind, alone and in the ops that
// apply it in their own loop, and terms of the loss.
#include <cmath>
#include <utility>

#include "ops/attention.h"
#include "ops/noise_op.h"
#include "ops/ops.h"
#include "tests/ops/op_references.h"

namespace tests {
namespace {

using Size = OpCase::Size;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

ops::NoiseUse use(const ops::NoiseKind* kind, const Randomness& randomness) {
  return {kind, randomness, "site"};
}

// x (B,T,C) [, tokens (B,T)]
OpCase noise(std::string name, Size size, const ops::NoiseKind& kind, const Shape& x, double rate) {
  const bool tokens = kind.granularity == ops::Granularity::kVocabulary;
  OpCase row{.name = std::string(kind.name) + "_" + name,
             .size = size,
             .operands = {activation("x", x)},
             .rate = rate};
  if (tokens) row.operands.push_back(ints("tokens", {x[0], x[1]}, 0, 5));
  row.build = [&kind, tokens](Tape& t, Refs in, const Randomness& randomness) {
    return ops::noise(t, "op", in[0], use(&kind, randomness), tokens ? in[1] : Ref{});
  };
  row.reference = [&kind](const Point& p) { return ref_noise(p, kind); };
  return row;
}

// x, h (B,T,C); kind null: no noise
OpCase residual(std::string name, Size size, const ops::NoiseKind* kind, const Shape& x,
                double rate) {
  return {.name = "residual_" + name,
          .size = size,
          .operands = {activation("x", x), activation("h", x)},
          .rate = rate,
          .build =
              [kind](Tape& t, Refs in, const Randomness& randomness) {
                return ops::residual(t, "op", in[0], in[1], use(kind, randomness));
              },
          .reference = [kind](const Point& p) { return ref_residual(p, kind); }};
}

// qkv (B,T,3·NH·hs); rate 0: no noise
OpCase attention_case(std::string name, Size size, std::int64_t B, std::int64_t T, std::int64_t NH,
                      std::int64_t hs, double rate, std::string_view kind_name = "dropout") {
  const ops::NoiseKind* kind = rate > 0 ? &ops::noise_kind(kind_name) : nullptr;
  return {.name = "attention_" + name,
          .size = size,
          .operands = {activation("qkv", {B, T, 3 * NH * hs})},
          .rate = rate,
          .build =
              [NH, kind](Tape& t, Refs in, const Randomness& randomness) {
                return ops::attention(t, "op", in[0], NH, use(kind, randomness));
              },
          .reference = [NH, kind](const Point& p) { return ref_attention(p, NH, kind); }};
}

// What evaluation has in the place of noise.
Doubles ref_evaluation_scale(const Point& p) {
  Doubles out = p.floats[0];
  for (double& x : out) x *= p.threshold() / 65536;
  return out;
}

OpCase evaluation_scale(std::string name, Size size, const Shape& x, double rate) {
  const ops::NoiseKind* kind = &ops::noise_kind("dropout_original");
  return {.name = "evaluation_scale_" + name,
          .size = size,
          .operands = {activation("x", x)},
          .rate = rate,
          .build =
              [kind](Tape& t, Refs in, const Randomness& randomness) {
                ops::NoiseUse noise = use(kind, randomness);
                noise.form = ops::NoiseForm::kEvaluation;
                return ops::evaluation_scale(t, "op", in[0], noise);
              },
          .reference = ref_evaluation_scale};
}

/// log softmax of row r of logits (R,V).
Doubles log_softmax(const Point& p, std::size_t r) {
  const std::size_t V = at(p.shape(0).back());
  const auto* row = &p.floats[0][r * V];
  double sum = 0;
  for (std::size_t j = 0; j < V; ++j) sum += std::exp(row[j]);
  Doubles out;
  for (std::size_t j = 0; j < V; ++j) out.push_back(row[j] - std::log(sum));
  return out;
}

/// loss + rate·(mean of term(r) over the rows that count)
template <class Term>
Doubles add_mean(const Point& p, const Term& term) {
  double sum = 0, rows = 0;
  for (std::size_t r = 0; r < p.ints[1].size(); ++r) {
    if (p.ints[1][r] < 0) continue;
    sum += term(r);
    rows += 1;
  }
  return {p.floats[2][0] + p.rate * sum / std::max(rows, 1.0)};
}

double divergence(const Doubles& log_a, const Doubles& log_b) {
  double sum = 0;
  for (std::size_t j = 0; j < log_a.size(); ++j) sum += std::exp(log_a[j]) * (log_a[j] - log_b[j]);
  return sum;
}

// Cross-entropy against (1 − ε)·onehot + ε/V, less that against the onehot, over ε.
Doubles ref_label_smoothing(const Point& p) {
  return add_mean(p, [&](std::size_t r) {
    const Doubles log_p = log_softmax(p, r);
    double uniform = 0;
    for (const double x : log_p) uniform -= x / static_cast<double>(log_p.size());
    return uniform + log_p[at(p.ints[1][r])];
  });
}

Doubles ref_z_loss(const Point& p) {
  return add_mean(p, [&](std::size_t r) {
    const double log_z = p.floats[0][r * at(p.shape(0).back())] - log_softmax(p, r)[0];
    return log_z * log_z;
  });
}

// logits (2B,T,V): rows 2b and 2b + 1 are two passes over one sample
Doubles ref_r_drop(const Point& p) {
  const std::size_t B = at(p.shape(0)[0]) / 2, T = at(p.shape(0)[1]);
  double sum = 0;
  for (std::size_t b = 0; b < B; ++b)
    for (std::size_t t = 0; t < T; ++t) {
      const Doubles one = log_softmax(p, 2 * b * T + t), two = log_softmax(p, (2 * b + 1) * T + t);
      sum += (divergence(one, two) + divergence(two, one)) / 2;
    }
  return {p.floats[2][0] + p.rate * sum / static_cast<double>(B * T)};
}

using LossTerm = Ref (*)(Tape&, std::string_view, Ref, Ref, Ref, Randomness);

// logits (B,T,V), targets (B,T) from `low`, loss (1)
OpCase loss_term(std::string name, Size size, LossTerm term, const Shape& logits, std::int32_t low,
                 double rate, std::vector<double> (*reference)(const Point&)) {
  return {.name = std::move(name),
          .size = size,
          .operands = {activation("logits", logits, 0.5, 2),
                       ints("targets", {logits[0], logits[1]}, low,
                            static_cast<std::int32_t>(logits.back())),
                       activation("loss", {1}, 2)},
          .rate = rate,
          .build =
              [term](Tape& t, Refs in, const Randomness& randomness) {
                return term(t, "op", in[0], in[1], in[2], randomness);
              },
          .reference = reference};
}

void add_noise(std::vector<OpCase>& cases) {
  for (const ops::NoiseKind& kind : ops::noise_kinds()) {
    const std::string name(kind.name);
    if (ops::attention_takes(kind)) {
      cases.push_back(attention_case(name, Size::kSmall, 2, 7, 2, 5, 0.3, name));
      cases.push_back(attention_case(name + "_130_rows", Size::kLarge, 2, 130, 3, 24, 0.2, name));
    }
    if (kind.granularity == ops::Granularity::kHead) continue;  // has a meaning in attention only
    if (kind.granularity == ops::Granularity::kWeight) {
      cases.push_back(noise("odd", Size::kSmall, kind, {5, 7}, 0.3));
      cases.push_back(noise("130_rows", Size::kLarge, kind, {130, 37}, 0.1));
      continue;
    }
    cases.push_back(noise("odd", Size::kSmall, kind, {3, 5, 7}, 0.3));
    cases.push_back(noise("130_rows", Size::kLarge, kind, {2, 65, 37}, 0.1));
    cases.push_back(residual(std::string(kind.name), Size::kSmall, &kind, {2, 3, 19}, 0.4));
    if (kind.granularity == ops::Granularity::kVocabulary) cases.pop_back();  // knows no tokens
  }
  cases.push_back(noise("nano", Size::kLarge, ops::noise_kind("dropout"), {12, 64, 128}, 0.1));
}

}  // namespace

std::vector<OpCase> regularizer_cases() {
  constexpr auto kSmall = Size::kSmall, kLarge = Size::kLarge, kBench = Size::kBench;
  const ops::NoiseKind* dropout = &ops::noise_kind("dropout");
  std::vector<OpCase> cases = {
      residual("odd", kSmall, nullptr, {1, 3, 13}, 0),
      residual("nano", kLarge, nullptr, {12, 64, 128}, 0),
      residual("nano_dropout", kLarge, dropout, {12, 64, 128}, 0.1),

      attention_case("one", kSmall, 1, 1, 1, 3, 0),
      attention_case("odd", kSmall, 2, 5, 2, 3, 0),
      attention_case("odd_dropout", kSmall, 2, 7, 2, 5, 0.3),
      attention_case("simd_dropout", kSmall, 1, 16, 1, 16, 0.2),
      attention_case("130_rows_dropout", kLarge, 2, 130, 3, 24, 0.2),
      attention_case("nano", kLarge, 12, 64, 4, 32, 0),
      attention_case("nano_dropout", kLarge, 12, 64, 4, 32, 0.1),
      attention_case("char", kBench, 8, 256, 6, 64, 0),
      attention_case("char_dropout", kBench, 8, 256, 6, 64, 0.1),

      evaluation_scale("odd", kSmall, {2, 3, 7}, 0.3),
      evaluation_scale("nano", kLarge, {12, 64, 128}, 0.1),

      loss_term("label_smoothing_odd", kSmall, ops::label_smoothing, {2, 3, 7}, -2, 0.1,
                ref_label_smoothing),
      loss_term("label_smoothing_nano", kLarge, ops::label_smoothing, {12, 64, 65}, 0, 0.1,
                ref_label_smoothing),
      loss_term("z_loss_odd", kSmall, ops::z_loss, {2, 3, 7}, -2, 0.3, ref_z_loss),
      loss_term("z_loss_nano", kLarge, ops::z_loss, {12, 64, 65}, 0, 1e-2, ref_z_loss),
      loss_term("r_drop_odd", kSmall, ops::r_drop, {4, 3, 7}, 0, 0.7, ref_r_drop),
      loss_term("r_drop_nano", kLarge, ops::r_drop, {24, 64, 65}, 0, 1, ref_r_drop),
  };
  add_noise(cases);
  return cases;
}

}  // namespace tests
