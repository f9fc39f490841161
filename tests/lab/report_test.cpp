// Every figure that a report shows, from hand-made records to the number printed, in every format.
//
// The statistics are worked out by hand for 3 pairs, where Student's t has 2 degrees of freedom and
// a closed form: P(|T| <= t) = t/√(2 + t²), so that t(0.975) = 4.302653 and t(0.9875) = 6.205347.
#include "lab/report/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "base/files.h"
#include "lab/report/render.h"
#include "lab/study/arm.h"
#include "lab/study/study_runs.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"

namespace lab {
namespace {

using Fields = std::vector<std::string>;

/// A record's figures, each another function of its loss, so that none may stand for another.
Values figures(double val, double arm = 0) {
  return {{"val_loss", val},       {"best_val_loss", val - 0.25},
          {"train_loss", val - 1}, {"gap", 0.3 + arm},
          {"excess", val - 0.5},   {"excess_window", val - 0.75},
          {"epochs", 4},           {"flops", 3e12},
          {"steps", 20},           {"seconds", 1.5}};
}

/// As a script reads it.
Json written(const Report& r) { return Json::parse(render(r, "json", false)); }

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

class ReportTest : public testing::Test {
 protected:
  ReportTest() : store(folder.path() / "runs") {
    folder.write("text.txt", tests::small_text(4000));
    study.base.text = (folder.path() / "text.txt").string();
    study.base.n_layer = 1, study.base.n_head = 2, study.base.n_embd = 16;
    study.base.block_size = 8, study.base.batch = 4;
    study.base.budget = "20steps";
    study.base.test_fraction = 0;  // the losses below are what is judged on
    study.seeds = 3;
    study.min_seeds = 2;
    study.margin = 0.01;
    arms({"none", "dropout=0.1", "dropout=0.2", "dropout=0.3", "dropout=0.4"});
  }

  void arms(const std::vector<std::string>& texts) {
    study.arms.clear();
    for (const Arm& arm : parse_arms(texts, study.base))
      study.arms.push_back({arm.name, arm.overrides});
  }

  /// Puts a record of each value, seed by seed from 1, into the store.
  void put(std::size_t cell, std::size_t arm, std::size_t share, const std::vector<double>& losses,
           const std::function<void(RunRecord&)>& change = {}) const {
    const StudyRuns runs(study, store, true);
    for (std::size_t s = 0; s < losses.size(); ++s) {
      const std::string id = runs.id({cell, arm, share, s + 1});
      store.add_spec(runs.spec(id));
      RunRecord r;
      r.id = id;
      r.seed = s + 1;
      r.build = this_build();
      r.machine = {"CPU A", 2};
      r.values = figures(losses[s], 0.01 * static_cast<double>(arm));
      if (change) change(r);
      store.save(r);
    }
  }

  /// helps, inconclusive, no difference, hurts: differences to the baseline of
  /// -0.10 -0.08 -0.12; 0.02 0 0.04; 0.003 0.001 0.002; 0.30 0.31 0.29
  void put_all(std::size_t cell = 0) const {
    put(cell, 0, 0, {2.0, 2.1, 2.2});
    put(cell, 1, 0, {1.9, 2.02, 2.08});
    put(cell, 2, 0, {2.02, 2.10, 2.24});
    put(cell, 3, 0, {2.003, 2.101, 2.202});
    put(cell, 4, 0, {2.30, 2.41, 2.49});
  }

  Report report(int looks = 1, const Speeds& speeds = {}) const {
    return make_report(StudyRuns(study, store, true), speeds, looks, "out/cmp");
  }

