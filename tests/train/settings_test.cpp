#include "train/config/settings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/error.h"
#include "base/text.h"
#include "tests/expect_error.h"

namespace {

using tests::error_of;
using tests::expect_has;
using train::Row;
using train::Settings;

std::string set_error(std::string_view name, std::string_view value,
                      std::string_view source = "--flag") {
  Settings s;
  return error_of([&] { train::set(s, name, value, source); });
}

TEST(Suggest, Distance) {
  EXPECT_EQ(base::edit_distance("", "abc"), 3u);
  EXPECT_EQ(base::edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(base::edit_distance("lr", "rl"), 1u);  // neighbours swapped
  EXPECT_EQ(base::edit_distance("N-Layer", "n_layer"), 0u);
}

TEST(Suggest, NearestOrChoices) {
  const std::string_view names[] = {"dropout", "lr", "n_embd", "nano"};
  EXPECT_EQ(base::nearest("drpout", names), "dropout");
  EXPECT_EQ(base::nearest("embd", names), "n_embd");
  EXPECT_EQ(base::nearest("lt", names), "lr");
  EXPECT_EQ(base::nearest("zzz", names), "");
  EXPECT_EQ(base::nearest("x", names), "");
  EXPECT_EQ(base::nearest(std::string(1 << 20, 'd'), names), "");
  EXPECT_EQ(base::suggest("nan", names), "did you mean 'nano'?");
  EXPECT_EQ(base::suggest("zzz", names), "choose from dropout, lr, n_embd, nano");
  EXPECT_EQ(base::quote("a\nb\x1b"), "'a\\x0ab\\x1b'");
  EXPECT_LT(base::quote(std::string(1000, 'x')).size(), 130u);
}

// Every row's default must be a value that the row itself allows, and read back from its text.
TEST(SettingsTable, RowsAreConsistent) {
  std::set<std::string_view> names;
  const Settings defaults;
  for (const Row& row : train::settings_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " twice";
    EXPECT_FALSE(row.help.empty()) << row.name;
    EXPECT_EQ(train::find_setting(row.name), &row);
    const std::string text = train::value_text(defaults, row);
    if (!text.empty() && row.name != "preset") {
      Settings s;
      EXPECT_NO_THROW(train::set(s, row.name, text)) << row.name;
      EXPECT_EQ(s, defaults) << row.name;
    }
    if (!row.off.empty()) {
      Settings s;
      EXPECT_NO_THROW(train::set(s, row.name, row.off)) << row.name;
    }
  }
  EXPECT_EQ(train::find_setting("weight-decay"), train::find_setting("weight_decay"));
  EXPECT_NO_THROW(train::validate(defaults));
}

TEST(SettingsTable, PresetsAreAsPublished) {
  const struct {
    const char* name;
    std::int64_t layers, heads, channels, context, batch;
    bool bias;
    double lr;
  } expected[] = {{"tiny", 2, 2, 64, 64, 16, false, 4e-3},
                  {"nano", 4, 4, 128, 64, 12, false, 1e-3},
                  {"char", 6, 6, 384, 256, 64, false, 1e-3},
                  {"gpt2", 12, 12, 768, 1024, 4, true, 6e-4}};
  ASSERT_EQ(train::presets().size(), std::size(expected));
  for (const auto& e : expected) {
    Settings s;
    train::set(s, "preset", e.name);
    EXPECT_NO_THROW(train::validate(s));
    EXPECT_EQ(s.preset, e.name);
    EXPECT_EQ(s.n_layer, e.layers);
    EXPECT_EQ(s.n_head, e.heads);
    EXPECT_EQ(s.n_embd, e.channels);
    EXPECT_EQ(s.block_size, e.context);
    EXPECT_EQ(s.batch, e.batch);
    EXPECT_EQ(s.bias, e.bias);
    EXPECT_EQ(s.lr, e.lr);
    EXPECT_DOUBLE_EQ(s.final_lr(), e.lr / 10);
  }
  Settings nano;
  train::set(nano, "preset", "nano");
  EXPECT_EQ(nano, Settings{}) << "the defaults are those of nano";
  train::set(nano, "preset", "gpt2");
  EXPECT_EQ(train::preset_of(nano).vocabulary, 50257);
}

TEST(Settings, FlagsOverrideThePresetInAnyOrder) {
  const train::Assignment lr{"lr", "5e-4", "--lr"}, preset{"preset", "char", "--preset"};
  const train::Assignment forward[] = {preset, lr}, backward[] = {lr, preset};
  const Settings s = train::resolve({}, forward);
  EXPECT_EQ(s, train::resolve({}, backward));
  EXPECT_EQ(s.lr, 5e-4);
  EXPECT_EQ(s.n_layer, 6);
}

TEST(Settings, StrictNumbers) {
  Settings s;
  train::set(s, "lr", "1e-3");
  train::set(s, "lr", "1e10");  // lets a run diverge on purpose
  for (const char* bad :
       {"1e-3x", " 1", "1 ", "", "abc", "nan", "inf", "-inf", "0x1p3", "+1", "1,5"})
    expect_has(set_error("lr", bad), "--flag '" + std::string(bad) + "' is not a number; give a n");
  expect_has(set_error("lr", "-1"), "is out of range; give a number of at least 0");
  expect_has(set_error("lr", "1e999"), "out of range");
  for (const char* bad : {"1e6", "2.0", "", "4x", "+4"})
    expect_has(set_error("n_layer", bad), "is not a whole number");
  expect_has(set_error("n_layer", "0"), "'0' is out of range; give a whole number in [1, 1000]");
  expect_has(set_error("batch", "99999999999999999999999"), "out of range");
  expect_has(set_error("bias", "yes"), "'yes' is neither true nor false");
  expect_has(set_error("text", ""), "is empty");
  expect_has(set_error("text", "caf\xe9.txt"), "is not UTF-8");
  expect_has(set_error("beta1", "1"), "in [0, 1)");
  expect_has(set_error("val_fraction", "0"), "in (0, 1)");
  EXPECT_EQ(s.lr, 1e10) << "a refused value changes nothing";
  train::set(s, "budget", "2000000tokens");
  EXPECT_EQ(s.budget, "2Mtok") << "one spelling of equal budgets";
  train::set(s, "min_lr", "1e-5");
  EXPECT_EQ(s.final_lr(), 1e-5);
  train::set(s, "min-lr", "auto");
  EXPECT_FALSE(s.min_lr.has_value());
}

TEST(Settings, DropoutRates) {
  expect_has(set_error("dropout", "1"), "give a rate in [0, 1)");
  expect_has(set_error("dropout", "-0.1"), "give a rate in [0, 1)");
  expect_has(set_error("dropout", "0.999993"), "masks of 16 bits would drop everything");
  Settings s;
  train::set(s, "dropout", "0.99999");  // round(1e-5 * 65536) = 1
  EXPECT_EQ(train::notes(s).size(), 1u) << "1/65536 kept is far from 1e-5";
  train::set(s, "dropout", "1e-6");
  ASSERT_EQ(train::notes(s).size(), 1u);
  expect_has(train::notes(s)[0], "drops nothing");
  for (const char* usual : {"0", "0.1", "0.2", "0.5", "0.9"}) {
    train::set(s, "dropout", usual);
    EXPECT_TRUE(train::notes(s).empty()) << usual;
  }
}

TEST(Settings, NamesAndChoicesSuggestTheNearest) {
  expect_has(set_error("drpout", "0.1", "arm 'x'"),
             "arm 'x': unknown setting 'drpout'; did you mean 'dropout'?");
  expect_has(set_error("preset", "nanp", "--preset"), "did you mean 'nano'?");
  expect_has(set_error("preset", "huge", "--preset"), "tiny, nano, char, gpt2");
  expect_has(set_error("tokenizer", "bytes", "c.json"), "c.json: tokenizer 'bytes' is unknown");
  expect_has(set_error("budget", "5", "--budget"), "--budget: budget '5' has no unit");
}

TEST(Settings, RulesBetweenSettings) {
  const auto broken = [](auto change) {
    Settings s;
    change(s);
    return error_of([&] { train::validate(s, "arm 'a'"); });
  };
  expect_has(broken([](Settings& s) { s.n_head = 5; }),
             "arm 'a': n_head=5 heads do not divide n_embd=128 channels; try n_head=4 or 8");
  expect_has(broken([](Settings& s) { s.n_head = 999; }), "try n_head=128");
  expect_has(broken([](Settings& s) { s.grad_accum = 5; }), "batch=12; try grad_accum=4 or 6");
  expect_has(broken([](Settings& s) { s.grad_accum = 24; }), "try grad_accum=12");
  expect_has(broken([](Settings& s) { s.min_lr = 1; }), "min_lr=1 is above lr=0.001");
  expect_has(broken([](Settings& s) { s.val = "v.txt"; }), "val='v.txt' needs a text");
  expect_has(broken([](Settings& s) {
               s.batch = 1 << 24;
               s.block_size = s.n_embd = 1 << 20;
             }),
             "sizes overflow: batch=16777216");
}

TEST(Settings, JsonRoundTrip) {
  Settings s;
  for (const auto& [name, value] : {std::pair{"preset", "char"},
                                    {"lr", "0.1"},
                                    {"min_lr", "1e-300"},
                                    {"bias", "true"},
                                    {"text", "a b.txt"},
                                    {"budget", "3epochs"},
                                    {"seed", "18446744073709551615"},
                                    {"dropout", "0.1"}})
    train::set(s, name, value);
  const std::string text = train::to_json(s).dump();
  EXPECT_EQ(train::from_json(nlohmann::json::parse(text), "config.json"), s);
  EXPECT_EQ(train::from_json(nlohmann::json::parse(train::to_json(Settings{}).dump()), ""),
            Settings{});
  EXPECT_EQ(train::from_json(nlohmann::json::object(), "c"), Settings{})
      << "missing settings have defaults";
  EXPECT_EQ(train::to_json(s).size(), train::settings_table().size());
}

// Through a double, 2^53 and 2^53 + 1 would be one seed.
TEST(Settings, SeedsAreWholeNumbersOf64Bits) {
  constexpr std::uint64_t kExact = std::uint64_t{1} << 53;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{7}, kExact - 1, kExact,
                                   kExact + 1, ~std::uint64_t{0} - 1, ~std::uint64_t{0}}) {
    Settings s;
    train::set(s, "seed", std::to_string(seed));
    EXPECT_EQ(s.seed, seed);
    const auto written = train::to_json(s);
    EXPECT_EQ(written["seed"].is_string(), seed >= kExact) << seed;
    EXPECT_EQ(train::from_json(nlohmann::json::parse(written.dump()), "c").seed, seed);
    // A number is read as well, wherever it came from.
    EXPECT_EQ(
        train::from_json(nlohmann::json::parse("{\"seed\": " + std::to_string(seed) + "}"), "c")
            .seed,
        seed);
  }
  expect_has(set_error("seed", "-1"), "'-1' is out of range; give a whole number in [0, 2^64)");
  expect_has(set_error("seed", "18446744073709551616"), "is out of range");
  expect_has(set_error("seed", "1e3"), "is not a whole number");
  expect_has(set_error("seed", "-x"), "is not a whole number");
}

