// The table of regularizers, their spelling, and what errors say.
#include "models/regularizer_grammar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "lab/study/arm.h"
#include "tests/expect_error.h"
#include "train/config/architecture.h"

namespace {

using models::Family;
using models::HookId;
using models::parse_regularizers;
using models::Regularizer;

std::string canonical(std::string_view text) { return to_string(parse_regularizers(text)); }

/// The error, which is one line and holds every part.
void expect_refused(const std::string& text, std::initializer_list<std::string_view> parts) {
  const std::string said = tests::error_of([&] { (void)parse_regularizers(text); });
  EXPECT_NE(said, "") << text;
  EXPECT_EQ(said.find('\n'), said.npos) << said;
  for (const std::string_view part : parts)
    EXPECT_NE(said.find(part), said.npos) << text << "\n  said: " << said << "\n  not:  " << part;
}

TEST(RegularizerTable, RowsAreConsistent) {
  std::set<std::string_view> names;
  for (const Regularizer& row : models::regularizer_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name << " twice";
    EXPECT_EQ(models::find_regularizer(row.name), &row);
    for (const std::string_view text : {row.granularity, row.constants, row.help, row.source})
      EXPECT_FALSE(text.empty()) << row.name;
    for (const HookId hook : row.default_hooks)
      EXPECT_NE(std::find(row.hooks.begin(), row.hooks.end(), hook), row.hooks.end()) << row.name;
    const bool noisy = row.family <= Family::kLayer;
    EXPECT_EQ(row.noise != nullptr, noisy) << row.name;
    EXPECT_EQ(row.add_to_loss != nullptr, row.family == Family::kLoss) << row.name;
    EXPECT_EQ(row.hooks.empty(), row.family > Family::kWeight) << row.name;
  }
  for (const ops::NoiseKind& kind : ops::noise_kinds()) EXPECT_TRUE(names.contains(kind.name));
}

TEST(RateSchedule, EachReachesTheWholeRateAndStaysInRange) {
  for (const models::ScheduleKind& kind : models::schedule_kinds()) {
    double largest = 0;
    for (int i = 0; i <= 1000; ++i) {
      const double share = kind.share(i / 1000.0, 0.25);
      EXPECT_TRUE(share >= 0 && share <= 1) << kind.name;
      largest = std::max(largest, share);
    }
    EXPECT_EQ(largest, 1) << kind.name;
  }
}

TEST(RateSchedule, Values) {
  const auto share = [](std::string_view schedule, double x) {
    return parse_regularizers(std::string("dropout:0.1~").append(schedule)).at(0).schedule.share(x);
  };
  EXPECT_EQ(share("constant", 0.7), 1);
  EXPECT_DOUBLE_EQ(share("early:0.2", 0), 1);
  EXPECT_DOUBLE_EQ(share("early:0.2", 0.05), 0.75);
  EXPECT_EQ(share("early:0.2", 0.2), 0);
  EXPECT_EQ(share("early:0.2", 0.9), 0);
  EXPECT_EQ(share("early_cut:0.2", 0.19), 1);
  EXPECT_EQ(share("early_cut:0.2", 0.2), 0);
  EXPECT_EQ(share("late:0.8", 0.79), 0);
  EXPECT_EQ(share("late:0.8", 0.8), 1);
  EXPECT_EQ(share("linear", 0.25), 0.25);
}

TEST(Regularizers, OneSpelling) {
  EXPECT_EQ(canonical("none"), "none");
  EXPECT_EQ(canonical(" dropout:0.10 "), "dropout:0.1");
  EXPECT_EQ(canonical("dropout:.1@mlp/attn + drop_path:0.2"), "dropout:0.1@attn/mlp+drop_path:0.2");
  EXPECT_EQ(canonical("dropout:0.1@mlp/attn/emb/attn_weights"), "dropout:0.1") << "the defaults";
  EXPECT_EQ(canonical("dropout:0.1~early:0.20+z_loss:1e-4~constant"),
            "dropout:0.1~early:0.2+z_loss:0.0001");
  EXPECT_EQ(canonical("dropout:0+r_drop:0"), "none");
  EXPECT_EQ(canonical("uout:0.1@mlp_hidden~linear"), "uout:0.1@mlp_hidden~linear");
  for (const Regularizer& row : models::regularizer_table()) {
    if (row.family == Family::kOptimizer) continue;
    std::string text(row.name);
    text += ":0.25";
    EXPECT_EQ(canonical(text), text);
    for (const HookId hook : row.hooks) {
      std::string at = text;
      at.append("@").append(to_string(hook));
      EXPECT_EQ(canonical(canonical(at)), canonical(at));
    }
  }
}

TEST(Regularizers, ErrorsGiveTheValidChoices) {
  expect_refused("droput:0.1", {"'droput'", "did you mean 'dropout'?", "drop_path", "r_drop"});
  expect_refused("xyz:0.1", {"'xyz'", "choose from dropout"});
  expect_refused("", {"no regularizer", "NAME:RATE"});
  expect_refused("dropout:0.1+", {"no regularizer"});
  expect_refused("none+dropout:0.1", {"'none' stands alone"});
  expect_refused("dropout", {"dropout has no rate", "dropout:RATE", "[0, 1)"});
  expect_refused("dropout:", {"has no rate"});
  expect_refused("dropout:x", {"dropout:'x' is not a number", "[0, 1)"});
  expect_refused("dropout:0.1x", {"'0.1x' is not a number"});
  for (const char* bad : {"1", "-0.1", "1.5", "nan", "inf"})
    expect_refused(std::string("dropout:") + bad, {"out of range", "[0, 1)"});
  expect_refused("dropout:0.999999", {"drop everything"});
  expect_refused("z_loss:-1", {"out of range", "a coefficient in [0, 1000]"});
  expect_refused("label_smoothing:1", {"out of range", "[0, 1)"});
  expect_refused("dropout:0.1@atn", {"unknown hook 'atn'", "'attn'", "mlp_hidden"});
  expect_refused("dropout:0.1@", {"unknown hook ''"});
  expect_refused("dropout:0.1@attn/attn", {"hook attn twice"});
  expect_refused("drop_path:0.1@emb", {"drop_path has no meaning at emb", "attn, mlp"});
  expect_refused("token_dropout:0.1@mlp", {"no meaning at mlp", "act at emb"});
  expect_refused("alpha_dropout:0.1@attn_weights", {"no meaning at attn_weights"});
  expect_refused("drop_head:0.1@attn", {"no meaning at attn", "act at attn_weights"});
  expect_refused("layer_drop:0.1@attn", {"takes no hook", "layer_drop:RATE"});
  expect_refused("z_loss:0.1@attn", {"takes no hook"});
  expect_refused("dropout:0.1~erly:0.2", {"schedule 'erly'", "did you mean 'early'?", "linear"});
  expect_refused("dropout:0.1~early", {"needs a fraction", "~early:0.2"});
  for (const char* bad : {"0", "1", "-1", "2", "x"})
    expect_refused(std::string("dropout:0.1~late:") + bad, {"(0, 1), not '", bad});
  expect_refused("dropout:0.1~linear:0.5", {"linear takes no fraction"});
  expect_refused("weight_decay:0.1", {"a setting of its own", "weight_decay=0.1"});
  expect_refused("drop_head:0.1+dropout:0.2",
                 {"attn_weights takes one", "drop_head and dropout", "dropout:0.2@emb/attn/mlp"});
  expect_refused("drop_head:0.1+drop_head:0.2", {"attn_weights takes one"});
}

TEST(Regularizers, AsASettingAndInArms) {
  train::Settings s;
  EXPECT_ERROR(train::set(s, "reg", "droput:0.1", "--reg"), "--reg: unknown regularizer 'droput'");
  train::set(s, "reg", "dropout:0.10 + drop_path:0.1");
  EXPECT_EQ(s.reg, "dropout:0.1+drop_path:0.1");
  EXPECT_EQ(train::regularizers(s).size(), 2u);

  const lab::Arm arm = lab::parse_arm("early: reg=dropout:0.1@attn/mlp~early:0.2,lr=1e-3", {});
  EXPECT_EQ(arm.name, "early");
  EXPECT_EQ(arm.settings.reg, "dropout:0.1@attn/mlp~early:0.2");
  EXPECT_EQ(lab::parse_arm("none", arm.settings).settings.reg, "none");
  EXPECT_ERROR(lab::parse_arm("reg=drop_head:0.1,dropout=0.1", {}),
               "attn_weights takes one regularizer, not both dropout and drop_head");
}

TEST(Regularizers, NotesSayWhatWillNotWork) {
  const auto notes = [](const char* reg, double dropout = 0, const char* budget = "1e12flops") {
    train::Settings s;
    s.budget = budget;
    s.reg = reg;
    s.dropout = dropout;
    std::string all;
    for (const std::string& note : train::notes(s)) all += note + '\n';
    return all;
  };
  EXPECT_EQ(notes("dropout:0.1+z_loss:1e-4"), "");
  EXPECT_NE(notes("alpha_dropout:0.1").find("activation=selu"), std::string::npos);
  EXPECT_NE(notes("r_drop:1").find("its term is 0"), std::string::npos);
  EXPECT_EQ(notes("r_drop:1", 0.1), "");
  EXPECT_NE(notes("r_drop:1", 0.1, "2000steps").find("2 times the compute"), std::string::npos);
  EXPECT_NE(notes("drop_path:1e-6").find("drops nothing"), std::string::npos);
}

}  // namespace
