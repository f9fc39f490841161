#include "ops/noise_op.h"

#include "base/parallel.h"
#include "ops/attention.h"
#include "ops/noise_rows.h"

namespace ops {
namespace {

using base::require;
using engine::Cost;
using engine::Frame;
using engine::Needs;
using engine::Pass;
using engine::Shape;

// x, out (B,T,C)
class NoiseOp final : public engine::Op {
 public:
  NoiseOp(const NoiseKind* kind, bool ids) : ids_(ids), rows_(kind, ids) {}
  std::string_view name() const override { return rows_.kind()->name; }

  Shape infer(std::span<const Shape> in) override {
    rows_.set_shape(in[0], name());
    require(ids_ || rows_.kind()->granularity != Granularity::kVocabulary, "[", name(), "] x ",
            in[0], ": acts on tokens, so it has a meaning at the hook emb alone");
    require(!ids_ || in[1].numel() == rows_.count(), "[", name(), "] x ", in[0], ", ids ", in[1],
            ": one token a row is needed");
    return in[0];
  }

  void forward(const Frame& f) const override {
    rows_.for_each(f,
                   [&](const Noise& noise, const BatchRows& rows, std::size_t r0, std::size_t r1) {
                     noise_forward(noise, rows, r0, r1, f.in[0].f32(), f.out.f32());
                   });
  }

  // dx += m·dout
  void backward(const Frame& f) const override {
    rows_.for_each(
        f, [&](const Noise& noise, const BatchRows& rows, std::size_t r0, std::size_t r1) {
          noise_backward(noise, rows, r0, r1, f.dout.f32(), f.din[0].f32(), f.din[0].add);
        });
  }

  Cost cost(Pass) const override {
    const auto n = static_cast<double>(rows_.numel());
    return {2 * n, 8 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = ids_ ? 0b10 : 0;
    n.replayable = true;
    return n;
  }

 private:
  bool ids_;
  NoiseRows rows_;
};

// x, h, out (B,T,C): out = x + m·h + c
class ResidualOp final : public engine::Op {
 public:
  explicit ResidualOp(const NoiseKind* kind) : rows_(kind) {}
  std::string_view name() const override { return "residual"; }

  Shape infer(std::span<const Shape> in) override {
    require(in[0] == in[1], "[residual] x ", in[0], " + h ", in[1], ": shapes differ");
    rows_.set_shape(in[0], name());
    return in[0];
  }

  void forward(const Frame& f) const override {
    rows_.for_each(f,
                   [&](const Noise& noise, const BatchRows& rows, std::size_t r0, std::size_t r1) {
                     noise_residual(noise, rows, r0, r1, f.in[0].f32(), f.in[1].f32(), f.out.f32());
                   });
  }

  // dx += dout (mostly the same memory), dh += m·dout
  void backward(const Frame& f) const override {
    const float* dout = f.dout.f32();
    const bool copy_x = f.din[0] && f.din[0].f32() != dout;
    const bool copy_h = f.din[1] && f.din[1].f32() != dout;
    if (!copy_x && !copy_h) return;
    rows_.for_each(f,
                   [&](const Noise& noise, const BatchRows& rows, std::size_t r0, std::size_t r1) {
                     if (copy_h)
                       noise_backward(noise, rows, r0, r1, dout, f.din[1].f32(), f.din[1].add);
                     if (copy_x)
                       noise_backward(Noise{}, rows, r0, r1, dout, f.din[0].f32(), f.din[0].add);
                   });
  }

  Cost cost(Pass pass) const override {
    const auto n = static_cast<double>(rows_.numel());
    return pass == Pass::kForward ? Cost{3 * n, 12 * n} : Cost{2 * n, 8 * n};
  }

  Needs needs() const override {
    Needs n;
    n.inputs = 0;
    n.replayable = true;
    n.pass_through = rows_.kind() == nullptr ? 0b11 : 0b01;
    return n;
  }

 private:
  NoiseRows rows_;
};

// x, out (…): out = noise_factor·x
class EvaluationScaleOp final : public engine::Op {
 public:
  EvaluationScaleOp(const NoiseKind* kind, NoiseForm form) : kind_(kind), form_(form) {}
  std::string_view name() const override { return "evaluation_scale"; }

  Shape infer(std::span<const Shape> in) override {
    n_ = in[0].numel();
    return in[0];
  }

  void forward(const Frame& f) const override { scale(f, f.in[0].f32(), f.out.f32(), false); }
  // dx += noise_factor·dout
  void backward(const Frame& f) const override {
    scale(f, f.dout.f32(), f.din[0].f32(), f.din[0].add);
  }

  Cost cost(Pass) const override { return {static_cast<double>(n_), 8 * static_cast<double>(n_)}; }

  Needs needs() const override {
    Needs n;
    n.inputs = 0;
    n.replayable = true;
    return n;
  }

 private:
  void scale(const Frame& f, const float* from, float* to, bool add) const {
    const auto s = static_cast<float>(noise_factor(*kind_, static_cast<double>(f.rate), form_));
    base::parallel_chunks(n_, NoiseRows::kChunk,
                          [&](std::int64_t, std::int64_t begin, std::int64_t end) {
#pragma omp simd
                            for (std::int64_t i = begin; i < end; ++i)
                              to[i] = add ? to[i] + s * from[i] : s * from[i];
                          });
  }

  const NoiseKind* kind_;
  NoiseForm form_;
  std::int64_t n_ = 0;
};

}  // namespace

engine::Ref evaluation_scale(engine::Tape& tape, std::string_view name, engine::Ref x,
                             const NoiseUse& use) {
  return tape.push(name, std::make_unique<EvaluationScaleOp>(use.kind, use.form), {x},
                   use.randomness);
}

engine::Ref noise(engine::Tape& tape, std::string_view name, engine::Ref x, const NoiseUse& use,
                  engine::Ref ids) {
  if (use.is_factor()) return evaluation_scale(tape, name, x, use);
  const bool with_ids = ids && use.kind->granularity == Granularity::kVocabulary;
  std::vector<engine::Ref> in = {x};
  if (with_ids) in.push_back(ids);
  return tape.push(name, std::make_unique<NoiseOp>(use.kind, with_ids), std::move(in),
                   use.randomness);
}

engine::Ref residual(engine::Tape& tape, std::string_view name, engine::Ref x, engine::Ref h,
                     const NoiseUse& use) {
  if (use.is_factor()) return residual(tape, name, x, evaluation_scale(tape, use.name, h, use));
  return tape.push(name, std::make_unique<ResidualOp>(use.kind), {x, h}, use.randomness);
}

engine::Ref attention(engine::Tape& tape, std::string_view name, engine::Ref qkv,
                      std::int64_t n_head, const NoiseUse& use) {
  const auto heads = static_cast<int>(n_head);
  if (use.is_factor())  // (s·P)·V = s·(P·V)
    return evaluation_scale(tape, use.name, attention(tape, name, qkv, n_head), use);
  return tape.push(name, make_attention(heads, use.kind), {qkv}, use.randomness);
}

}  // namespace ops
