// Where hooks act, from tapes made by hand and from those of the model in all its forms.
#include <gtest/gtest.h>

#include "lab/probe/probe_pass.h"
#include "models/gpt.h"
#include "models/regularizer_grammar.h"
#include "tests/expect_error.h"

namespace {

using engine::Ref;
using Words = std::vector<std::string>;

/// An op that is nothing but its name.
class Named final : public engine::Op {
 public:
  explicit Named(std::string_view name) : name_(name) {}
  std::string_view name() const override { return name_; }
  engine::Shape infer(std::span<const engine::Shape> in) override { return in[0]; }
  void forward(const engine::Frame&) const override {}
  void backward(const engine::Frame&) const override {}
  engine::Cost cost(engine::Pass) const override { return {}; }

 private:
  std::string_view name_;
};

struct HandMade {
  engine::Params params;
  engine::Tape tape{params};
  Ref tokens = tape.input("tokens", {2, 3}, engine::DType::kF32);

  Ref push(std::string_view name, std::string_view op, std::vector<Ref> in, bool noise = false) {
    engine::Randomness randomness;
    if (noise) randomness.rate = [](double) { return 0.1; };
    return tape.push(name, std::make_unique<Named>(op), std::move(in), std::move(randomness));
  }
};

/// "h.0.attn: h.0.attn.c_proj > h.0.mlp.c_fc", "=" before what the hook returns.
Words described(const engine::Tape& tape) {
  const auto name = [&](Ref r) { return r ? tape.value(r).name : std::string("-"); };
  Words out;
  for (const lab::Tap& t : lab::find_taps(tape)) {
    EXPECT_NE(static_cast<bool>(t.handed), static_cast<bool>(t.returned));
    out.push_back(models::site_name(t.hook, t.layer) + ": " +
                  (t.handed ? name(t.handed) : "=" + name(t.returned)) + " > " + name(t.behind));
  }
  return out;
}

// The least that a tape must have, names and edges; what else there is does not matter.
TEST(Taps, AreFoundByNamesOpsAndEdges) {
  HandMade m;
  const Ref x = m.push("embedding", "embedding", {m.tokens});
  const Ref qkv = m.push("anything", "matmul", {x});
  const Ref a = m.push("h.0.attn", "attention", {qkv}, true);
  const Ref halved = m.push("halved", "evaluation_scale", {a}, true);
  const Ref projected = m.push("h.0.attn.c_proj", "matmul", {halved});
  const Ref once = m.push("once", "uout", {projected}, true);
  const Ref twice = m.push("twice", "dropout", {once}, true);
  m.push("aside", "matmul", {m.tokens});  // reads nothing that a hook returned
  const Ref y = m.push("h.0.attn.residual", "residual", {x, twice}, true);
  const Ref scaled = m.push("scaled", "scale", {y});
  const Ref wide = m.push("wide", "matmul", {scaled});
  const Ref act = m.push("act", "gelu", {wide});
  const Ref hidden = m.push("hidden", "dropout", {act}, true);
  const Ref back = m.push("h.0.mlp.c_proj", "matmul", {hidden});
  const Ref normed = m.push("normed", "rmsnorm", {back});
  const Ref z = m.push("h.0.mlp.residual", "residual", {y, normed});
  m.push("loss", "linear_cross_entropy", {z});
  EXPECT_EQ(described(m.tape),
            (Words{"emb: embedding > anything", "h.0.attn_weights: anything > halved",
                   "h.0.attn: h.0.attn.c_proj > wide", "h.0.mlp_hidden: =hidden > h.0.mlp.c_proj",
                   "h.0.mlp: normed > -"}));
}

TEST(Taps, SayWhichNodeIsMissing) {
  HandMade m;
  EXPECT_ERROR(lab::find_taps(m.tape), "the tape has no node embedding");
  const Ref x = m.push("embedding", "embedding", {m.tokens});
  EXPECT_EQ(described(m.tape), Words{"emb: embedding > -"});
  m.push("h.0.attn", "attention", {x});
  EXPECT_ERROR(lab::find_taps(m.tape), "the tape has no node h.0.attn.c_proj");
}

struct Form {
  std::string_view norm = "layernorm", place = "pre", activation = "gelu", reg = "none";
  bool qk_norm = false;
  models::Output output = models::Output::kLogits;
  models::Mode mode = models::Mode::kTrain;
};

Words of_model(const Form& form) {
  models::GptConfig c;
  c.n_layer = 2, c.n_head = 2, c.n_embd = 16, c.block_size = 8, c.vocab = 11;
  c.norm = &models::norm_kind(form.norm);
  c.norm_place = &models::placement(form.place);
  c.activation = &ops::activation_kind(form.activation);
  c.qk_norm = form.qk_norm;
  c.regularizers = models::parse_regularizers(form.reg);
  engine::Params params;
  engine::Tape tape(params);
  models::record_gpt(tape, c, 2, 8, form.mode, form.output);
  return described(tape);
}

/// Of a model of two layers: what the hooks of a layer h are handed, and what is behind the last.
Words expected(const std::string& qkv, const std::string& attn, const std::string& hidden,
               const std::string& mlp, const std::string& last = "head",
               const std::string& weighted = "attn", const std::string& normed = "ln_f") {
  Words out = {"emb: embedding > h.0.attn.c_attn"};
  for (const std::string h : {"h.0.", "h.1."}) {
    out.push_back(h + "attn_weights: " + h + qkv + " > " + h + weighted);
    out.push_back(h + "attn: " + h + attn + " > " + h + "mlp.c_fc");
    out.push_back(h + "mlp_hidden: =" + h + hidden + " > " + h + "mlp.c_proj");
    out.push_back(h + "mlp: " + h + mlp + " > " + (h == "h.0." ? "h.1.attn.c_attn" : last));
  }
  out.push_back("last: " + normed + " > " + last);
  return out;
}

TEST(Taps, OfEveryPlacement) {
  const auto plain = [](const std::string& normed) {
    return expected("attn.c_attn", "attn.c_proj", "mlp.gelu", "mlp.c_proj", "head", "attn", normed);
  };
  for (const models::NormKind& norm : models::norm_kinds())
    for (const std::string_view place : {"pre", "post", "deepnorm"})
      EXPECT_EQ(of_model({.norm = norm.name, .place = place}),
                plain(norm.name == "none" ? "h.1.mlp.residual"
                      : place == "pre"    ? "ln_f"
                                          : "h.1.ln_2"))
          << norm.name << ' ' << place;
  EXPECT_EQ(of_model({.place = "sandwich"}),
            expected("attn.c_attn", "ln_1_post", "mlp.gelu", "ln_2_post"));
  EXPECT_EQ(of_model({.norm = "none", .place = "sandwich"}), plain("h.1.mlp.residual"));
}

TEST(Taps, OfEveryActivationAndQkNorm) {
  for (const ops::ActivationKind& act : ops::activation_kinds())
    EXPECT_EQ(of_model({.activation = act.name, .qk_norm = true}),
              expected("attn.qk_norm", "attn.c_proj", std::string("mlp.").append(act.name),
                       "mlp.c_proj"));
}

// Without a last norm the noise of a branch stands right before the head.
TEST(Taps, TheLastHookIsHandedTheStreamWithItsNoise) {
  Words words = of_model({.norm = "none", .reg = "dropout:0.1@attn/mlp"});
  EXPECT_EQ(words.back(), "last: h.1.mlp.residual > head");
  words = of_model({.norm = "none", .reg = "dropout:0.1@attn/mlp/last"});
  EXPECT_EQ(words.back(), "last: h.1.mlp.residual > head");
}

TEST(Taps, NothingIsBehindTheLastHookWhereTheHeadIsOneWithTheLoss) {
  const auto layers = [](const std::string& last) {
    return expected("attn.c_attn", "attn.c_proj", "mlp.gelu", "mlp.c_proj", last);
  };
  EXPECT_EQ(of_model({.output = models::Output::kLoss}), layers("-"));
  EXPECT_EQ(of_model({.reg = "label_smoothing:0.1", .output = models::Output::kLoss}),
            layers("head"));
}

// Noise changes nothing of what a hook is handed, wherever it stands.
TEST(Taps, WithRegularizersOfEveryFamily) {
  const std::string everywhere =
      "dropout_original:0.1@emb/attn_weights/attn/mlp_hidden/mlp/last+gaussian_dropout:0.1@emb/"
      "attn/mlp+"
      "layer_drop:0.1+drop_connect:0.1";
  for (const models::Mode mode : {models::Mode::kTrain, models::Mode::kEval}) {
    const bool training = mode == models::Mode::kTrain;
    EXPECT_EQ(of_model({.reg = everywhere, .mode = mode}),
              expected("attn.c_attn", "attn.c_proj",
                       training ? "mlp.gelu" : "mlp_hidden.dropout_original", "mlp.c_proj", "head",
                       training ? "attn" : "attn_weights.dropout_original"));
  }
  EXPECT_EQ(of_model({.activation = "swiglu", .reg = "dropout:0.1@mlp_hidden"}),
            expected("attn.c_attn", "attn.c_proj", "mlp_hidden.dropout", "mlp.c_proj"));
}

}  // namespace
