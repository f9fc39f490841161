#include "train/config/budget.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "tests/expect_error.h"

namespace {

using train::Budget;
using Kind = Budget::Kind;

std::string parse_error(const std::string& text) {
  return tests::error_of([&] { Budget::parse(text); });
}

TEST(Budget, EveryForm) {
  const struct {
    const char* text;
    Kind kind;
    double amount;
    const char* canonical;
  } cases[] = {
      {"1e12flops", Kind::kFlops, 1e12, "1e12flops"},
      {"2.5Gflops", Kind::kFlops, 2.5e9, "2.5e9flops"},
      {"7flop", Kind::kFlops, 7, "7flops"},
      {"2Mtok", Kind::kTokens, 2e6, "2Mtok"},
      {"2000000tokens", Kind::kTokens, 2e6, "2Mtok"},
      {"0.77Mtok", Kind::kTokens, 770000, "770ktok"},
      {"1234567tok", Kind::kTokens, 1234567, "1234567tok"},
      {"1token", Kind::kTokens, 1, "1tok"},
      {"2000steps", Kind::kSteps, 2000, "2000steps"},
      {"2.3ksteps", Kind::kSteps, 2300, "2300steps"},
      {"1step", Kind::kSteps, 1, "1steps"},
      {"3epochs", Kind::kEpochs, 3, "3epochs"},  // not 3e + "pochs"
      {"0.5epoch", Kind::kEpochs, 0.5, "0.5epochs"},
      {"60s", Kind::kSeconds, 60, "60s"},
      {"1.5sec", Kind::kSeconds, 1.5, "1.5s"},
      {"90seconds", Kind::kSeconds, 90, "90s"},
      {"5min", Kind::kSeconds, 300, "300s"},
      {"2h", Kind::kSeconds, 7200, "7200s"},
  };
  for (const auto& c : cases) {
    const Budget b = Budget::parse(c.text);
    EXPECT_EQ(b.kind, c.kind) << c.text;
    EXPECT_EQ(b.amount, c.amount) << c.text;
    EXPECT_EQ(b.to_string(), c.canonical);
    EXPECT_EQ(Budget::parse(b.to_string()), b) << c.text;
  }
}

TEST(Budget, CanonicalTextReadsBackExactly) {
  for (const Kind kind : {Kind::kFlops, Kind::kEpochs, Kind::kSeconds})
    for (const double amount : {1.0 / 3, 1e-7, 12345.678901234567, 1.1e13, 0.1 + 0.2}) {
      const Budget b{kind, amount};
      EXPECT_EQ(Budget::parse(b.to_string()).amount, amount) << b.to_string();
    }
}

TEST(Budget, ErrorsNameTheValueAndTheForms) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "does not begin with a number"},
      {"steps", "does not begin with a number"},
      {"abc", "does not begin with a number"},
      {"nansteps", "not a finite number"},
      {"inftok", "not a finite number"},
      {"0", "not above 0"},
      {"0steps", "not above 0"},
      {"0x10steps", "not above 0"},
      {"-5steps", "not above 0"},
      {"-1e999steps", "not above 0"},
      {"100", "has no unit"},
      {"2M", "has no unit"},
      {"2Mfoo", "unknown unit 'foo'"},
      {"2mtok", "unknown unit 'mtok'"},
      {"2 steps", "unknown unit ' steps'"},
      {"2steps ", "unknown unit 'steps '"},
      {"2.5steps", "not a whole number of steps"},
      {"0.1tok", "not a whole number of tokens"},
      {"1e999flops", "out of range"},
      {"1e300Tflops", "out of range"},
      {"1e308Ttok", "out of range"},
      {"1e17steps", "out of range"},
  };
  for (const auto& [text, wrong] : cases) {
    const std::string error = parse_error(text);
    EXPECT_NE(error.find("budget '" + text + "'"), error.npos) << error;
    EXPECT_NE(error.find(wrong), error.npos) << text << ": " << error;
    EXPECT_NE(error.find("1e12flops, 2Mtok, 2000steps, 3epochs, 60s"), error.npos) << error;
    EXPECT_EQ(error.find('\n'), error.npos);
  }
}

TEST(Budget, StepsAreTheNearestWholeNumber) {
  const double tokens = 768, flops = 4e9, epoch = 76800;
  const auto steps = [&](const char* text) {
    return Budget::parse(text).steps_for(tokens, flops, epoch);
  };
  EXPECT_EQ(steps("2000steps"), 2000);
  EXPECT_EQ(steps("768tok"), 1);
  EXPECT_EQ(steps("1000tok"), 1);  // 1.3
  EXPECT_EQ(steps("1200tok"), 2);  // 1.56
  EXPECT_EQ(steps("1e12flops"), 250);
  EXPECT_EQ(steps("3epochs"), 300);
  EXPECT_EQ(Budget::parse("1tok").steps_for(1, flops, epoch), 1);
  EXPECT_THROW(Budget::parse("60s").steps_for(tokens, flops, epoch), std::logic_error);
  EXPECT_FALSE(Budget::parse("60s").fixed_steps());
  EXPECT_TRUE(Budget::parse("3epochs").fixed_steps());
}

TEST(Budget, LessThanOneStepNamesItsCost) {
  const auto error = [](const char* text) {
    return tests::error_of([&] { Budget::parse(text).steps_for(768, 4e9, 76800); });
  };
  EXPECT_NE(error("767tok").find("costs 768tok"), std::string::npos) << error("767tok");
  EXPECT_NE(error("3.9e9flops").find("costs 4e9flops"), std::string::npos) << error("3.9e9flops");
  EXPECT_NE(error("0.001epochs").find("costs 0.01epochs"), std::string::npos);
  EXPECT_THROW(Budget::parse("1e30flops").steps_for(1, 1, 1), base::Error);
}

TEST(Budget, FractionSpentGoesByItsOwnKind) {
  const train::Spent spent{.steps = 100, .tokens = 300, .flops = 7, .seconds = 30, .epochs = 0.25};
  EXPECT_EQ(Budget::parse("400steps").fraction_spent(spent), 0.25);
  EXPECT_EQ(Budget::parse("600tok").fraction_spent(spent), 0.5);
  EXPECT_EQ(Budget::parse("70flops").fraction_spent(spent), 0.1);
  EXPECT_EQ(Budget::parse("120s").fraction_spent(spent), 0.25);
  EXPECT_EQ(Budget::parse("1epoch").fraction_spent(spent), 0.25);
  EXPECT_EQ(Budget::parse("50steps").fraction_spent(spent), 1.0);  // overrun
  EXPECT_EQ(Budget::parse("50steps").fraction_spent({}), 0.0);
}

TEST(Budget, ScaledKeepsStepsWhole) {
  EXPECT_EQ(Budget::parse("2000steps").scaled(0.25).to_string(), "500steps");
  EXPECT_EQ(Budget::parse("10steps").scaled(0.25).amount, 3);  // 2.5 rounds away from 0
  EXPECT_EQ(Budget::parse("1e12flops").scaled(2).amount, 2e12);
  EXPECT_EQ(Budget::parse("3epochs").scaled(0.5).amount, 1.5);
  EXPECT_THROW(Budget::parse("1step").scaled(0.25), base::Error);
  EXPECT_THROW(Budget::parse("1step").scaled(0), base::Error);
  EXPECT_THROW(Budget::parse("1step").scaled(-1), base::Error);
}

}  // namespace