TEST(Settings, MicroStepsOfBatchnormAreNoted) {
  Settings s;
  train::set(s, "grad_accum", "2");
  EXPECT_TRUE(train::notes(s).empty());
  train::set(s, "norm", "batchnorm");
  ASSERT_EQ(train::notes(s).size(), 2u);
  expect_has(train::notes(s)[1], "each micro-step of 6 rows");
  expect_has(train::notes(s)[1], "not of the whole batch of 12");
}

TEST(Settings, UntrustedJson) {
  const auto error = [](const std::string& text) {
    return error_of([&] { train::from_json(nlohmann::json::parse(text), "config.json"); });
  };
  expect_has(error("[1]"), "config.json: settings must be a JSON object, not array");
  expect_has(error(R"({"n_layers": 3})"), "unknown setting 'n_layers'; did you mean 'n_layer'?");
  expect_has(error(R"({"n_layer": "3"})"), "config.json: n_layer '\"3\"' is not a whole number");
  expect_has(error(R"({"n_layer": 3.0})"), "is not a whole number");
  expect_has(error(R"({"n_layer": -1})"), "is out of range");
  expect_has(error(R"({"seed": 18446744073709551616})"),
             "is not a seed; give a whole number in [0, 2^64)");
  expect_has(error(R"({"seed": -1})"), "is not a seed");
  expect_has(error(R"({"seed": 1.0})"), "is not a seed");
  expect_has(error(R"({"seed": 1e300})"), "is not a seed");
  expect_has(error(R"({"seed": "18446744073709551616"})"), "is not a seed");
  expect_has(error(R"({"seed": "1x"})"), "is not a seed");
  expect_has(error(R"({"n-layer": 3})"), "unknown setting 'n-layer'; did you mean 'n_layer'?");
  expect_has(error(R"({"lr": null})"), "is not a number");
  expect_has(error(R"({"bias": 1})"), "is neither true nor false");
  expect_has(error(R"({"text": ["a"]})"), "is not a string");
  expect_has(error(R"({"text": "a\u0000b"})"), "has a NUL byte");
  expect_has(error(R"({"preset": "huge"})"), "is unknown");
  expect_has(error(R"({"budget": ""})"), "config.json: budget ''");
  expect_has(error(R"({"dropout": 1})"), "is out of range");
  expect_has(error(R"({"n_head": 5})"), "config.json: n_head=5 heads do not divide");
}

TEST(Settings, TenToTwentyEvaluations) {
  for (std::int64_t steps = 10; steps < 5000; ++steps) {
    const std::int64_t every = train::eval_every({}, steps);
    const std::int64_t count = (steps + every - 1) / every;  // the last step is always evaluated
    ASSERT_TRUE(count >= 10 && count <= 20) << steps << ": " << count;
  }
  EXPECT_EQ(train::eval_every({}, 1), 1);
  Settings s;
  s.eval_interval = 7;
  EXPECT_EQ(train::eval_every(s, 1000), 7);
}

}  // namespace
