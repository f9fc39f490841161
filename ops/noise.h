// Noise on activations, y = m·x + c with one (m, c) for every element (or row, sample, ...), and so
// dx = m·dy. What differs between dropout and its relatives is a row of noise_kinds().
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "engine/op.h"
#include "ops/mask.h"

namespace ops {

/// Which elements of (B,T,C) share one draw.
enum class Granularity : std::uint8_t {
  kElement,     // none: unit (b·T + t)·C + c
  kLocked,      // all t: unit b·C + c
  kToken,       // a row: unit b·T + t
  kSample,      // all of b: unit b
  kHead,        // all t, and C/heads channels: unit b·heads + c/(C/heads)
  kVocabulary,  // the rows that embed one token: unit ids[b·T + t]
  kStep,        // everything, for a whole step: unit 0
  kWeight,      // none, of a matrix (R,C) of weights: unit r·C + c, alike for all of the batch
};

struct Affine {
  double m = 1, c = 0;
};
/// (m, c) of a kept and of a dropped element.
struct TwoPoints {
  Affine kept, dropped;
};

struct NoiseKind {
  std::string_view name;
  Granularity granularity;
  TwoPoints (*points)(double q);   // of keep probability q; null: m from a continuous distribution
  double (*spread)(double rate);   // then: scale of the deviation of m from 1
  bool gaussian;                   // that deviation: normal, else uniform in (−1, 1)
  double (*evaluation)(double q);  // y = this·x in evaluation
  std::string_view constants, help, source;

  /// y = m·x + c with a c that is not 0.
  bool shifts() const;
};

/// The table. Adding a kind is adding a row.
std::span<const NoiseKind> noise_kinds();
/// The row of that name. Throws Error listing the valid ones.
const NoiseKind& noise_kind(std::string_view name);

/// Alpha dropout's (m, c), from the exact q: kept (a, b), dropped (0, a·α' + b).
TwoPoints alpha_points(double q);

/// A kind at a rate, at one site of one step: a small value, made for every call.
struct Noise {
  MaskStream stream;
  Granularity granularity = Granularity::kElement;
  bool two_points = true, gaussian = false;
  std::uint32_t threshold = kAllKept;  // of two_points
  float kept_m = 1, kept_c = 0, dropped_m = 0, dropped_c = 0;
  float spread = 0;  // of the others

  /// y is exactly x.
  bool identity() const { return two_points ? threshold >= kAllKept : spread == 0; }
  bool shifts() const { return kept_c != 0 || dropped_c != 0; }
};

/// Throws Error if the rate is outside [0, 1) or so close to 1 that it keeps nothing.
Noise prepare(const NoiseKind& kind, const engine::Step& step, std::uint32_t site, double rate);
/// What a kind of noise is on a tape: drawn, or a factor in its place.
enum class NoiseForm : std::uint8_t {
  kDrawn,
  kEvaluation,      // NoiseKind::evaluation: 1 but for dropout_original
  kRootMeanSquare,  // √E[m²], which keeps E[y²] where the noise has mean 0 otherwise; 1 for kinds
                    // that shift, which keep it by themselves
};
/// The factor. REQUIRES: not kDrawn.
double noise_factor(const NoiseKind& kind, double rate, NoiseForm form);

/// How rows of C elements lie in the whole batch.
struct BatchRows {
  std::uint64_t first = 0;  // number of row 0 in it: step.first_row·T for (B,T,C)
  std::size_t T = 1, C = 1;
  std::size_t heads = 1;              // kHead
  const std::int32_t* ids = nullptr;  // kVocabulary: token of each row of this call
};

// Rows [begin, end) of whole tensors; calls for disjoint ranges may run in parallel and the result
// does not depend on how rows are shared out. Outputs may be the inputs.

/// out = m·x + c
void noise_forward(const Noise& noise, const BatchRows& rows, std::size_t begin, std::size_t end,
                   const float* x, float* out);
/// out = x + m·h + c
void noise_residual(const Noise& noise, const BatchRows& rows, std::size_t begin, std::size_t end,
                    const float* x, const float* h, float* out);
/// dx = m·dout, or dx += m·dout
void noise_backward(const Noise& noise, const BatchRows& rows, std::size_t begin, std::size_t end,
                    const float* dout, float* dx, bool add);

}  // namespace ops
