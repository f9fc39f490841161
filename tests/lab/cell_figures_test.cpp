// Figures over cells, of losses made by hand: slopes along a path, where a benefit begins, another
// cell to be held against.
#include <gtest/gtest.h>

#include <cmath>

#include "lab/report/figures.h"
#include "tests/expect_error.h"

namespace lab {
namespace {

/// Widths 16 and 32 × epochs 1, 4, 16; dropout's difference is 0.1·(4 − log₂ epochs) − 0.2 at width
/// 16, and by 0.3 more at 32: it crosses 0 at 4 epochs, and at 32.
StudyFile file_of(FigureSpec spec) {
  StudyFile file;
  spec.name = "f";
  spec.source = "s.toml:1:1";
  file.figures = {std::move(spec)};
  file.study.arms = {{"none", {}}, {"dropout", {{"dropout", "0.1"}}}};
  file.study.cells.clear();
  for (const char* width : {"16", "32"})
    for (const std::int64_t epochs : {1, 4, 16})
      file.study.cells.push_back(
          {std::string("n_embd=") + width + ",epochs=" + std::to_string(epochs),
           {{"n_embd", width}},
           epochs});
  return file;
}

Report report_of(const StudyFile& file, double higher = 0) {
  Report r;
  r.own_exams = true;
  r.seeds = 3;
  for (const Level& level : file.study.cells) {
    CellReport& cell = r.cells.emplace_back();
    cell.name = level.name;
    cell.set = level.set;
    cell.epochs = level.epochs;
    for (const std::string name : {"none", "dropout"}) {
      ArmReport& arm = cell.arms.emplace_back();
      arm.name = name;
      for (const std::uint64_t seed : {1, 2, 3}) {
        RunRecord run;
        run.seed = seed;
        const double wide = level.set[0].second == "32" ? 0.3 : 0,
                     diff = 0.1 * (4 - std::log2(level.epochs)) - 0.2 + wide + higher +
                            1e-4 * std::sin(static_cast<double>(seed + level.epochs));
        run.values = {{"test_loss", 2 + std::log2(level.epochs) + (name == "none" ? 0 : diff)}};
        arm.runs.push_back(std::make_shared<RunRecord>(run));
      }
    }
  }
  return r;
}

Figure figure(const FigureSpec& spec, double higher = 0) {
  const StudyFile file = file_of(spec);
  check_figures(file);
  return make_figures(file, report_of(file, higher)).front();
}

TEST(CellFigures, ASlopeGoesAlongTheCellsThatAreNamed) {
  const FigureSpec fixed{
      .of = "slope", .cells = {"epochs=4"}, .on = {"n_embd"}, .coefficient = "n_embd"};
  EXPECT_NEAR(figure(fixed).value.value(), 0.3, 1e-3);
  FigureSpec path = fixed;
  path.cells = {"n_embd=16,epochs=16", "n_embd=32,epochs=4"};
  EXPECT_NEAR(figure(path).value.value(), 0.3 + 0.2, 1e-3) << "and the epochs with it";
  FigureSpec all = fixed;
  all.cells = {};
  EXPECT_NEAR(figure(all).value.value(), 0.3, 1e-3);
  EXPECT_EQ(figure(all).unit, "nats/token per doubling");
}

TEST(CellFigures, ACrossoverIsWhereTheMeanComesBelowTheFirstArms) {
  const FigureSpec narrow{.of = "crossover", .cells = {"n_embd=16"}, .on = {"epochs"}};
  const Figure f = figure(narrow);
  EXPECT_NEAR(f.value.value(), 4, 0.05);
  EXPECT_EQ(f.unit, "epochs");
  EXPECT_LT(f.ci->lo, 4);
  EXPECT_GT(f.ci->hi, 4);
  EXPECT_LT(f.ci->hi - f.ci->lo, 0.2);
  FigureSpec wide = narrow;
  wide.cells = {"n_embd=32"};
  const Figure never = figure(wide);
  EXPECT_FALSE(never.value);
  EXPECT_EQ(never.missing, "never below");
  EXPECT_GE(never.ci->lo, 16);
  EXPECT_TRUE(std::isinf(never.ci->hi));
  const Figure always = figure(narrow, -0.5);
  EXPECT_EQ(always.missing, "below from the first cell on");
  EXPECT_EQ(always.ci->lo, 0);
  EXPECT_LE(always.ci->hi, 1);
}

TEST(CellFigures, ADifferenceMayBeToAnotherCell) {
  const FigureSpec spec{.of = "difference",
                        .arm = "dropout",
                        .cell = "n_embd=16,epochs=4",
                        .against = "none",
                        .against_cell = "n_embd=16,epochs=1"};
  EXPECT_NEAR(figure(spec).value.value(), 2, 1e-3) << "log2 of the epochs, and 0 of dropout";
  FigureSpec itself = spec;
  itself.arm = "none";
  EXPECT_NEAR(figure(itself).value.value(), 2, 1e-9);
}

TEST(CellFigures, WhatCannotBeTakenIsRefused) {
  const auto refused = [](const FigureSpec& spec) { check_figures(file_of(spec)); };
  const FigureSpec line{.of = "crossover", .on = {"epochs"}};
  EXPECT_ERROR(refused(line), "epochs does not ascend from cell to cell");
  FigureSpec two = line;
  two.on = {"epochs", "n_embd"};
  EXPECT_ERROR(refused(two), "on = one setting");
  FigureSpec with = line;
  with.cells = {"n_embd=16"};
  with.coefficient = "epochs";
  EXPECT_ERROR(refused(with), "coefficient 'epochs' is of a slope; leave it out");
  FigureSpec none = line;
  none.cells = {"n_embd=64"};
  EXPECT_ERROR(refused(none), "no cell is 'n_embd=64'; there are: n_embd=16,epochs=1; ");
  EXPECT_ERROR(refused({.of = "difference", .cell = "n_embd=16,epochs=4", .cells = {"epochs=4"}}),
               "cells is not of a difference; give cell = ");
  EXPECT_ERROR(refused({.of = "value",
                        .arm = "none",
                        .cell = "n_embd=16,epochs=4",
                        .against_cell = "n_embd=16,epochs=1"}),
               "against_cell is not of a value");
  const FigureSpec flat{
      .of = "slope", .cells = {"epochs=4"}, .on = {"epochs"}, .coefficient = "epochs"};
  EXPECT_ERROR(refused(flat), "do not tell the slopes apart");
}

}  // namespace
}  // namespace lab
