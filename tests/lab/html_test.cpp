// The page of a comparison, from a report made by hand to what stands in the file.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lab/report/html/page.h"
#include "lab/report/pages.h"
#include "lab/report/render.h"
#include "tests/page_data.h"

namespace lab {
namespace {

using tests::page_data;
using tests::picture_of;

/// An arm with a loss for every seed from 1; each evaluation halves the way to it.
ArmReport made_arm(const std::string& name, const std::vector<double>& losses,
                   std::size_t evaluations = 2) {
  ArmReport arm;
  arm.name = name;
  arm.budget = "20steps";
  for (const Metric& m : metrics()) arm.metrics[std::string(m.name)];
  for (std::size_t s = 0; s < losses.size(); ++s) {
    RunRecord run;
    run.id = "id" + name + std::to_string(s + 1);
    run.seed = s + 1;
    run.values = {{"val_loss", losses[s]}, {"flops", 3e12}};
    arm.runs.push_back(std::make_shared<RunRecord>(run));
    RunCurve curve{run.seed, {}};
    for (std::size_t i = 1; i <= evaluations; ++i) {
      const double flops = 3e12 * static_cast<double>(i) / static_cast<double>(evaluations);
      const double to_go = static_cast<double>(evaluations - i);
      curve.points.push_back({static_cast<double>(i), flops / 2, 9.0, {}});  // between two
      curve.points.push_back(
          {static_cast<double>(i), flops, losses[s] - 0.5 + to_go, losses[s] + to_go});
    }
    arm.curves.push_back(curve);
  }
  arm.metrics["val_loss"] = {mean(losses), sd(losses)};
  arm.metrics["flops"] = {3e12, 0.0};
  return arm;
}

Verdict made_verdict(Outcome outcome, double diff, double lo, double hi, double p_holm) {
  Verdict v;
  v.verdict = outcome;
  v.diff = diff;
  v.ci = Interval{lo, hi};
  v.p_holm = p_holm;
  return v;
}

/// Two cells; in the first b helps, in the second it hurts.
Report made_report() {
  Report r;
  r.budget = "20steps";
  r.data.sentence = "Corpus made up";
  r.seeds = 3;
  r.judged = "val_loss";
  r.own_margin = true;
  r.store = "out/runs";
  r.cells.resize(2);
  r.cells[0].title = "seen once", r.cells[0].epochs = 1;
  r.cells[1].title = "seen 8 times", r.cells[1].epochs = 8;
  for (CellReport& cell : r.cells)
    cell.margin = 0.01,
    cell.arms = {made_arm("none", {2.0, 2.5, 3.0}), made_arm("b", {1.5, 2.25, 2.75})};
  r.cells[0].arms[1].versus = made_verdict(Outcome::kHelps, -1.0 / 3, -0.5, -0.125, 0.0125);
  r.cells[1].arms[1] = made_arm("b", {2.25, 2.75, 3.75});
  r.cells[1].arms[1].versus = made_verdict(Outcome::kHurts, 5.0 / 12, 0.25, 0.625, 0.03);
  return r;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST(Html, NamesCannotBreakOut) {
  const std::string evil = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>&lt;";
  Report r = made_report();
  const std::size_t scripts = count(render_html(r), "<script");
  EXPECT_EQ(scripts, 5U + count(render_html(r), "\"<script"));
  for (CellReport& cell : r.cells) cell.arms[1].name = evil;
  r.cells[0].title = evil;
  r.store = evil;
  r.data.sentence = evil + "@DATA@ @CSS@";
  const std::string html = render_html(r);
  EXPECT_EQ(count(html, "<script"), scripts);
  EXPECT_EQ(count(html, "</script"), count(render_html(made_report()), "</script"));
  EXPECT_EQ(html.find("<img"), std::string::npos);
  for (const char c : {'<', '>', '&'})
    EXPECT_EQ(tests::page_block(html).find(c), std::string::npos) << c;
  const auto data = page_data(html);
  EXPECT_EQ(data["sections"][0]["table"][2][0], evil) << "and it is shown as it is";
  EXPECT_EQ(data["sections"][0]["title"], evil);
  EXPECT_EQ(data["facts"][1], evil + "@DATA@ @CSS@");
  EXPECT_EQ(data["footnotes"].back(), "Runs: " + evil);
}

TEST(Html, ANameThatIsNoUtf8DoesNotStopTheReport) {
  Report r = made_report();
  r.store = "caf\xe9";
  EXPECT_EQ(page_data(render_html(r))["footnotes"].back(), "Runs: caf\xef\xbf\xbd");
}

TEST(Html, TheFileNeedsNothingElse) {
  const std::string html = render_html(made_report());
  EXPECT_NE(html.find("Chart.js v3"), std::string::npos) << "the library is in it";
  EXPECT_NE(html.find("default-src 'none'"), std::string::npos) << "and nothing can be fetched";
  for (const char* reference : {"src=\"", "<link", "@import", "url("})
    EXPECT_EQ(html.find(reference), std::string::npos) << reference;
}

TEST(Html, TheTablesAreThoseOfTheText) {
  const Report r = made_report();
  const auto data = page_data(render_html(r));
  ASSERT_EQ(data["sections"].size(), 3U) << "two cells, and what they have in common";
  for (std::size_t c = 0; c < 2; ++c) {
    EXPECT_EQ(data["sections"][c]["title"], r.cells[c].title);
    const nlohmann::json& mine = data["sections"][c]["table"];
    const base::Lines text = cell_table(r, r.cells[c]);
    ASSERT_EQ(mine.size(), text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
      EXPECT_EQ(mine[i].size(), text[i].size());
      if (i == 0) continue;  // in another order, under other headings
      EXPECT_TRUE(std::is_permutation(text[i].begin(), text[i].end(), mine[i].begin()));
    }
    const auto notes = cell_notes(r, r.cells[c]);
    ASSERT_EQ(data["sections"][c]["notes"].size(), notes.size());
    for (std::size_t i = 0; i < notes.size(); ++i)
      EXPECT_EQ(data["sections"][c]["notes"][i], notes[i].text);
  }
  const auto& row = data["sections"][0]["table"][2];
  EXPECT_EQ(row[0], "b");
  EXPECT_EQ(row[1], "2.1667 ± 0.6292");
  EXPECT_EQ(row[2], "-0.3333");
  EXPECT_EQ(row[3], "[-0.5000, -0.1250]");
  EXPECT_EQ(row[4], "helps");
  EXPECT_EQ(data["sections"][0]["key"], 5) << "which are in sight on a phone, too";
  const nlohmann::json& heads = data["sections"][0]["table"][0];
  EXPECT_EQ(heads[1], "validation loss");
  EXPECT_EQ(heads[4], "verdict");
  EXPECT_EQ(heads[5], "lowest validation loss");
  EXPECT_EQ(data["facts"], nlohmann::json(report_header(r)));
  EXPECT_EQ(data["footnotes"],
            nlohmann::json(report_footnotes(r, heads.get<std::vector<std::string>>())));
  EXPECT_EQ(data["csv"], render(r, "csv", false));
  EXPECT_EQ(data["missing"], nlohmann::json::array());
}

TEST(Html, WhatIsNotToldIsInconclusive) {
  Report r = made_report();
  for (CellReport& cell : r.cells)
    cell.arms[1].versus = made_verdict(Outcome::kCannotTell, 0.1, -0.2, 0.4, 0.5);
  const auto data = page_data(render_html(r));
  EXPECT_EQ(data["sections"][0]["table"][2][4], "inconclusive");
  EXPECT_EQ(data["answer"],
            "Compared with none at equal compute: inconclusive for b in each of the 2 tables.");
}

TEST(Html, TheTuningShowsWhatWasTriedInOrderAndTheChoice) {
  Report r = made_report();
  EXPECT_TRUE(picture_of(page_data(render_html(r)), 0, "tuning").is_null());
  Tuned tuned;
  tuned.trials = {{{{"dropout", "0.2"}}, 2, 0, 1.5},
                  {{{"dropout", "0.4"}}, 2, 0, 1.75},
                  {{{"dropout", "0.1"}}, 2, 1, {}},
                  {{{"dropout", "0.05"}}, 2, 0, 1.25}};
  tuned.chosen = 3;
  r.cells[0].arms[1].tuned = tuned;
  const auto picture = picture_of(page_data(render_html(r)), 0, "tuning");
  std::vector<std::string> ticks;
  for (const auto& tick : picture["at"]["ticks"]) ticks.push_back(tick[1]);
  EXPECT_EQ(ticks, (std::vector<std::string>{"dropout=0.05", "dropout=0.1", "dropout=0.2",
                                             "dropout=0.4"}));
  EXPECT_TRUE(picture["horizontal"].get<bool>()) << "so that names of settings have room";
  ASSERT_EQ(picture["series"].size(), 2U);
  EXPECT_EQ(picture["series"][0]["name"], "b, tried");
  EXPECT_EQ(picture["series"][0]["marks"].size(), 2U) << "the one that was lost has no loss";
  EXPECT_EQ(picture["series"][0]["marks"][1][1], 1.75);
  EXPECT_EQ(picture["series"][1]["name"], "b, chosen");
  EXPECT_EQ(picture["series"][1]["marks"][0][1], 1.25);
  EXPECT_EQ(picture["series"][1]["marks"][0][0], 0);
}

TEST(Html, OneSentenceAnswers) {
  Report r = made_report();
  EXPECT_EQ(answer(r),
            "Compared with none at equal compute: seen once: b helps by 0.3333 nats; seen 8 times: "
            "b hurts by 0.4167 nats.");
  r.cells.pop_back();
  EXPECT_EQ(answer(r), "Compared with none at equal compute: b helps by 0.3333 nats.");
  auto& arms = r.cells[0].arms;
  const auto add = [&](const char* name, Outcome outcome, double diff) {
    arms.push_back(made_arm(name, {2, 2, 2}));
    arms.back().versus = made_verdict(outcome, diff, diff - 1, diff + 1, 0.5);
  };
  add("c", Outcome::kHelps, -0.75);
  add("d", Outcome::kNoDifference, 0.001);
  add("e", Outcome::kCannotTell, 0.1);
  add("f", Outcome::kWithheld, 0.1);
  EXPECT_EQ(
      answer(r),
      "Compared with none at equal compute: c and b help by 0.3333 to 0.7500 nats, d makes no "
      "difference, inconclusive for e, no verdict for f, because runs were lost.");
  add("g", Outcome::kHelps, -0.5);
  add("h", Outcome::kHelps, -2);
  EXPECT_NE(answer(r).find("4 arms (h most) help by 0.3333 to 2.0000 nats"), std::string::npos)
      << answer(r);
}

TEST(Html, WhatIsMissingIsNamed) {
  Report r = made_report();
  r.final = false;
  for (CellReport& cell : r.cells) cell.arms[1].versus.reset();
  r.cells[1].arms[1].runs.erase(r.cells[1].arms[1].runs.begin() + 1);
  r.cells[1].arms[1].missing = {2, 4};
  const auto data = page_data(render_html(r));
  ASSERT_EQ(data["missing"].size(), 2U) << data["missing"];
  EXPECT_EQ(data["missing"][0],
            "Not final: 2 of 13 runs are missing, so there are no verdicts yet. This page reloads "
            "itself until they are done.");
  EXPECT_EQ(data["missing"][1], "b: seeds 2, 4 (seen 8 times)");
  EXPECT_EQ(data["answer"], "No answer yet: 11 of 13 runs are done.");
  const auto forest = picture_of(data, 1, "forest");
  EXPECT_NEAR(forest["series"][0]["marks"][0][1].get<double>(), 0.5, 1e-12) << "of seeds 1 and 3";
  EXPECT_TRUE(forest["series"][0]["marks"][0][2].is_null()) << "and no interval";
  EXPECT_EQ(forest["caption"].get<std::string>().find("intervals"), std::string::npos);
}

TEST(Html, TheForestHasIntervalsMarginAndSeeds) {
  const auto data = page_data(render_html(made_report()));
  const auto forest = picture_of(data, 0, "forest");
  EXPECT_EQ(forest["shades"],
            (nlohmann::json::array({{{"from", -0.01}, {"to", 0.01}, {"at", nullptr}}})));
  EXPECT_EQ(forest["rule"], 0);
  EXPECT_TRUE(forest["horizontal"].get<bool>());
  EXPECT_EQ(forest["at"]["ticks"], (nlohmann::json::array({{0.0, "b"}})));
  ASSERT_EQ(forest["series"].size(), 2U);
  const auto& mark = forest["series"][0]["marks"][0];
  EXPECT_NEAR(mark[1].get<double>(), -1.0 / 3, 1e-12);
  EXPECT_EQ(mark[2], -0.5);
  EXPECT_EQ(mark[3], -0.125);
  EXPECT_EQ(mark[4][0], "helps, p (Holm) 0.013");
  EXPECT_EQ(mark[4][1], "seed 1: -0.5000 · seed 2: -0.2500 · seed 3: -0.2500");
  const auto& seeds = forest["series"][1]["marks"];
  ASSERT_EQ(seeds.size(), 3U);
  EXPECT_EQ(seeds[0][1], -0.5);
  EXPECT_EQ(seeds[2][4][0], "b, seed 3");
}

TEST(Html, OfManySeedsThePicturesShowTheFirst) {
  Report r = made_report();
  const std::vector<double> losses(501, 2.0);
  for (ArmReport& arm : r.cells[0].arms) arm.runs = made_arm(arm.name, losses, 0).runs;
  const auto data = page_data(render_html(r));
  const auto forest = picture_of(data, 0, "forest"), slopes = picture_of(data, 0, "slopes");
  EXPECT_EQ(forest["series"].back()["marks"].size(), 500U);
  EXPECT_EQ(slopes["series"][0]["marks"].size(), 3 * 500U);
  for (const auto& picture : {forest, slopes})
    EXPECT_NE(picture["caption"].get<std::string>().find(
                  "Of more than 500 seeds the first 500 are drawn."),
              std::string::npos);
  const auto csv = data["csv"].get<std::string>();
  EXPECT_NE(csv.find("idb501"), std::string::npos) << "the CSV has them all";
}

TEST(Html, ASlopeForEverySeedThatBothHave) {
  Report r = made_report();
  auto& runs = r.cells[0].arms[0].runs;
  RunRecord diverged = *runs[1];
  diverged.status = Status::kDiverged;
  runs[1] = std::make_shared<RunRecord>(diverged);
  const auto slopes = picture_of(page_data(render_html(r)), 0, "slopes");
  const auto& marks = slopes["series"][0]["marks"];
  ASSERT_EQ(marks.size(), 2 * 3U) << "two ends and a gap, seeds 1 and 3";
  EXPECT_EQ(marks[0][1], 2.0);
  EXPECT_EQ(marks[1][1], 1.5);
  EXPECT_TRUE(marks[2][1].is_null());
  EXPECT_EQ(slopes["at"]["ticks"], (nlohmann::json::array({{0.5, "none → b"}})));
  EXPECT_EQ(marks[3][1], 3.0);
  EXPECT_EQ(marks[4][4][0], "seed 3: 3.0000 → 2.7500 (-0.2500)");
  EXPECT_LT(marks[0][0], marks[1][0]);
}

TEST(Html, CurvesAreMeansWithABandOverSeeds) {
  Report r = made_report();
  r.cells[0].arms[1].curves[0].points.pop_back();  // a seed of which the last evaluation is missing
  const auto curves = picture_of(page_data(render_html(r)), 0, "curves");
  EXPECT_EQ(curves["at"]["label"], "compute spent (TFLOP)");
  EXPECT_TRUE(curves["value"]["trim"].get<bool>()) << "the first losses do not flatten the rest";
  EXPECT_FALSE(curves["at"]["trim"].get<bool>());
  ASSERT_EQ(curves["series"].size(), 4U);
  EXPECT_EQ(curves["series"][1]["name"], "none, training");
  EXPECT_TRUE(curves["series"][1]["dashed"].get<bool>());
  const auto& val = curves["series"][0]["marks"];
  ASSERT_EQ(val.size(), 2U) << "reports between evaluations are none";
  EXPECT_EQ(val[0][0], 1.5);
  EXPECT_EQ(val[1][0], 3.0);
  EXPECT_EQ(val[0][1], 3.5);
  EXPECT_EQ(val[1][1], 2.5);
  EXPECT_EQ(val[1][2], 2.0);
  EXPECT_EQ(val[1][3], 3.0);
  EXPECT_EQ(val[1][4][0], "seed 1: 2.0000 · seed 2: 2.5000 · seed 3: 3.0000");
  EXPECT_EQ(curves["series"][1]["marks"][1][1], 2.0);
  EXPECT_EQ(curves["series"][2]["marks"][1][1], 2.5) << "of the two seeds that have it";
}

TEST(Html, ComputeHasTheCurveAndWhatEachArmIsWorth) {
  Report r = made_report();
  EXPECT_TRUE(picture_of(page_data(render_html(r)), 0, "compute").is_null()) << "one budget alone";
  r.cells[0].shares = {{0.25, {{1, 3.0}, {2, 4.0}}}, {1, {{1, 2.0}, {2, 2.5}}}};
  r.cells[0].arms[1].equivalent = ComputeEquivalent{0.5};
  const auto compute = picture_of(page_data(render_html(r)), 0, "compute");
  EXPECT_EQ(compute["at"]["ticks"], (nlohmann::json::array({{-2.0, "1/4 ×"}, {0.0, "1 ×"}})));
  const auto& first = compute["series"][0]["marks"];
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0][0], -2.0);
  EXPECT_EQ(first[0][1], 3.5);
  EXPECT_EQ(first[0][2], 3.0);
  EXPECT_EQ(first[0][3], 4.0);
  const auto& arm = compute["series"][1]["marks"];
  ASSERT_EQ(arm.size(), 2U);
  EXPECT_EQ(arm[0][0], 0);
  EXPECT_NEAR(arm[0][1].get<double>(), 13.0 / 6, 1e-12);
  EXPECT_EQ(arm[1][0], -1.0);
  EXPECT_EQ(arm[1][4][0], "as good as none with 0.50 × the budget");
}

TEST(Html, EveryCellHasTheMarginThatItIsJudgedBy) {
  Report r = made_report();
  r.cells[1].margin = 0.5;  // so that its interval [0.25, 0.625] is not within the first's
  const auto shades = picture_of(page_data(render_html(r)), 2, "cells")["shades"];
  ASSERT_EQ(shades.size(), 2U);
  for (const std::size_t i : {0, 1}) {
    EXPECT_EQ(shades[i]["from"], -r.cells[i].margin);
    EXPECT_EQ(shades[i]["to"], r.cells[i].margin);
    const double place = i == 0 ? 0 : 3;  // log2 of the epochs
    EXPECT_LT(shades[i]["at"][0], place);
    EXPECT_GT(shades[i]["at"][1], place);
  }
  EXPECT_LT(shades[0]["at"][1], shades[1]["at"][0]) << "they do not overlap";
}

TEST(Html, CellsStandByTheirEpochsOrSideBySide) {
  Report r = made_report();
  const auto all = picture_of(page_data(render_html(r)), 2, "cells");
  EXPECT_EQ(all["at"]["ticks"], (nlohmann::json::array({{0.0, "1 ×"}, {3.0, "8 ×"}})));
  const auto& marks = all["series"][0]["marks"];
  ASSERT_EQ(marks.size(), 2U);
  EXPECT_EQ(marks[1][2], 0.25);
  EXPECT_EQ(marks[1][3], 0.625);
  EXPECT_EQ(marks[1][4][0], "seen 8 times");
  r.cells[1].epochs = 0;
  EXPECT_EQ(picture_of(page_data(render_html(r)), 2, "cells")["at"]["ticks"],
            (nlohmann::json::array({{0.0, "seen once"}, {1.0, "seen 8 times"}})));
  r.cells[1].epochs = 2;
  r.cells.push_back(r.cells[1]);
  r.cells[2].epochs = 4096;
  EXPECT_EQ(picture_of(page_data(render_html(r)), 3, "cells")["at"]["ticks"][2][0], 2)
      << "beside each other where the first names would collide";
  r.cells.pop_back();
  r.cells.pop_back();
  EXPECT_EQ(page_data(render_html(r))["sections"].size(), 1U);
}

TEST(Html, ADefaultComparisonIsSmall) {
  constexpr std::size_t kMost = 1'000'000, kEvaluations = 20;
  Report r = made_report();
  for (CellReport& cell : r.cells) {
    cell.arms.clear();
    for (const char* name : {"none", "dropout=0.1", "dropout=0.2"})
      cell.arms.push_back(made_arm(name, {2, 2.1, 2.2, 2.3, 2.4, 2.5, 2.6}, kEvaluations));
  }
  const std::string html = render_html(r);
  EXPECT_LT(tests::page_block(html).size(), 150'000U);
  EXPECT_LT(html.size(), kMost);
}

}  // namespace
}  // namespace lab
