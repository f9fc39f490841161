#include "ops/noise.h"

#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "base/error.h"
#include "ops/noise-inl.h"

namespace ops {
namespace {

double one(double) { return 1; }
double same(double rate) { return rate; }
/// Kept elements scaled by 1/q, so that E[m] = 1.
TwoPoints inverted(double q) { return {{1 / q, 0}, {0, 0}}; }
TwoPoints unscaled(double) { return {{1, 0}, {0, 0}}; }

constexpr std::string_view kInverted = "kept 1/q, dropped 0";
constexpr std::string_view kUnscaled = "kept 1, dropped 0; evaluation × 1";

constexpr std::array kKinds{
    NoiseKind{"dropout", Granularity::kElement, inverted, nullptr, false, one, kInverted,
              "zero elements, scale the rest by 1/q",
              "Srivastava et al. 2014, JMLR 15, in its inverted form"},
    NoiseKind{"dropout_original", Granularity::kElement, unscaled, nullptr, false, same,
              "kept 1, dropped 0; evaluation × q", "dropout without rescaling in training",
              "Srivastava et al. 2014, JMLR 15"},
    NoiseKind{"alpha_dropout", Granularity::kElement, alpha_points, nullptr, false, one,
              "kept (a, b), dropped (0, a·α' + b)",
              "dropout that keeps mean 0 and variance 1 (needs selu)",
              "Klambauer et al. 2017, arXiv:1706.02515"},
    NoiseKind{"gaussian_dropout", Granularity::kElement, nullptr,
              [](double rate) { return std::sqrt(rate / (1 - rate)); }, true, one, "m ~ N(1, p/q)",
              "multiply by noise of dropout's variance",
              "Srivastava et al. 2014, JMLR 15, section 10"},
    NoiseKind{"uout", Granularity::kElement, nullptr, same, false, one, "m = 1 + U(-p, p)",
              "multiply by uniform noise, keeps the variance nearly",
              "Li et al. 2018, arXiv:1801.05134"},
    NoiseKind{"locked_dropout", Granularity::kLocked, inverted, nullptr, false, one, kInverted,
              "dropout with one mask for all positions of a sequence",
              "Gal & Ghahramani 2016, arXiv:1512.05287"},
    NoiseKind{"token_dropout", Granularity::kToken, inverted, nullptr, false, one, kInverted,
              "drop whole positions", "Iyyer et al. 2015, ACL (word dropout)"},
    NoiseKind{"embedding_dropout", Granularity::kVocabulary, inverted, nullptr, false, one,
              kInverted, "drop rows of the vocabulary, wherever they occur",
              "Gal & Ghahramani 2016, arXiv:1512.05287; Merity et al. 2017, arXiv:1708.02182"},
    NoiseKind{"drop_path", Granularity::kSample, inverted, nullptr, false, one, kInverted,
              "drop a residual branch for a whole sample", "Huang et al. 2016, arXiv:1603.09382"},
    NoiseKind{"drop_head", Granularity::kHead, inverted, nullptr, false, one, kInverted,
              "drop whole attention heads", "Zhou et al. 2020, arXiv:2004.13342"},
    NoiseKind{"layer_drop", Granularity::kStep, unscaled, nullptr, false, one, kUnscaled,
              "drop both branches of a block for a whole step; evaluation uses all blocks",
              "Fan et al. 2019, arXiv:1909.11556"},
    NoiseKind{"drop_connect", Granularity::kWeight, inverted, nullptr, false, one, kInverted,
              "drop elements of the weight matrices", "Wan et al. 2013, ICML"},
    NoiseKind{"weight_noise", Granularity::kWeight, nullptr,
              [](double rate) { return std::sqrt(rate / (1 - rate)); }, true, one, "m ~ N(1, p/q)",
              "multiply the weight matrices by noise of dropout's variance",
              "Kingma et al. 2015, arXiv:1506.02557, with a fixed α = p/q"},
};

/// Variance of the normal quantile at 65536 midpoints, a little
/// less than 1 (so that the noise has exactly the variance it is meant to have).
constexpr double kMidpointVariance = 0.9999797186525822;

}  // namespace

std::span<const NoiseKind> noise_kinds() { return kKinds; }

bool NoiseKind::shifts() const {
  if (points == nullptr) return false;
  const TwoPoints p = points(0.5);
  return p.kept.c != 0 || p.dropped.c != 0;
}

const NoiseKind& noise_kind(std::string_view name) {
  std::string names;
  for (const NoiseKind& k : kKinds) {
    if (k.name == name) return k;
    names += (names.empty() ? "" : ", ") + std::string(k.name);
  }
  throw base::Error(base::concat("unknown noise '", name, "': one of ", names));
}

TwoPoints alpha_points(double q) {
  constexpr double kAlpha = -1.7580993408473766;  // −λα of SELU
  const double a = 1 / std::sqrt(q + kAlpha * kAlpha * q * (1 - q));
  const double b = -a * (1 - q) * kAlpha;
  return {{a, b}, {0, a * kAlpha + b}};
}

Noise prepare(const NoiseKind& kind, const engine::Step& step, std::uint32_t site, double rate) {
  base::require(rate >= 0 && rate < 1, kind.name, ": rate ", rate, " is outside [0, 1)");
  Noise n;
  n.stream = {engine::stream_key(step.seed, engine::Stream::kMask), site, step.index};
  n.granularity = kind.granularity;
  n.two_points = kind.points != nullptr;
  n.gaussian = kind.gaussian;
  if (!n.two_points) {
    n.spread =
        static_cast<float>(kind.spread(rate) / (kind.gaussian ? std::sqrt(kMidpointVariance) : 1));
    return n;
  }
  n.threshold = keep_threshold(rate);
  base::require(n.threshold > 0, kind.name, ": rate ", rate,
                " keeps nothing (16 bits per element); the largest is ", 1 - 1 / double{kAllKept});
  const TwoPoints p = kind.points(keep_probability(n.threshold));
  n.kept_m = static_cast<float>(p.kept.m);
  n.kept_c = static_cast<float>(p.kept.c);
  n.dropped_m = static_cast<float>(p.dropped.m);
  n.dropped_c = static_cast<float>(p.dropped.c);
  return n;
}

double noise_factor(const NoiseKind& kind, double rate, NoiseForm form) {
  const double q = kind.points ? keep_probability(keep_threshold(rate)) : 1 - rate;
  if (form == NoiseForm::kEvaluation) return kind.evaluation(q);
  if (kind.shifts()) return 1;
  if (kind.points == nullptr) {
    const double s = kind.spread(rate);
    return std::sqrt(1 + s * s / (kind.gaussian ? 1 : 3));
  }
  const TwoPoints p = kind.points(q);
  return std::sqrt(q * p.kept.m * p.kept.m + (1 - q) * p.dropped.m * p.dropped.m);
}

}  // namespace ops

