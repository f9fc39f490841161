// Sensitivity to the learning rate and the slope of the best one, of losses made by hand.
#include <gtest/gtest.h>

#include <cmath>

#include "lab/report/figures.h"
#include "tests/expect_error.h"

namespace lab {
namespace {

/// Rates 1/8, 1/4, 1/2, 1 at widths 16 and 32; the loss a parabola in log₂ of the rate around
/// `best(width, arm)`, 1 at its lowest.
template <class Best>
Report bowls(const Best& best, double steep = 0.1) {
  Report r;
  r.seeds = 3;
  for (const int width : {16, 32})
    for (const int power : {-3, -2, -1, 0}) {
      CellReport cell;
      cell.set = {{"n_embd", std::to_string(width)}, {"lr", std::to_string(std::exp2(power))}};
      for (const std::string name : {"none", "dropout"}) {
        ArmReport arm;
        arm.name = name;
        for (const std::uint64_t seed : {1, 2, 3}) {
          RunRecord run;
          run.seed = seed;
          const double off = power - best(width, name == "dropout");
          run.values = {{"test_loss", 1 + (name == "none" ? steep : 2 * steep) * off * off +
                                          0.001 * std::sin(static_cast<double>(seed) + power)},
                        {"uniform_loss", 2}};
          arm.runs.push_back(std::make_shared<RunRecord>(run));
        }
        cell.arms.push_back(arm);
      }
      r.cells.push_back(cell);
    }
  return r;
}

FigureContext context(const Report& r, const FigureSpec& spec) {
  return {r, r.cells[0], r.cells[0].arms[1], r.cells[0].arms[0], nullptr, spec, 0.05};
}

TEST(RateFigures, SensitivityIsTheMeanOverRatesAboveTheLowest) {
  const Report r = bowls([](int, bool) { return -1.0; });
  const FigureSpec spec;
  // Offs of −2, −1, 0, 1: the mean square is 1.5.
  const Figure f = rate_sensitivity(context(r, spec));
  EXPECT_NEAR(f.value.value(), 0.1 * 1.5, 0.002);
  EXPECT_TRUE(f.ci);
}

TEST(RateFigures, ARunThatDivergedCountsAsAGuess) {
  Report r = bowls([](int, bool) { return -1.0; });
  const FigureSpec spec;
  const double whole = rate_sensitivity(context(r, spec)).value.value();
  for (CellReport& cell : r.cells)
    if (cell.set[1].second == "1.000000")
      for (RecordPtr& run : cell.arms[1].runs) {
        RunRecord diverged = *run;
        diverged.status = Status::kDiverged;
        diverged.values.erase("test_loss");
        run = std::make_shared<RunRecord>(diverged);
      }
  // 2 instead of 1.2, a rate of four.
  EXPECT_NEAR(rate_sensitivity(context(r, spec)).value.value(), whole + 0.8 / 4, 0.002);
  // A loss above a guess is one, too.
  const Report high = bowls([](int, bool) { return -1.0; }, 10);
  EXPECT_LE(rate_sensitivity(context(high, spec)).value.value(), 1);
  for (CellReport& cell : r.cells) cell.arms[1].runs.clear();
  EXPECT_NE(rate_sensitivity(context(r, spec)).missing, "");
}

TEST(RateFigures, TheBestRateMovesAsItWasMade) {
  FigureSpec spec;
  spec.on = {"lr", "n_embd"};
  // Without dropout the best rate stays, with it half a doubling less at twice the width.
  const Report r =
      bowls([](int width, bool dropout) { return -1.25 - (dropout && width == 32 ? 0.5 : 0); });
  const Figure f = best_rate_slope(context(r, spec));
  EXPECT_NEAR(f.value.value(), -0.5, 0.02);
  EXPECT_LT(f.ci->hi, 0);
}

TEST(RateFigures, CellsThatAreNoGridAreRefused) {
  FigureSpec spec;
  spec.name = "f";
  spec.source = "s.toml:1:1";
  Study study;
  const auto cell = [](const std::string& width, const std::string& lr) {
    return Level{"", {{"n_embd", width}, {"lr", lr}}};
  };
  study.cells = {cell("16", "0.1"), cell("16", "0.2")};
  EXPECT_ERROR(check_rates(spec, study, false), "no grid of 3 or more learning rates");
  study.cells.push_back(cell("16", "0.4"));
  EXPECT_NO_THROW(check_rates(spec, study, false));
  EXPECT_ERROR(check_rates(spec, study, true), "on = the setting");
  spec.on = {"lr", "n_embd"};
  EXPECT_ERROR(check_rates(spec, study, false), "on is not of it");
  EXPECT_ERROR(check_rates(spec, study, true), "no grid of lr and n_embd");
  for (const char* lr : {"0.1", "0.2", "0.4"}) study.cells.push_back(cell("32", lr));
  EXPECT_NO_THROW(check_rates(spec, study, true));
  study.cells.pop_back();
  EXPECT_ERROR(check_rates(spec, study, true), "no grid of 3 or more");
  spec.on = {"lr", "norm"};
  EXPECT_ERROR(check_rates(spec, study, true), "norm is no number above 0");
}

}  // namespace
}  // namespace lab
