// Every op there is: each function checks shapes, pushes one node and returns its output.
//
// Example:
//     engine::Params params;
//     engine::Tape tape(params);
//     const engine::Init normal{engine::Init::Kind::kNormal, 0.02};
//     const engine::Ref x = tape.input("x", {12, 64, 128}, engine::DType::kF32);  // (B,T,C)
//     const engine::Ref gamma = tape.param("ln.weight", {128}, {engine::Init::Kind::kConstant, 1});
//     const engine::Ref w1 = tape.param("fc.weight", {128, 512}, normal);
//     const engine::Ref w2 = tape.param("proj.weight", {512, 128}, normal);
//     engine::Ref h = ops::layernorm(tape, "ln", x, gamma);
//     h = ops::gelu(tape, "gelu", ops::matmul(tape, "fc", h, w1));
//     const engine::Ref y = ops::residual(tape, "residual", x, ops::matmul(tape, "proj", h, w2));
//     assert(tape.shape(y) == tape.shape(x));
#pragma once
#include <string_view>
#include <vector>

#include "engine/tape.h"
#include "ops/noise_op.h"

namespace ops {

using engine::Ref;
using engine::Tape;

/// How a weight matrix is stored: GPT-2's (C,OC), or (OC,C) as for a head tied to wte.
enum class Weight : std::uint8_t { kInOut, kOutIn };

/// x (…,C) · w [+ bias (OC)] → (…,OC)
Ref matmul(Tape& tape, std::string_view name, Ref x, Ref w, Ref bias = {},
           Weight layout = Weight::kInOut);

/// Normalizes the last dimension: x (…,C), gamma (C) [, beta (C)] → (…,C). Ba et al. 2016.
Ref layernorm(Tape& tape, std::string_view name, Ref x, Ref gamma, Ref beta = {},
              float epsilon = 1e-5F);

/// x·γ/√(mean(x²) + ε) over the last dimension: x (…,C), gamma (C) → (…,C). Zhang & Sennrich 2019.
Ref rmsnorm(Tape& tape, std::string_view name, Ref x, Ref gamma, float epsilon = 1e-5F);

/// What batchnorm normalizes with, and what becomes of the running statistics.
enum class Statistics : std::uint8_t {
  kBatch,    // training: the batch's; running ← running + max(1/10, 1/n)·(batch − running)
  kAverage,  // recalibration: the batch's; the running ones become the plain average over batches
  kRunning,  // evaluation: the running ones
};

/// Persistent: mean (C), variance (C), and the number of batches they are of (1), from 0.
struct RunningStatistics {
  Ref mean, variance, count;
};

/// (x − μ)/√(σ² + ε)·γ + β per channel, statistics over all rows: x (…,C), gamma (C), beta (C) or
/// none → (…,C). Ioffe & Szegedy 2015, over B and T as for a sequence of (B,C) batches.
///
/// In training every row is normalized with statistics of every other one, so a position sees
/// later positions of its own sequence: a small leak that evaluation, with running statistics,
/// does not have. Training losses of a causal model with batchnorm are optimistic.
Ref batchnorm(Tape& tape, std::string_view name, Ref x, Ref gamma, Ref beta,
              const RunningStatistics& running, Statistics statistics, float epsilon = 1e-5F);

/// RMS norm of each head's q and k, v as it is: qkv (B,T,3C), gamma_q (hs), gamma_k (hs) →
/// (B,T,3C). Dehghani et al. 2023, arXiv:2302.05442, with RMS norm for layer norm.
Ref qk_norm(Tape& tape, std::string_view name, Ref qkv, Ref gamma_q, Ref gamma_k,
            float epsilon = 1e-5F);

/// Causal attention of n further positions, for evaluation alone: qkv (B,n,3C) packed q|k|v with
/// head h in columns h·hs of each, cache (B,P,2C) with k|v of the positions before them, of which
/// the first `length` (1) i32 count → (B,n,C). REQUIRES: 0 ≤ length ≤ P.
Ref cached_attention(Tape& tape, std::string_view name, Ref qkv, Ref cache, Ref length,
                     std::int64_t n_head);

/// wte[token] + wpe[first + t]: tokens (B,T) i32, wte (V,C), wpe (P,C), first (1) i32, or 0 where
/// there is none → (B,T,C). REQUIRES: 0 ≤ first ≤ P − T.
Ref embedding(Tape& tape, std::string_view name, Ref tokens, Ref wte, Ref wpe, Ref first = {});

/// features · w + wpe[t]: features (B,T,F) f32, w (F,C), wpe (≥T,C) → (B,T,C). For few features (up
/// to 64 or so): they are no operand of a matrix product.
Ref feature_embedding(Tape& tape, std::string_view name, Ref features, Ref w, Ref wpe);

// m·act(x) + c, the noise in the activation's own loop; without noise x has any shape.

/// GELU by its tanh approximation (Hendrycks & Gimpel 2016, eq. 2), as GPT-2 has it.
Ref gelu(Tape& tape, std::string_view name, Ref x, const NoiseUse& use = {});

/// max(x, 0)
Ref relu(Tape& tape, std::string_view name, Ref x, const NoiseUse& use = {});

/// λx for x > 0, else λα(eˣ − 1), λ = 1.0507…, α = 1.6732… (Klambauer et al. 2017).
Ref selu(Tape& tape, std::string_view name, Ref x, const NoiseUse& use = {});

/// silu(gate)·value: x (…,2H), the gate's half first, → (…,H). Shazeer 2020. Noise gets a node of
/// its own.
Ref swiglu(Tape& tape, std::string_view name, Ref x, const NoiseUse& use = {});

/// factor·x
Ref scale(Tape& tape, std::string_view name, Ref x, float factor);

/// Mean over the rows with target ≥ 0 of −log softmax(logits)[target], in nats:
/// logits (…,V), targets (…) i32 → (1). Targets < 0 are ignored.
Ref cross_entropy(Tape& tape, std::string_view name, Ref logits, Ref targets);

/// cross_entropy of the logits x · wᵀ, which never exist as a whole, of each of W equal groups of
/// consecutive rows: x (…,C), w (V,C), targets (…) i32 → (W), 0 where no row of a group counts;
/// more than one group is for evaluation alone. Ends the tape: in training the loss is known after
/// backward(). In chunks of rows and with the gradients in the same pass, as in Wijmans et al.
/// 2024, arXiv:2411.09009. `chunk_bytes`: of the logits there are at a time; many, since dw is read
/// and written once a chunk.
Ref linear_cross_entropy(Tape& tape, std::string_view name, Ref x, Ref w, Ref targets,
                         std::int64_t windows = 1,
                         std::int64_t chunk_bytes = std::int64_t{64} << 20);

/// The least standard deviation of a normal head.
inline constexpr double kLeastSigma = 1e-3;
/// A head's second number as a standard deviation: softplus(s) + kLeastSigma.
double normal_sigma(double s);

/// Negative log-likelihood in nats, ½log(2πσ²) + (y − μ)²/(2σ²) with μ = x[…,0] and
/// σ = normal_sigma(x[…,1]), its mean over the targets that count of each of W equal groups of
/// consecutive rows: x (…,2), targets (…) f32 → (W). A target that is NaN does not count; 0 if
/// none of a group does. More than one group is for evaluation alone.
Ref gaussian_nll(Tape& tape, std::string_view name, Ref x, Ref targets, std::int64_t windows = 1);

// loss (1) + rate·term → (1), the rate that of `randomness`; with rate 0 an exact copy. The term is
// a mean over the rows with target ≥ 0.

/// x_target − mean_j x_j: makes cross-entropy that against (1 − ε)·onehot + ε/V, ε the rate.
/// Szegedy et al. 2016, arXiv:1512.00567.
Ref label_smoothing(Tape& tape, std::string_view name, Ref logits, Ref targets, Ref loss,
                    engine::Randomness randomness);
/// log²Z, Z = Σ_j exp(x_j). Chowdhery et al. 2022, arXiv:2204.02311, section 5.
Ref z_loss(Tape& tape, std::string_view name, Ref logits, Ref targets, Ref loss,
           engine::Randomness randomness);
/// ½(KL(a‖b) + KL(b‖a)) of the softmax in rows 2i and 2i + 1 of targets (2B,T), two passes over one
/// sample. Liang et al. 2021, arXiv:2106.14448, in the form of its code: the loss is the mean of
/// both passes' cross-entropies.
Ref r_drop(Tape& tape, std::string_view name, Ref logits, Ref targets, Ref loss,
           engine::Randomness randomness);

}  // namespace ops
