// Claims as a page: figures with the rule's bounds, a grid of two settings, all in one file.
#include <gtest/gtest.h>

#include "lab/report/pages.h"
#include "tests/page_data.h"

namespace lab {
namespace {

ArmReport arm(const std::string& name, double loss) {
  ArmReport a;
  a.name = name;
  for (const std::uint64_t seed : {1, 2, 3}) {
    RunRecord r;
    r.seed = seed;
    r.values = {
        {"test_loss", loss + 0.01 * static_cast<double>(seed)}, {"flops", 1e9}, {"seconds", 30}};
    r.machine = {"CPU", 2};
    a.runs.push_back(std::make_shared<RunRecord>(r));
  }
  return a;
}

StudyResult made() {
  StudyResult r;
  r.file.path = "studies/04-cost.toml";
  r.file.hash = std::string(32, 'a');
  r.file.claim = 4;
  r.file.title = "It costs";
  r.file.question = "How much?";
  r.file.supported = {{"cost", true, 1}};
  r.file.contradicted = {{"cost", false, 1.05}, {"gap", false, 0}};
  r.figures = {{"cost", "×", 1.7, Interval{1.6, INFINITY}, ""},
               {"gap", "nats/token", 0.2, Interval{0.1, 0.3}, ""},
               {"lost", "×", {}, {}, "runs were lost"}};
  r.verdict = StudyVerdict::kSupported;
  for (const char* width : {"16", "32"})
    for (const std::int64_t epochs : {1, 4}) {
      CellReport cell;
      cell.name = std::string("n_embd=") + width + ",epochs=" + std::to_string(epochs);
      cell.title = cell.name;
      cell.set = {{"n_embd", width}, {"unique_tokens", "100"}};
      cell.epochs = epochs;
      cell.arms = {arm("none", 2), arm("dropout", 2 - 0.1 * static_cast<double>(epochs))};
      r.report.cells.push_back(cell);
    }
  return r;
}

TEST(Claims, FiguresStandByTheirUnitsWithTheRulesBounds) {
  const std::vector<Picture> pictures = figure_pictures(made());
  ASSERT_EQ(pictures.size(), 2U);
  const Picture& times = pictures[0];
  EXPECT_EQ(times.value.label, "×");
  ASSERT_EQ(times.at.ticks.size(), 1U) << "a figure without a value is in the table alone";
  ASSERT_EQ(times.series.size(), 2U);
  EXPECT_EQ(times.series[0].marks[0].value, 1.7);
  EXPECT_FALSE(times.series[0].marks[0].hi) << "an end that there is not";
  EXPECT_EQ(times.series[0].marks[0].note,
            (std::vector<std::string>{"supports above 1", "contradicts below 1.05"}));
  EXPECT_EQ(times.series[1].marks.size(), 2U);
  EXPECT_EQ(pictures[1].series[0].marks[0].lo, 0.1);
}

TEST(Claims, AGridHasALineForEachValueOfTheFirstSetting) {
  StudyResult r = made();
  const auto p = grid_picture(r.report);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->at.label, "epochs");
  ASSERT_EQ(p->series.size(), 2U);
  EXPECT_EQ(p->series[0].name, "n_embd=16");
  EXPECT_NEAR(*p->series[1].marks[1].value, -0.4, 1e-9);
  r.report.cells.pop_back();
  EXPECT_FALSE(grid_picture(r.report)) << "a hole";
  r.report.cells.push_back(r.report.cells.front());
  EXPECT_FALSE(grid_picture(r.report)) << "a place taken twice";
}

TEST(Claims, BowlsOverTheRatesAndTheSpreadOfSeeds) {
  StudyResult r = made();
  EXPECT_FALSE(bowls_picture(r.report)) << "no rates";
  EXPECT_FALSE(spread_picture(r)) << "not asked for";
  r.report.cells.clear();
  for (const char* rate : {"0.1", "0.2", "0.4"}) {
    CellReport cell;
    cell.name = std::string("lr=") + rate;
    cell.set = {{"lr", rate}};
    cell.arms = {arm("none", 2), arm("dropout", 1)};
    for (ArmReport& a : cell.arms) a.metrics["test_loss"] = {a.name == "none" ? 2.02 : 1.02, 0.01};
    r.report.cells.push_back(cell);
  }
  const auto bowls = bowls_picture(r.report);
  ASSERT_TRUE(bowls);
  EXPECT_TRUE(bowls->at.log);
  ASSERT_EQ(bowls->series.size(), 2U);
  EXPECT_EQ(bowls->series[1].marks[2].at, 0.4);
  EXPECT_EQ(bowls->series[1].marks[2].value, 1.02);
  r.file.figures.push_back({.name = "s", .of = "spread_ratio"});
  const auto spread = spread_picture(r);
  ASSERT_TRUE(spread);
  EXPECT_EQ(spread->at.ticks.size(), 6U);
  EXPECT_NEAR(spread->series[0].marks[0].lo.value(), 2.01, 1e-12);
  EXPECT_EQ(spread->series[1].marks.size(), 18U);
}

TEST(Claims, OnePageOfAll) {
  const std::string html = claims_html({{made(), {"Said [by hand](x.md)."}}, {made(), {}}});
  const nlohmann::json page = tests::page_data(html);
  EXPECT_NE(page["answer"].get<std::string>().find("2 supported"), std::string::npos);
  ASSERT_EQ(page["sections"].size(), 2U);
  EXPECT_EQ(page["sections"][0]["title"], "4. It costs: supported");
  EXPECT_EQ(page["sections"][0]["notes"][1], "Said by hand.") << "links are of the .md";
  const auto& notes = page["sections"][1]["notes"];
  EXPECT_EQ(notes[0], "How much?");
  EXPECT_NE(notes[1].get<std::string>().find("24 runs: 2.4e+10 FLOP, 24 min"), std::string::npos)
      << notes[1];
  EXPECT_EQ(page["sections"][0]["table"][1][1], "1.7");
  EXPECT_NE(html.find("claim,title,verdict"), std::string::npos);
}

}  // namespace
}  // namespace lab
