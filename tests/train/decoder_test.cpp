// Decoding with a cache says what a whole forward pass says, and sampling is a function of logits,
// seed and place.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "engine/rng.h"
#include "models/regularizer_grammar.h"
#include "tests/expect_error.h"
#include "train/sampling.h"

namespace train {
namespace {

constexpr std::int64_t kTime = 70;  // more than two passes of the prompt's form
constexpr std::int64_t kVocab = 19;

models::GptConfig decoder_config() {
  models::GptConfig c;
  c.n_layer = 2;
  c.n_head = 2;
  c.n_embd = 16;
  c.block_size = kTime;
  c.vocab = kVocab;
  c.regularizers = models::gpt2_dropout(0.2);
  return c;
}

std::vector<std::int32_t> some_text(std::int64_t n) {
  engine::Sequence random(engine::stream_key(1, engine::Stream::kSample), 2);
  std::vector<std::int32_t> out;
  for (std::int64_t i = 0; i < n; ++i)
    out.push_back(static_cast<std::int32_t>(random.below(kVocab)));
  return out;
}

/// Weights far from their beginning, so that attention and norms matter.
void fill(engine::Params& params) {
  params.allocate(3);
  engine::Sequence random(engine::stream_key(2, engine::Stream::kInit), 5);
  for (int i = 0; i < static_cast<int>(params.list().size()); ++i)
    for (std::int64_t j = 0; j < params[i].shape.numel(); ++j) {
      float& w = params.value(i)[j];
      // Statistics stay above 0.
      w = params[i].trainable ? w + 0.3F * static_cast<float>(random.uniform() - 0.5)
                              : 0.5F + static_cast<float>(random.uniform());
    }
}

/// Logits (T,V) by the tape of evaluation.
std::vector<float> whole_pass(engine::Params& params, const models::GptConfig& config,
                              std::vector<std::int32_t> tokens) {
  engine::Tape tape(params);
  const models::Gpt gpt =
      models::record_gpt(tape, config, 1, kTime, models::Mode::kEval, models::Output::kLogits);
  engine::PlanOptions options;
  options.training = false;
  options.keep = {gpt.logits};
  engine::Plan plan(std::move(tape), gpt.cross_entropy, options);
  if (!params.allocated()) fill(params);
  std::vector<std::int32_t> targets(tokens.size(), 0);
  plan.bind(gpt.tokens, tokens.data());
  plan.bind(gpt.targets, targets.data());
  plan.forward({});
  const float* from = plan.view(gpt.logits).f32();
  return {from, from + kTime * kVocab};
}

void expect_agreement(const models::GptConfig& config) {
  engine::Params params;
  const std::vector<std::int32_t> text = some_text(kTime);
  const std::vector<float> want = whole_pass(params, config, text);
  const double size = static_cast<double>(std::abs(*std::max_element(
      want.begin(), want.end(), [](float a, float b) { return std::abs(a) < std::abs(b); })));
  const auto check = [&](std::span<const float> got, std::size_t position) {
    ASSERT_EQ(got.size(), static_cast<std::size_t>(kVocab));
    for (std::size_t v = 0; v < got.size(); ++v)
      ASSERT_NEAR(static_cast<double>(got[v]), static_cast<double>(want[position * kVocab + v]),
                  1e-5 * std::max(1.0, size))
          << "position " << position << ", symbol " << v;
  };
  Decoder decoder(params, config);
  decoder.allocate();
  for (std::size_t t = 0; t < text.size(); ++t) check(decoder.read({&text[t], 1}), t);
  EXPECT_EQ(decoder.length(), decoder.limit());
  // In parts of any size: whole passes, padded ones, and one by one where none fits any more.
  for (const std::size_t part : {7U, 33U}) {
    decoder.clear();
    for (std::size_t t = 0; t < text.size(); t += part) {
      const std::size_t n = std::min(part, text.size() - t);
      check(decoder.read({&text[t], n}), t + n - 1);
    }
  }
}

TEST(Decoder, SaysWhatAWholePassSays) {
  models::GptConfig config = decoder_config();
  expect_agreement(config);
  config.bias = true;
  for (const models::NormKind& norm : models::norm_kinds()) {
    SCOPED_TRACE(norm.name);
    config.norm = &norm;
    expect_agreement(config);
  }
  config.norm = &models::norm_kind("rmsnorm");
  for (const models::Placement& place : models::placements()) {
    SCOPED_TRACE(place.name);
    config.norm_place = &place;
    config.qk_norm = true;
    expect_agreement(config);
  }
  config = decoder_config();
  config.mlp_hidden = 40;
  for (const ops::ActivationKind& activation : ops::activation_kinds()) {
    SCOPED_TRACE(activation.name);
    config.activation = &activation;
    expect_agreement(config);
  }
  config.regularizers = models::parse_regularizers("layer_drop:0.2+drop_connect:0.1+z_loss:0.1");
  expect_agreement(config);
}

TEST(Decoder, RefusesWhatIsNoToken) {
  engine::Params params;
  Decoder decoder(params, decoder_config());
  params.allocate(1);
  decoder.allocate();
  for (const std::int32_t bad : {-1, 19}) EXPECT_ERROR(decoder.read({&bad, 1}), "outside the voc");
  models::GptConfig table = decoder_config();
  table.features = 2;
  table.head = models::Head::kClasses;
  engine::Params others;
  EXPECT_ERROR(Decoder(others, table), "tied head");
}

TEST(Sampling, GreedyIsTheLikeliest) {
  const std::vector<float> logits = {1, 3, -2, 3};
  const Sampled s = draw(logits, {.temperature = 0}, 0, 0);
  EXPECT_EQ(s.token, 1) << "of equals the lowest";
  const double all = std::exp(1.0) + 2 * std::exp(3.0) + std::exp(-2.0);
  EXPECT_NEAR(s.log_probability, 3 - std::log(all), 1e-12);
}

std::map<std::int32_t, double> shares(const std::vector<float>& logits, const Sampling& how) {
  constexpr int kDraws = 20'000;
  std::map<std::int32_t, double> out;
  for (int i = 0; i < kDraws; ++i)
    out[draw(logits, how, 1, static_cast<std::uint64_t>(i)).token] += 1.0 / kDraws;
  return out;
}

TEST(Sampling, FollowsTheForecast) {
  const std::vector<float> logits = {std::log(0.1F), std::log(0.4F), std::log(0.2F),
                                     std::log(0.3F)};
  auto plain = shares(logits, {.temperature = 1, .top_k = 0});
  for (std::int32_t id = 0; id < 4; ++id)
    EXPECT_NEAR(plain[id], std::exp(static_cast<double>(logits[static_cast<std::size_t>(id)])),
                0.015);
  auto cold = shares(logits, {.temperature = 0.5, .top_k = 0});  // squares: 1 16 4 9 of 30
  EXPECT_NEAR(cold[1], 16.0 / 30, 0.015);
  EXPECT_NEAR(cold[0], 1.0 / 30, 0.015);
  auto two = shares(logits, {.temperature = 1, .top_k = 2});
  EXPECT_EQ(two.size(), 2U);
  EXPECT_NEAR(two[1], 4.0 / 7, 0.015);
  auto nucleus = shares(logits, {.temperature = 1, .top_k = 0, .top_p = 0.65});  // 0.4 + 0.3
  EXPECT_EQ(nucleus.size(), 2U);
  EXPECT_NEAR(nucleus[3], 3.0 / 7, 0.015);
  EXPECT_EQ(shares(logits, {.temperature = 1, .top_k = 0, .top_p = 0.01}).size(), 1U);
  EXPECT_EQ(shares(logits, {.temperature = 1, .top_k = 99}).size(), 4U);
}

TEST(Sampling, ForecastsThatAreNotFiniteAreRefused) {
  const std::vector<float> logits = {1, NAN};
  EXPECT_ERROR(draw(logits, {}, 0, 0), "not finite");
}

std::vector<std::int32_t> continued(Decoder& decoder, const std::vector<std::int32_t>& prompt,
                                    std::int64_t tokens, std::int64_t keep, const Sampling& how,
                                    std::uint64_t sample) {
  std::vector<std::int32_t> out;
  generate(decoder, prompt, tokens, keep, how, sample,
           [&](const Sampled& s) { out.push_back(s.token); });
  return out;
}

// nanoGPT's loop: of all that there is the last T tokens, a whole pass, the next token.
TEST(Generate, WithTheWholeContextKeptIsTheLoopWithoutACache) {
  engine::Params params;
  const models::GptConfig config = decoder_config();
  Decoder decoder(params, config);
  fill(params);
  decoder.allocate();
  for (const std::size_t prompt : {1U, 60U, 100U}) {
    std::vector<std::int32_t> text = some_text(static_cast<std::int64_t>(prompt));
    const Sampling how = {.temperature = 1.2, .seed = 5};
    const auto got = continued(decoder, text, 40, kTime, how, 2);
    for (std::uint64_t i = 0; i < 40; ++i) {
      std::vector<std::int32_t> seen(
          text.end() - static_cast<std::ptrdiff_t>(std::min<std::size_t>(text.size(), kTime)),
          text.end());
      const std::size_t last = seen.size() - 1;
      seen.resize(kTime, 0);
      const std::vector<float> logits = whole_pass(params, config, seen);
      text.push_back(
          draw({logits.data() + last * kVocab, static_cast<std::size_t>(kVocab)}, how, 2, i).token);
    }
    EXPECT_EQ(got, std::vector(text.begin() + static_cast<std::ptrdiff_t>(prompt), text.end()));
  }
}

TEST(Generate, SeedsAndNumbersOfTextsGiveOthers) {
  engine::Params params;
  Decoder decoder(params, decoder_config());
  fill(params);
  decoder.allocate();
  const std::vector<std::int32_t> prompt = {3};
  const auto text = [&](std::uint64_t seed, std::uint64_t sample, std::int64_t keep) {
    return continued(decoder, prompt, 200, keep, {.temperature = 1, .seed = seed}, sample);
  };
  const auto first = text(1, 0, 35);
  EXPECT_EQ(first.size(), 200U);
  EXPECT_EQ(first, text(1, 0, 35));
  EXPECT_NE(first, text(2, 0, 35));
  EXPECT_NE(first, text(1, 1, 35));
  const auto other = text(1, 0, 1);
  EXPECT_TRUE(std::equal(first.begin(), first.begin() + kTime, other.begin()))
      << "the same while the context is not full";
  EXPECT_NE(first, other);
}

}  // namespace
}  // namespace train