  const tests::TempFolder folder;
  const Store store;
  Study study;
};

Fields split(std::string text, const std::string& by) {
  Fields out;
  for (std::size_t at; (at = text.find(by)) != std::string::npos; text.erase(0, at + by.size()))
    out.push_back(text.substr(0, at));
  out.push_back(text);
  return out;
}

/// The rows of the tables of a rendered report, heading and all, the same for text and Markdown.
std::vector<Fields> rows(const Report& r, const std::string& format) {
  std::vector<Fields> out;
  bool inside = false;
  for (const std::string& line : split(render(r, format, false, 0, true), "\n")) {
    if (format == "md") {
      if (!line.starts_with("| ") || line.starts_with("| :--")) continue;
      Fields fields = split(line.substr(2, line.size() - 4), " | ");
      out.push_back(fields);
      continue;
    }
    inside = line.starts_with("arm ") || (inside && !line.empty() && !line.starts_with("  "));
    if (!inside) continue;
    Fields fields;
    for (std::string field : split(line, "  ")) {
      field.erase(0, field.find_first_not_of(' '));
      const bool drawn = has(field, "●") || has(field, "┊") || has(field, "┤");
      if (!field.empty() && !drawn) fields.push_back(field);  // the bar, tested by itself
    }
    out.push_back(fields);
  }
  return out;
}

void expect_rows(const Report& r, const std::vector<Fields>& expected) {
  EXPECT_EQ(rows(r, "text"), expected) << render(r, "text", false, 0, true);
  EXPECT_EQ(rows(r, "md"), expected) << render(r, "md", false);
}

/// The last field of an arm's row.
std::string verdict(const Report& r, std::size_t arm) { return rows(r, "md")[arm + 1].back(); }

TEST_F(ReportTest, EveryFigureOfTheTable) {
  put_all();
  const Speeds speeds = {
      {{1000, 1, 1, 1}, {800, 1.25, 1.2, 1.3}, {2000, 0.5, 0.4, 0.6}, {1, 3, 2, 4}, {1, 4, 3, 5}}};
  const Report r = report(1, speeds);
  ASSERT_TRUE(r.cells[0].arms[2].versus->more_seeds);
  const std::string more = to_string(*r.cells[0].arms[2].versus->more_seeds);
  // p by hand: 0.01307, 0.22540, 0.07418, 0.00037; Holm's factors 3, 1, 2, 4. t(1 - 0.05/8; 2) is
  // 8.8602.
  expect_rows(
      r, {{"arm", "val loss", "best*", "train", "gap", "excess (window)", "difference",
           "98.75 % interval", "p (Holm)", "step time", "verdict"},
          {"none", "2.1000 ± 0.1000", "1.8500", "1.1000", "0.3000", "1.6000 (1.3500)", "–", "–",
           "–", "×1", "baseline"},
          {"dropout=0.1", "2.0000 ± 0.0917", "1.7500", "1.0000", "0.3100", "1.5000 (1.2500)",
           "-0.1000", "[-0.2023, +0.0023]", "0.0392", "×1.250 [1.200, 1.300]", "helps"},
          {"dropout=0.2", "2.1200 ± 0.1114", "1.8700", "1.1200", "0.3200", "1.6200 (1.3700)",
           "+0.0200", "[-0.0823, +0.1223]", "0.2254", "×0.500 [0.400, 0.600]", "inconclusive"},
          {"dropout=0.3", "2.1020 ± 0.0995", "1.8520", "1.1020", "0.3300", "1.6020 (1.3520)",
           "+0.0020", "[-0.0031, +0.0071]", "0.1484", "×3.000 [2.000, 4.000]", "negligible"},
          {"dropout=0.4", "2.4000 ± 0.0954", "2.1500", "1.4000", "0.3400", "1.9000 (1.6500)",
           "+0.3000", "[+0.2488, +0.3512]", "0.0015", "×4.000 [3.000, 5.000]", "hurts"}});
  for (const char* format : {"text", "md"}) {
    const std::string text = render(r, format, false, 0, true);
    EXPECT_TRUE(has(text, "Same budget for each arm: 20 steps (3 TFLOP); 3 paired seeds")) << text;
    EXPECT_TRUE(has(text, "Made on CPU A, 2 threads")) << text;
    EXPECT_TRUE(has(text, "Made by " + to_string(this_build()))) << text;
    EXPECT_TRUE(has(text, "Holm's p < 0.05")) << text;
    EXPECT_TRUE(has(text, "within the margin, ±0.01 nats")) << text;
    EXPECT_TRUE(has(text, "NO TEST SPLIT: verdicts are on the validation split")) << text;
    EXPECT_TRUE(has(text, "takes " + more + " more seeds (power now")) << text;
    EXPECT_TRUE(has(text, "dropout=0.3: negligible: the whole interval lies within ±0.0100 nats"))
        << text;
    EXPECT_TRUE(has(text, "dropout=0.1: p 0.0131 by a t test, 0.2500 by sign flips")) << text;
    EXPECT_TRUE(has(text, "each at 98.75 % so that all 4 together hold at 95 % (Bonferroni)"))
        << text;
    EXPECT_TRUE(has(text, "Runs: " + store.root().string())) << text;
    EXPECT_TRUE(has(text, r.data.sentence)) << text;
    for (const char* not_there : {"MIXED", "NOT FINAL", "look 1", "A budget of time", "\033"})
      EXPECT_FALSE(has(text, not_there)) << not_there << text;
  }
  const std::string colored = render(r, "text", true, 0, true);
  EXPECT_TRUE(has(colored, "\033[1marm"));
  EXPECT_TRUE(has(colored, "\033[32mdropout=0.1"));
  EXPECT_TRUE(has(colored, "\033[31mdropout=0.4"));
}

// What a terminal shows at first: the answer, six columns that fit it, what may mislead, and what
// the columns are.
TEST_F(ReportTest, AFirstLookIsBrief) {
  put_all();
  Report r = report();
  r.cells[0].arms[4].diverged = 1;
  const std::string text = render(r, "text", false, 80);
  for (const std::string& line : split(text, "\n")) EXPECT_LE(base::text_width(line), 80U) << line;
  const Fields lines = split(text, "\n");
  EXPECT_TRUE(
      has(lines[0], "Compared with none at equal compute: dropout=0.1 helps by 0.1000 nats,"))
      << text;
  std::size_t head = 0;
  while (head < lines.size() && !lines[head].starts_with("arm ")) ++head;
  ASSERT_LT(head, lines.size()) << text;
  for (const char* column : {"val loss", "difference", "98.75 % interval", "verdict"})
    EXPECT_TRUE(has(lines[head], column)) << column << text;
  for (const char* column : {"best*", "step time", "train"})
    EXPECT_FALSE(has(lines[head], column)) << column << text;
  EXPECT_FALSE(has(text, "best*: ")) << "no column is explained that is not there";
  std::string notes = text.substr(text.rfind("\n\n") + 2);
  std::replace(notes.begin(), notes.end(), '\n', ' ');  // where a note is broken is not the point
  EXPECT_TRUE(has(notes, "difference: val loss minus that of none, seed by seed")) << notes;
  for (const char* word : {"helps, hurts: ", "no difference, negligible: within ±0.01"})
    EXPECT_TRUE(has(notes, word)) << word << notes;
  EXPECT_FALSE(has(notes, "worth: ")) << "no column is explained that is not there";
  EXPECT_TRUE(has(notes, "Note: dropout=0.4: lost runs: 1 diverged. "))
      << "the gravest first" << notes;
  for (const char* part : {"sign flips", "Made by", "Study "})
    EXPECT_FALSE(has(text, part)) << text;
  EXPECT_TRUE(has(render(r, "text", false, 80, true), "sign flips"));
  for (const std::string& line : split(render(r, "text", false, 60), "\n"))
    EXPECT_LE(base::text_width(line), 60U) << line;
}

// Every column has a line of explanation, under the name it has on the page, too.
TEST_F(ReportTest, EveryColumnIsExplained) {
  study.shares = share_levels({0.5});
  put_all();
  const Report r = report();
  Fields heads = cell_table(r, r.cells[0]).front();
  for (const bool page : {false, true}) {
    const Fields notes = column_notes(r, heads);
    for (const std::string& head : heads) {
      if (head == "arm" || head == "verdict") continue;
      EXPECT_EQ(
          std::count_if(notes.begin(), notes.end(),
                        [&](const std::string& note) { return note.starts_with(head + ": "); }),
          1)
          << head << page;
    }
    for (std::string& head : heads) head = spelled_out(head);
  }
}

TEST_F(ReportTest, EveryFigureOfTheJson) {
  put_all();
  const Report r = report(1, {{{1000, 1, 1, 1}, {800, 1.25, 1, 2}, {1, 2, 1, 1}, {}, {}}});
  const Json j = written(r);
  EXPECT_EQ(j["schema"], 3);
  EXPECT_EQ(j["final"], true);
  EXPECT_EQ(j["budget"], "20steps");
  EXPECT_EQ(j["corpus"], r.data.facts);
  EXPECT_EQ(j["builds"], Json::array({to_json(this_build())}));
  EXPECT_EQ(j["machines"], Json::array({{{"cpu", "CPU A"}, {"threads", 2}}}));
  EXPECT_EQ(j["model"], train::to_json(r.base));
  EXPECT_EQ(j["model"]["n_embd"], 16);
  EXPECT_EQ(j["rules"], (Json{{"metric", "val_loss"},
                              {"margin", 0.01},
                              {"margin_is", "as given, nats"},
                              {"min_seeds", 2},
                              {"alpha", 0.05},
                              {"looks", 1},
                              {"note", ""}}));
  EXPECT_EQ(j["seeds"], 3);
  EXPECT_EQ(j["folder"], "out/cmp");
  EXPECT_EQ(j["study"], fingerprint(StudyRuns(study, store, true).identity()));
  EXPECT_EQ(j["store"], store.root().string());
  const Json& cell = j["cells"][0];
  EXPECT_EQ(cell["name"], "");
  EXPECT_TRUE(cell["epochs"].is_null() && cell["unique_tokens"].is_null()) << cell;
  ASSERT_EQ(cell["arms"].size(), 5U);
  const Json &first = cell["arms"][0], &arm = cell["arms"][1];
  EXPECT_TRUE(first["vs_baseline"].is_null());
  EXPECT_EQ(first["step_time_ratio"], 1);
  EXPECT_EQ(arm["name"], "dropout=0.1");
  EXPECT_EQ(arm["overrides"], (Json{{"dropout", "0.1"}}));
  EXPECT_EQ(arm["budget"], "20steps");
  EXPECT_EQ(arm["tokens_per_second"], 800);
  EXPECT_EQ(arm["step_time_ratio"], 1.25);
  EXPECT_EQ(arm["step_time_quartiles"], (Json{1, 2}));
  EXPECT_TRUE(arm["compute_equivalent"].is_null());
  EXPECT_EQ(arm["missing_seeds"], Json::array());
  EXPECT_EQ(arm["diverged"], 0);
  EXPECT_EQ(arm["failed"], 0);
  const Values means = {{"val_loss", 2}, {"best_val_loss", 1.75}, {"train_loss", 1},
                        {"gap", 0.31},   {"excess", 1.5},         {"excess_window", 1.25},
                        {"epochs", 4},   {"flops", 3e12},         {"steps", 20},
                        {"seconds", 1.5}};
  for (const Metric& m : metrics()) {
    ASSERT_TRUE(arm.contains(m.name)) << m.name;
    const Json& spread = arm[std::string(m.name)];
    const auto mean = means.at(m);
    if (!mean) {
      EXPECT_TRUE(spread["mean"].is_null() && spread["sd"].is_null()) << m.name;
      continue;
    }
    EXPECT_NEAR(spread["mean"].get<double>(), *mean, 1e-9) << m.name;
    const bool varies = *mean < 2.5 && m.name != "gap" && m.name != "seconds";
    EXPECT_NEAR(spread["sd"].get<double>(), varies ? std::sqrt(0.0084) : 0, 1e-9) << m.name;
  }
  const Json& v = arm["vs_baseline"];
  const double p = 1 - std::sqrt(75.0 / 77.0), level = 1 - 0.05 / 4;
  const double half = level * std::sqrt(2 / (1 - level * level)) * 0.02 / std::sqrt(3.0);
  EXPECT_EQ(v["n"], 3);
  EXPECT_NEAR(v["diff"].get<double>(), -0.1, 1e-12);
  EXPECT_EQ(v["ci"]["level"], level);
  EXPECT_NEAR(v["ci"]["low"].get<double>(), -0.1 - half, 1e-8);
  EXPECT_NEAR(v["ci"]["high"].get<double>(), -0.1 + half, 1e-8);
  EXPECT_EQ(v["ci"]["method"], "paired t over seeds, Bonferroni");
  EXPECT_EQ(v["metric"], "val_loss");
  EXPECT_EQ(v["margin"], 0.01);
  EXPECT_EQ(v["p_signs"], 0.25);
  EXPECT_NEAR(v["sd"].get<double>(), 0.02, 1e-12);
  EXPECT_NEAR(v["se_seeds"].get<double>(), 0.02 / std::sqrt(3.0), 1e-12);
  EXPECT_TRUE(v["se_windows"].is_null());
  EXPECT_FALSE(v["negligible"].get<bool>());
  EXPECT_TRUE(arm["tuned"].is_null());
  EXPECT_EQ(arm["untrained"], 0);
  EXPECT_NEAR(v["p"].get<double>(), p, 1e-9);
  EXPECT_NEAR(v["p_holm"].get<double>(), 3 * p, 1e-9);
  // t = (-0.1 + 0.01)·√3/0.02 is the nearer bound: P(T <= it) is far below 1, that of the other far
  // above 0.
  const double t = 0.09 * std::sqrt(3.0) / 0.02;
  EXPECT_NEAR(v["p_equivalent"].get<double>(), 0.5 + 0.5 * t / std::sqrt(2 + t * t), 1e-9);
  EXPECT_EQ(v["verdict"], "helps");
  EXPECT_TRUE(v["more_seeds"].is_null());
  const auto& more = r.cells[0].arms[2].versus->more_seeds;
  EXPECT_EQ(cell["arms"][2]["vs_baseline"]["more_seeds"],
            Json::array({more->lo ? Json(*more->lo) : Json(nullptr),
                         more->hi ? Json(*more->hi) : Json(nullptr)}));
  for (const Json& each : cell["arms"])
    for (std::size_t s = 0; s < 3; ++s) {
      const Json& run = each["runs"][s];
      EXPECT_EQ(run["seed"], s + 1);
      EXPECT_EQ(run["id"].get<std::string>().size(), 32U);
      EXPECT_EQ(run["build"], to_json(this_build()));
      EXPECT_TRUE(run["val_bpb"].is_null()) << "unknown is null";
    }
  EXPECT_EQ(arm["runs"][1]["val_loss"], 2.02);
}

TEST_F(ReportTest, CsvHasALineForEveryRunAndAColumnForEveryMetric) {
  study.cells = {{"a,b=\"1\"", {}, 0},
                 {"epochs=4", {{"unique_tokens", "160"}}, 4},
                 {"epochs=1", {{"unique_tokens", "640"}}, 1}};
  arms({"none", "dropout=0.1"});
  for (std::size_t cell : {0, 1, 2})
    for (std::size_t arm : {0, 1}) put(cell, arm, 0, {2.0, 2.125, 2.25});
  put(1, 1, 0, {2.5}, [](RunRecord& r) {
    r.status = Status::kDiverged;
    r.values = {{"diverged_at", 7}};
  });
  const Report r = report();
  Fields lines = split(render(r, "csv", false), "\n");
  ASSERT_EQ(lines.size(), 1 + 3 * 2 * 3 + 1U) << "the last is empty";
  EXPECT_EQ(lines.back(), "");
  std::string head = "cell,epochs,unique_tokens,arm,seed,id,status";
  for (const Metric& m : metrics())
    head += "," + (m.name == "epochs" ? "run_epochs" : std::string(m.name));
  EXPECT_EQ(lines[0], head);
  const auto line = [&](const std::string& front, const RunRecord& run) {
    std::ostringstream out;
    out << front << "," << run.seed << "," << run.id << "," << to_string(run.status);
    for (const Metric& m : metrics()) {
      out << ",";
      if (const auto v = run.value(m.name)) out << Json(*v).dump();
    }
    return out.str();
  };
  EXPECT_EQ(lines[1], line("\"a,b=\"\"1\"\"\",,,none", *r.cells[0].arms[0].runs[0]));
  EXPECT_EQ(lines[8], line("epochs=4,4,160,none", *r.cells[1].arms[0].runs[1]));
  EXPECT_EQ(lines[10], line("epochs=4,4,160,dropout=0.1", *r.cells[1].arms[1].runs[0]));
  EXPECT_EQ(lines[13], line("epochs=1,1,640,none", *r.cells[2].arms[0].runs[0]));
  EXPECT_TRUE(has(lines[8], ",ok,2.125,1.875,,1.125,0.3,,,1.625,1.375,,")) << lines[8];
  EXPECT_TRUE(has(lines[8], ",,4.0,20.0,")) << lines[8];
  EXPECT_TRUE(has(lines[10], ",diverged,,,")) << lines[10];
}

TEST_F(ReportTest, HolmCountsTheWholeTable) {
  study.cells = {{}, level_of("beta1", "0.8", "")};
  put_all(0);
  put_all(1);
  const Report r = report();
  // The 8 of the family in order: hurts twice, then helps twice, of which the first is times 6.
  const double p = 1 - std::sqrt(75.0 / 77.0);
  for (const CellReport& cell : r.cells) {
    EXPECT_NEAR(*cell.arms[1].versus->p_holm, 6 * p, 1e-9);
    EXPECT_EQ(cell.arms[1].versus->verdict, Outcome::kCannotTell);
    EXPECT_EQ(cell.arms[4].versus->verdict, Outcome::kHurts);
  }
  EXPECT_EQ(rows(r, "md").size(), 12U);
  EXPECT_TRUE(has(render(r, "md", false), "**beta1=0.8: all training text"))
      << "what sets it apart";
}

TEST_F(ReportTest, ATinyPIsNotRoundedToZero) {
  arms({"none", "dropout=0.1"});
  put(0, 0, 0, {2.0, 2.25, 2.5});
  put(0, 1, 0, {2.5, 2.75, 3.0});
  EXPECT_EQ(rows(report(), "md")[2][8], "<0.0001");
  put(0, 1, 0, {2.30, 2.56, 2.79});  // differences of 0.30, 0.31, 0.29: p = 0.00037
  EXPECT_EQ(rows(report(), "md")[2][8], "0.0004");
}

TEST_F(ReportTest, TheMarginIsTheStudys) {
  put_all();
  study.margin = 0.25;
  const Report r = report();
  EXPECT_EQ(verdict(r, 2), "negligible");
  EXPECT_TRUE(has(render(r, "text", false, 0, true), "±0.25 nats"));
  EXPECT_EQ(written(r)["rules"]["margin"], 0.25);
}

TEST_F(ReportTest, LaterLooksWidenTheIntervalAndSaySo) {
  put_all();
  const Report r = report(2);
  const std::vector<Fields> table = rows(r, "text");
  EXPECT_EQ(table[0][7], "99.375 % interval");
  EXPECT_EQ(table[2][7], "[-0.2454, +0.0454]");  // t(1 - 0.05/16; 2) is 12.590
  EXPECT_EQ(table[2][8], "0.0784");
  EXPECT_TRUE(table[2].back().starts_with("inconclusive")) << table[2].back();
  EXPECT_TRUE(has(render(r, "text", false, 0, true),
                  "look 2 at this comparison: p values are multiplied by 2 and all intervals "
                  "together cover 97.5 %"));
  const Json j = written(r);
  EXPECT_EQ(j["rules"]["looks"], 2);
  EXPECT_TRUE(has(j["rules"]["note"], "look 2"));
  EXPECT_EQ(j["cells"][0]["arms"][1]["vs_baseline"]["ci"]["level"], 0.99375);
  EXPECT_TRUE(has(render(report(3), "md", false), "99.7917 % interval"));
}

TEST_F(ReportTest, ADivergedRunWithholdsTheVerdictOfItsPairs) {
  put_all();
  put(0, 1, 0, {9, 9}, [](RunRecord& r) {
    r.status = Status::kDiverged;
    r.values = {{"diverged_at", 7}, {"diverged_lr", 0.5}, {"best_val_loss", 1}};
  });
  const Report r = report();
  EXPECT_EQ(verdict(r, 1), "withheld");
  EXPECT_TRUE(has(render(r, "md", false), "dropout=0.1: lost runs: 2 diverged"));
  EXPECT_TRUE(
      has(render(r, "md", false), "dropout=0.1: no verdict, because 2 of the pairs lost a run"));
  EXPECT_EQ(verdict(r, 4), "hurts");
  const std::vector<Fields> table = rows(r, "md");
  EXPECT_EQ(table[2][1], "2.0800") << "of the one that is left, without a spread";
  EXPECT_EQ(table[2][2], "1.8300") << "what a diverged run saw does not count";
  EXPECT_EQ(table[2][6], "-0.1200") << "the difference alone, no interval";
  EXPECT_EQ(table[2][8], "–");
  const Json arm = written(r)["cells"][0]["arms"][1];
  EXPECT_EQ(arm["diverged"], 2);
  EXPECT_EQ(arm["runs"].size(), 3U);
  EXPECT_EQ(arm["runs"][0]["status"], "diverged");
  EXPECT_TRUE(arm["runs"][0]["val_loss"].is_null());
  EXPECT_EQ(arm["runs"][0]["diverged_lr"], 0.5);
  EXPECT_TRUE(arm["val_loss"]["sd"].is_null());
  for (const char* key : {"ci", "p", "p_holm", "p_equivalent", "more_seeds"})
    EXPECT_TRUE(arm["vs_baseline"][key].is_null()) << key;
  EXPECT_EQ(arm["vs_baseline"]["n"], 1);
}

TEST_F(ReportTest, ADivergedBaselineWithholdsEveryVerdict) {
  put_all();
  put(0, 0, 0, {9}, [](RunRecord& r) { r.status = Status::kDiverged; });
  const Report r = report();
  EXPECT_EQ(verdict(r, 0), "baseline");
  EXPECT_TRUE(has(render(r, "text", false, 0, true), "none: lost runs: 1 diverged"));
  for (std::size_t arm = 1; arm < 5; ++arm) EXPECT_EQ(verdict(r, arm), "withheld");
}

TEST_F(ReportTest, AFailedRunIsCountedAndShown) {
  put_all();
  StudyRuns runs(study, store, true);
  std::filesystem::remove(store.record_file(runs.id({0, 1, 0, 3})));
  runs = StudyRuns(study, store, true);
  std::string said;
  RunEvents events;
  events.note = [&](const std::string& line) { said += line + "\n"; };
  runs.make({"/bin/false", 1, 1}, events);
  const Report r = make_report(runs, {}, 1, "");
  EXPECT_TRUE(has(said, "going on: 14 of 15 runs are done")) << said;
  EXPECT_TRUE(has(said, "dropout=0.1 · seed 3: failed: its process ended with exit code 1"))
      << said;
  EXPECT_TRUE(r.final) << "what failed is not waited for";
  EXPECT_TRUE(has(render(r, "md", false), "dropout=0.1: lost runs: 1 failed"));
  EXPECT_EQ(verdict(r, 1), "withheld") << "what is left is a selection";
  EXPECT_EQ(r.cells[0].arms[1].versus->n, 2);
  EXPECT_EQ(rows(r, "md")[2][1], "1.9600 ± 0.0849");
  EXPECT_EQ(r.builds.size(), 1U) << "a failed run was made by nobody";
  EXPECT_EQ(r.machines.size(), 1U);
  const Json run = written(r)["cells"][0]["arms"][1]["runs"][2];
  EXPECT_EQ(run["status"], "failed");
  EXPECT_EQ(run["seed"], 3);
  EXPECT_EQ(run["error"], "its process ended with exit code 1");
  EXPECT_TRUE(run["val_loss"].is_null());
  EXPECT_EQ(written(r)["cells"][0]["arms"][1]["failed"], 1);
  EXPECT_TRUE(has(render(r, "csv", false), "dropout=0.1,3," + runs.id({0, 1, 0, 3}) + ",failed,,"));
}

TEST_F(ReportTest, WithoutAllRunsThereIsNoVerdict) {
  arms({"none", "dropout=0.1"});
  put(0, 0, 0, {2.0, 2.1, 2.2});
  put(0, 1, 0, {1.9, 2.02});
  const Report r = report();
  EXPECT_FALSE(r.final);
  expect_rows(r, {{"arm", "val loss", "best*", "train", "gap", "excess (window)", "difference",
                   "95 % interval", "p (Holm)", "step time", "verdict"},
                  {"none", "2.1000 ± 0.1000", "1.8500", "1.1000", "0.3000", "1.6000 (1.3500)", "–",
                   "–", "–", "–", "baseline"},
                  {"dropout=0.1", "1.9600 ± 0.0849", "1.7100", "0.9600", "0.3100",
                   "1.4600 (1.2100)", "–", "–", "–", "–", "not final"}});
  EXPECT_TRUE(has(render(r, "text", false, 0, true), "No answer yet: 5 of 6 runs are done."));
  const Json j = written(r);
  EXPECT_EQ(j["final"], false);
  EXPECT_EQ(j["cells"][0]["arms"][1]["missing_seeds"], Json::array({3}));
  EXPECT_TRUE(j["cells"][0]["arms"][1]["vs_baseline"].is_null());
  EXPECT_TRUE(j["cells"][0]["arms"][1]["step_time_ratio"].is_null());
  // Live: the difference is that of the seeds which both have.
  const Fields live = split(render_live(r), "\n");
  EXPECT_EQ(live[0], "Not final: the table so far, of 3 paired seeds");
  EXPECT_EQ(live[1], "all training text, randomly sampled");
  EXPECT_EQ(live[2], "arm                 val loss  difference  seeds");
  EXPECT_EQ(live[3], "none         2.1000 ± 0.1000           –      3");
  EXPECT_EQ(live[4], "dropout=0.1  1.9600 ± 0.0849     -0.0900      2");
}

TEST_F(ReportTest, WhatAnArmIsWorthComesFromTheBaselinesCurve) {
  study.shares = share_levels({0.25, 0.5, 2});
  arms({"none", "dropout=0.1", "dropout=0.2", "dropout=0.3", "dropout=0.4"});
  put(0, 0, 0, {2.0, 2.1, 2.2});
  put(0, 0, 1, {2.9, 3.0, 3.1});
  put(0, 0, 2, {2.4, 2.5, 2.6});
  put(0, 0, 3, {1.8, 1.9, 2.0});
  put(0, 1, 0, {1.9, 2.0, 2.1});  // half of the way from 1 to 2: √2
  put(0, 2, 0, {2.3, 2.4, 2.5});  // a quarter of that from 1/2 to 1: 2^(-3/4)
  put(0, 3, 0, {3.1, 3.2, 3.3});
  put(0, 4, 0, {1.7, 1.8, 1.9});
  const Report r = report();
  const std::vector<Fields> table = rows(r, "text");
  ASSERT_EQ(table[0][10], "worth");
  const Fields worth = {"1.00", "1.41", "0.59", "<0.25", ">2"};
  for (std::size_t arm = 0; arm < 5; ++arm)
    EXPECT_TRUE(table[arm + 1][10].starts_with(worth[arm] + " [")) << table[arm + 1][10];
  EXPECT_EQ(table[1][1], "2.1000 ± 0.1000") << "other shares are in no mean";
  const Json j = written(r)["cells"][0]["arms"];
  EXPECT_NEAR(j[1]["compute_equivalent"]["share"].get<double>(), std::sqrt(2.0), 1e-9);
  EXPECT_EQ(j[1]["compute_equivalent"]["relation"], "equal");
  EXPECT_EQ(j[1]["compute_equivalent"]["rises"], false);
  EXPECT_EQ(j[3]["compute_equivalent"]["relation"], "below");
  EXPECT_EQ(j[4]["compute_equivalent"]["relation"], "above");
  EXPECT_EQ(j[4]["compute_equivalent"]["text"], ">2");
  EXPECT_EQ(j[0]["runs"].size(), 3U);
  // A curve with a hole says nothing.
  put(0, 0, 1, {9}, [](RunRecord& x) { x.status = Status::kDiverged; });
  EXPECT_FALSE(report().cells[0].arms[1].equivalent);
}

TEST_F(ReportTest, SharesHaveTheBaselinesLossesBySeed) {
  EXPECT_TRUE(report().cells[0].shares.empty()) << "one budget alone";
  study.shares = share_levels({0.5, 2});
  put_all();
  put(0, 0, 1, {2.5, 2.75});
  put(0, 0, 2, {1.5}, [](RunRecord& r) {
    r.status = Status::kDiverged;
    r.values = {{"diverged_at", 7}};
  });
  const auto shares = report().cells[0].shares;
  ASSERT_EQ(shares.size(), 3U);
  EXPECT_EQ(shares[0].share, 0.5);
  EXPECT_EQ(shares[0].losses, (std::map<std::uint64_t, double>{{1, 2.5}, {2, 2.75}}));
  EXPECT_EQ(shares[1].share, 1);
  EXPECT_EQ(shares[1].losses.at(3), 2.2);
  EXPECT_EQ(shares[2].share, 2);
  EXPECT_TRUE(shares[2].losses.empty());
}

// By doublings of the budget the differences fall, rise, or stay.
TEST_F(ReportTest, WhoGainsWithComputeIsSaid) {
  study.shares = share_levels({0.5, 2});
  study.all_at_shares = true;
  arms({"none", "gains: dropout=0.1", "loses: dropout=0.2", "same: dropout=0.3"});
  for (std::size_t share = 0; share < 3; ++share) {
    const double doublings = share == 0 ? 0 : share == 1 ? -1 : 1;
    const std::vector<double> first = {2 - doublings, 2.1 - doublings, 2.2 - doublings};
    put(0, 0, share, first);
    for (std::size_t arm = 1; arm < 4; ++arm) {
      const double slope = arm == 1 ? -0.1 : arm == 2 ? 0.1 : 0;
      std::vector<double> losses = first;
      for (std::size_t s = 0; s < losses.size(); ++s)
        losses[s] += doublings * (slope + 1e-3 * (static_cast<double>(s) - 1));
      put(0, arm, share, losses);
    }
  }
  const std::string text = render(report(), "text", false, 0, true);
  const auto says = [&](const std::string& begins, const std::string& ends) {
    const Fields lines = split(text, "\n");
    EXPECT_TRUE(std::any_of(lines.begin(), lines.end(),
                            [&](const std::string& line) {
                              return line.starts_with("  " + begins) && line.ends_with(ends);
                            }))
        << begins << ends << "\n"
        << text;
  };
  const std::string nats = "] nats per doubling of the budget: ";
  says("gains: the difference changes by -0.1000 [-0.1", nats + "the arm gains with compute");
  says("loses: the difference changes by +0.1000 [+0.0", nats + "the arm loses with compute");
  says("same: the difference changes by ", nats + "no clear trend");
}

// 8 tokens a window: so many are joined that 16 are left, and what fills none counts in the mean.
TEST_F(ReportTest, WindowsAreJoinedAndNoneIsLeftOut) {
  for (const auto& [count, joined] : {std::pair{31, 31}, {32, 16}, {33, 16}, {64, 16}}) {
    study.base.lr = 1e-3 * count;  // other runs
    arms({"none", "dropout=0.1"});
    for (const std::size_t arm : {0, 1})
      put(0, arm, 0, {2.0, 2.125, 2.25}, [&, n = count](RunRecord& r) {
        double sum = 0;
        for (int w = 0; w < n; ++w) {
          const int off = (w * w + static_cast<int>(r.seed)) % 4 * (arm == 0 ? 1 : w % 3);
          r.val_windows.push_back(2 + 0.125F * static_cast<float>(off));
          sum += static_cast<double>(r.val_windows.back());
        }
        r.values.set("val_loss", sum / n);
      });
    const Verdict v = report().cells[0].arms[1].versus.value();
    EXPECT_EQ(v.windows, joined) << count;
    EXPECT_TRUE(v.se_windows) << count;
  }
}

TEST_F(ReportTest, CurvesAreThoseOfTheRecords) {
  put_all();
  const StudyRuns runs(study, store, true);
  const auto log = [&](std::uint64_t seed, const std::string& text) {
    folder.write("runs/" + runs.id({0, 0, 0, seed}) + "/metrics.jsonl", text + "\n");
  };
  const std::string first = R"({"step":1,"flops":1e9,"train_loss":3.5,"val_loss":null})";
  log(1, first + "\n" + R"({"step":2,"flops":2e9,"train_loss":2.5,"val_loss":1.75})" + "\n" +
             R"({"step":3,"flops":3e9,"train_loss":2.5,"val_loss":2.0})");
  log(2, R"({"step":2,"flops":2e9,"train_loss":2.5,"val_loss":2.1})");  // the record's best is 1.85
  const Report r = report();
  ASSERT_EQ(r.cells[0].arms[0].curves.size(), 1U);
  const RunCurve& curve = r.cells[0].arms[0].curves[0];
  EXPECT_EQ(curve.seed, 1U);
  ASSERT_EQ(curve.points.size(), 3U);
  EXPECT_FALSE(curve.points[0].val_loss);
  EXPECT_EQ(curve.points[1].flops, 2e9);
  EXPECT_TRUE(r.cells[0].arms[1].curves.empty()) << "no log, no curve";
  EXPECT_TRUE(r.cells[0].arms[0].broken_curves.empty());
}

TEST_F(ReportTest, UnequalBudgetsAreNamedAndShown) {
  arms({"none", "half: budget_share=0.5", "long: budget_share=2"});
  for (std::size_t arm = 0; arm < 3; ++arm)
    put(0, arm, 0, {2.0, 2.1, 2.2},
        [&](RunRecord& r) { r.values.set("epochs", 4 + static_cast<double>(arm)); });
  const Report r = report();
  const std::vector<Fields> table = rows(r, "md");
  EXPECT_EQ(table[0][5], "budget");
  EXPECT_EQ(table[1][5], "20 steps");
  EXPECT_EQ(table[2][5], "10 steps");
  EXPECT_EQ(table[3][5], "40 steps");
  EXPECT_EQ(table[0][6], "epochs") << "shown where arms differ in it";
  EXPECT_EQ(table[3][6], "6");
  const std::string text = render(r, "text", false, 0, true);
  EXPECT_TRUE(has(
      text, "Budgets differ: at most 40 steps; 20 steps for 'none', 10 steps for 'half'; 3 paired"))
      << text;
  EXPECT_FALSE(has(text, "Same")) << text;
  EXPECT_EQ(written(r)["cells"][0]["arms"][2]["budget"], "40steps");
}

TEST_F(ReportTest, FlopsAreTheBudgetsWhereAllArmsSpendThem) {
  arms({"none", "wide: n_embd=32"});
  put(0, 0, 0, {2.0, 2.1, 2.2});
  put(0, 1, 0, {2.0, 2.1, 2.2}, [](RunRecord& r) { r.values.set("flops", 6e12); });
  EXPECT_TRUE(has(render(report(), "text", false, 0, true),
                  "Same budget for each arm: 20 steps; 3 paired"));
  // An axis may be the budget: then it is not the one that was given beside it.
  study.cells = {level_of("budget", "40steps", "")};
  for (std::size_t arm : {0, 1}) put(0, arm, 0, {2.0, 2.1, 2.2});
  EXPECT_TRUE(has(render(report(), "text", false, 0, true),
                  "Same budget for each arm: 40 steps (3 TFLOP); 3 paired"));
}

TEST_F(ReportTest, BuildsAreNotMixedInSilence) {
  put_all();
  put(0, 1, 0, {1.9}, [](RunRecord& r) {
    r.build.source = "0123456789ab";
    r.build.commit = "";
    r.machine = {"CPU B", 1};
  });
  // This build's own record would be preferred.
  const auto run = store.folder(StudyRuns(study, store, true).id({0, 1, 0, study.base.seed}));
  std::filesystem::remove(run / ("record-" + this_build().key() + ".json"));
  const Report r = report();
  for (const char* format : {"text", "md"}) {
    const std::string text = render(r, format, false, 0, true);
    EXPECT_TRUE(has(text, "MIXED: made by 2 builds")) << text;
    EXPECT_TRUE(has(text, "(sources 0123456789ab)")) << text;
    EXPECT_TRUE(has(text, "Made on CPU A, 2 threads; CPU B, 1 thread")) << text;
  }
  EXPECT_EQ(written(r)["builds"].size(), 2U);
  EXPECT_EQ(written(r)["machines"][1], (Json{{"cpu", "CPU B"}, {"threads", 1}}));
  const StudyRuns strict(study, store, false);
  EXPECT_EQ(strict.outdated(), 1U);
  EXPECT_EQ(strict.missing().size(), 1U) << "and by default not taken at all";
}

TEST_F(ReportTest, ABudgetOfTimeIsNotRepeatable) {
  study.base.budget = "5s";
  put_all();
  Study other = study;
  other.arms.pop_back();
  EXPECT_NE(StudyRuns(other, store, true).id({0, 1, 0, 1}),
            StudyRuns(study, store, true).id({0, 1, 0, 1}))
      << "such runs are a study's own";
  EXPECT_TRUE(
      has(render(report(), "text", false, 0, true), "A budget of time depends on the machine"));
}

TEST_F(ReportTest, WithoutABayesLossThereIsNoExcess) {
  arms({"none", "dropout=0.1"});
  for (std::size_t arm : {0, 1})
    put(0, arm, 0, {2.0},
        [](RunRecord& r) { r.values.erase("excess_window"), r.values.erase("excess"); });
  study.seeds = 1;
  const Report r = report();
  expect_rows(r, {{"arm", "val loss", "best*", "train", "gap", "difference", "95 % interval",
                   "p (Holm)", "step time", "verdict"},
                  {"none", "2.0000", "1.7500", "1.0000", "0.3000", "–", "–", "–", "–", "baseline"},
                  {"dropout=0.1", "2.0000", "1.7500", "1.0000", "0.3100", "+0.0000", "–", "–", "–",
                   "inconclusive"}});
  EXPECT_TRUE(has(render(r, "text", false, 0, true),
                  "dropout=0.1: 1 seed is too few for a verdict; give --seeds 2"));
  EXPECT_TRUE(has(render(r, "text", false, 0, true), "1 paired seed;"));
  EXPECT_FALSE(has(render(r, "text", false, 0, true), "excess"));
}

TEST_F(ReportTest, StepTimesAreMeasuredWrittenAndReadBack) {
  arms({"none", "large: n_embd=64,n_layer=4"});
  const StudyRuns runs(study, store, true);
  const Speeds all = measure_speed(runs, 15, 5);
  ASSERT_EQ(all.size(), 1U);
  const std::vector<ArmSpeed>& speeds = all[0];
  ASSERT_EQ(speeds.size(), 2U);
  EXPECT_EQ(speeds[0].step_time_ratio, 1);
  EXPECT_GT(speeds[1].step_time_ratio, 0);
  EXPECT_LE(speeds[1].ratio_low, speeds[1].step_time_ratio);
  EXPECT_GE(speeds[1].ratio_high, speeds[1].step_time_ratio);
  const Json json = to_json(all, runs);
  ASSERT_TRUE(speeds_from_json(json, runs));
  EXPECT_EQ(to_json(*speeds_from_json(json, runs), runs), json);
  const auto refused = [&](const auto& change) {
    Json other = json;
    change(other);
    EXPECT_FALSE(speeds_from_json(other, runs)) << other;
    other.erase("hash");
    EXPECT_FALSE(speeds_from_json(sealed(other), runs)) << other;
  };
  refused([](Json& j) { j["cells"][0].push_back(j["cells"][0][0]); });
  refused([](Json& j) { j["cells"].push_back(j["cells"][0]); });
  refused([](Json& j) { j["cells"][0][1][1] = -5; });
  refused([](Json& j) { j["cells"][0][1][1] = 1e308; });
  refused([](Json& j) { j["cells"][0][1] = "fast"; });
  refused([](Json& j) { j["environment"]["threads"] = 99; });
  EXPECT_FALSE(speeds_from_json(Json::array(), runs));
  Json faster = json;
  faster["cells"][0][1][1] = 0.5;
  EXPECT_FALSE(speeds_from_json(faster, runs)) << "changed since it was written";
  // A regularizer that is off for half of the budget is timed over all of it.
  EXPECT_EQ(timed_phases(study.base, with(study.base, study.arms[1])), std::vector<double>{0.5});
  const train::Settings early = with(study.base, level_of("reg", "dropout:0.1~early:0.5", ""));
  const std::vector<double> eight = {0.0625, 0.1875, 0.3125, 0.4375,
                                     0.5625, 0.6875, 0.8125, 0.9375};
  EXPECT_EQ(timed_phases(study.base, early), eight);
  EXPECT_EQ(timed_phases(early, study.base), eight);
}

// A log that nobody can read costs its curve, and the verdicts stand.
TEST_F(ReportTest, ABrokenLogCostsItsCurveAlone) {
  arms({"none", "dropout=0.1"});
  put(0, 0, 0, {2.0, 2.1, 2.2});
  put(0, 1, 0, {1.9, 2.02, 2.08});
  const StudyRuns runs(study, store, true);
  const auto log = [&](std::size_t arm, std::uint64_t seed, const std::string& text) {
    std::ofstream(store.folder(runs.id({0, arm, 0, seed})) / "metrics.jsonl") << text;
  };
  log(0, 1,
      R"({"step":20,"flops":3e12,"train_loss":1.5,"val_loss":1.75})"
      "\n");
  log(1, 2, "isodrop: note: some progress text\n");
  const Report r = report();
  EXPECT_EQ(r.cells[0].arms[0].curves.size(), 1U);
  EXPECT_EQ(r.cells[0].arms[0].broken_curves, Fields{});
  EXPECT_EQ(r.cells[0].arms[1].curves.size(), 0U);
  ASSERT_EQ(r.cells[0].arms[1].broken_curves.size(), 1U);
  EXPECT_EQ(verdict(r, 1), "helps");
  EXPECT_TRUE(
      has(render(r, "text", false, 0, true), "dropout=0.1: 1 curve is left out of the charts: "));
  EXPECT_TRUE(has(render(r, "text", false, 0, true), "metrics.jsonl, line 1"));
}

TEST_F(ReportTest, NamesFromFilesAreShownAsText) {
  study.cells = {{"<b>\x1b[31m", {}, 0}, {"b", {}, 0}};
  arms({"none", "dropout=0.1"});
  for (const std::size_t cell : {0, 1})
    for (const std::size_t arm : {0, 1}) put(cell, arm, 0, {2.0, 2.1, 2.2});
  Report r = report();
  r.cells[0].title = "<b>\x1b[31m";
  r.data.sentence = "<i>\x1b]0;";
  for (const char* format : {"text", "md"}) {
    const std::string shown = render(r, format, false, 0, true);
    EXPECT_FALSE(has(shown, "\x1b")) << shown;
    EXPECT_EQ(has(shown, "<b>"), std::string(format) == "text") << shown;
  }
  EXPECT_FALSE(has(render_live(r), "\x1b"));
}

// No verdict is shown where either side lost a run, so nothing was looked at.
TEST_F(ReportTest, AWithheldVerdictIsNoLook) {
  arms({"none", "dropout=0.1"});
  const auto lost = [](RunRecord& r) {
    if (r.seed == 2) r.status = Status::kDiverged;
  };
  for (const std::size_t loser : {0, 1}) {
    for (const std::size_t arm : {0, 1})
      if (arm == loser)
        put(0, arm, 0, {2.0, 2.1, 2.2}, lost);
      else
        put(0, arm, 0, {1.9, 2.02, 2.08});
    EXPECT_EQ(count_look(StudyRuns(study, store, true)), 1);
    EXPECT_FALSE(std::filesystem::exists(store.root() / "looks")) << loser;
  }
}

TEST_F(ReportTest, LooksAreCheckedAndThoseOfAnOlderIsodropCount) {
  arms({"none", "dropout=0.1"});
  put(0, 0, 0, {2.0, 2.1, 2.2});
  put(0, 1, 0, {1.9, 2.02, 2.08});
  const StudyRuns runs(study, store, true);
  EXPECT_EQ(count_look(runs), 1);
  std::filesystem::path path;
  for (const auto& entry : std::filesystem::directory_iterator(store.root() / "looks"))
    if (entry.path().extension() == ".json") path = entry.path();
  Json kept = base::read_json(path);
  EXPECT_EQ(kept["looks"], (Json{{"1", "2", "3"}}));
  const Json two = Json::array({Json::array({"1", "2"})});
  kept["looks"] = two;
  base::write_json(path, kept);
  EXPECT_ERROR(count_look(runs), "was changed after it was written; remove it");
  base::write_json(path, two);  // as it was before there was a hash
  EXPECT_EQ(count_look(runs), 2);
  EXPECT_TRUE(is_sealed(base::read_json(path)));
}

}  // namespace
}  // namespace lab
