#include "models/norm_table.h"

#include <array>
#include <cmath>

#include "base/text.h"
#include "ops/ops.h"

namespace models {
namespace {

using engine::Init;
using engine::Ref;

Ref channels(const NormSite& s, const char* what, double value) {
  return s.tape.param(s.name + what, {s.tape.shape(s.x).back()}, {Init::Kind::kConstant, value});
}
Ref gain(const NormSite& s) { return channels(s, ".weight", 1); }
Ref shift(const NormSite& s) { return s.bias ? channels(s, ".bias", 0) : Ref{}; }

Ref layernorm(const NormSite& s) {
  const Ref gamma = gain(s), beta = shift(s);
  return ops::layernorm(s.tape, s.name, s.x, gamma, beta);
}

Ref rmsnorm(const NormSite& s) { return ops::rmsnorm(s.tape, s.name, s.x, gain(s)); }

ops::Statistics statistics(Mode mode) {
  switch (mode) {
    case Mode::kTrain:
      return ops::Statistics::kBatch;
    case Mode::kRecalibrate:
      return ops::Statistics::kAverage;
    case Mode::kEval:
    case Mode::kNoisy:
    case Mode::kCorrected:
      break;
  }
  return ops::Statistics::kRunning;
}

Ref batchnorm(const NormSite& s) {
  const engine::Shape channels{s.tape.shape(s.x).back()};
  const auto state = [&](const char* what, const engine::Shape& shape, double value) {
    return s.tape.state(s.name + what, shape, {Init::Kind::kConstant, value});
  };
  const Ref gamma = gain(s), beta = shift(s);
  const ops::RunningStatistics running{state(".running_mean", channels, 0),
                                       state(".running_var", channels, 1),
                                       state(".num_batches_tracked", {1}, 0)};
  return ops::batchnorm(s.tape, s.name, s.x, gamma, beta, running, statistics(s.mode));
}

Ref nothing(const NormSite& s) { return s.x; }

constexpr std::array kNorms{
    NormKind{"layernorm", layernorm, 1, 1, false, "(x − μ)/σ over the channels of a position",
             "Ba et al. 2016, arXiv:1607.06450"},
    NormKind{"rmsnorm", rmsnorm, 1, 0, false, "x/√(mean x²) over the channels of a position",
             "Zhang & Sennrich 2019, arXiv:1910.07467"},
    NormKind{"batchnorm", batchnorm, 1, 1, true,
             "(x − μ)/σ over batch and positions, running statistics in evaluation; in training a "
             "position sees later ones through them",
             "Ioffe & Szegedy 2015, arXiv:1502.03167"},
    NormKind{"none", nothing, 0, 0, false, "no norm", "Klambauer et al. 2017, arXiv:1706.02515"},
};

double one(std::int64_t) { return 1; }
// For decoders alone, table 1 of the paper: (2L)^¼ and (8L)^−¼.
double deepnorm_alpha(std::int64_t n_layer) {
  return std::pow(2 * static_cast<double>(n_layer), 0.25);
}
double deepnorm_beta(std::int64_t n_layer) {
  return std::pow(8 * static_cast<double>(n_layer), -0.25);
}

constexpr std::array kPlacements{
    Placement{"pre", true, false, false, one, nullptr, "x + f(norm(x)), and a last norm: GPT-2's",
              "Xiong et al. 2020, arXiv:2002.04745"},
    Placement{"post", false, false, true, one, nullptr, "norm(x + f(x)): the first transformer's",
              "Vaswani et al. 2017, arXiv:1706.03762"},
    Placement{"sandwich", true, true, false, one, nullptr, "x + norm(f(norm(x))), and a last norm",
              "Ding et al. 2021, arXiv:2105.13290"},
    Placement{"deepnorm", false, false, true, deepnorm_alpha, deepnorm_beta,
              "norm(αx + f(x)), α = (2L)^¼; weights of v, projections and MLP start × β = (8L)^−¼",
              "Wang et al. 2022, arXiv:2203.00555"},
};

}  // namespace

std::span<const NormKind> norm_kinds() { return kNorms; }

const NormKind& norm_kind(std::string_view name) {
  return base::row_named(norm_kinds(), name, "norm");
}

std::span<const Placement> placements() { return kPlacements; }

const Placement& placement(std::string_view name) {
  return base::row_named(placements(), name, "norm placement");
}

}  // namespace models