HWY_BEFORE_NAMESPACE();
namespace ops {
using namespace simd;

void noise_forward(const Noise& noise, const BatchRows& rows, std::size_t begin, std::size_t end,
                   const float* x, float* out) {
  for_each_noise(noise, rows, begin, end,
                 [&](auto at, const auto& z) HWY_ATTR { at.store(z(at.load(x)), out); });
}

void noise_residual(const Noise& noise, const BatchRows& rows, std::size_t begin, std::size_t end,
                    const float* x, const float* h, float* out) {
  for_each_noise(noise, rows, begin, end, [&](auto at, const auto& z) HWY_ATTR {
    at.store(hn::Add(at.load(x), z(at.load(h))), out);
  });
}

void noise_backward(const Noise& noise, const BatchRows& rows, std::size_t begin, std::size_t end,
                    const float* dout, float* dx, bool add) {
  if (add)
    return for_each_noise(noise, rows, begin, end, [&](auto at, const auto& z) HWY_ATTR {
      at.store(hn::Add(at.load(dx), z.scale(at.load(dout))), dx);
    });
  for_each_noise(noise, rows, begin, end,
                 [&](auto at, const auto& z) HWY_ATTR { at.store(z.scale(at.load(dout)), dx); });
}

}  // namespace ops
HWY_AFTER_NAMESPACE();
