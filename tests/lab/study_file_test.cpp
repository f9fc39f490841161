// Study files: what they say, what is refused, the figures of hand-made records, the rule.
#include "lab/study/study_file.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/toml_table.h"
#include "lab/report/study_result.h"
#include "lab/runs/make.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"

namespace lab {
namespace {

constexpr const char* kFile = R"(claim = 4
title = "It costs"
question = "How much?"
[base]
text = "TEXT"
n_layer = 1
n_head = 2
n_embd = 16
block_size = 8
batch = 4
budget = "40steps"
test_fraction = 0
[study]
arms = ["none", "p10: dropout=0.1"]
axes.n_embd = [16, 32]
epochs = [1, 4]
shares = [0.5, 1, 2]
seeds = 8
[quick]
budget = "20steps"
seeds = 3
[[figures]]
name = "cost"
of = "compute_ratio"
cell = "n_embd=16,epochs=1"
[[figures]]
name = "gap"
of = "difference"
cell = "n_embd=32,epochs=4"
[[figures]]
name = "with width"
of = "slope"
on = ["n_embd", "epochs"]
coefficient = "n_embd"
[[figures]]
name = "with both"
of = "slope"
on = ["n_embd", "epochs"]
coefficient = "interaction"
[[figures]]
name = "spread"
of = "spread_ratio"
cell = "n_embd=16,epochs=1"
[[figures]]
name = "catches up"
of = "trend"
cell = "n_embd=16,epochs=1"
[rule]
supported = ["cost above 1", "gap above 0"]
contradicted = ["cost below 1"]
)";

class StudyFileTest : public testing::Test {
 protected:
  StudyFileTest() : store(folder.path() / "runs") {
    folder.write("text.txt", tests::small_text(4000));
    text = kFile;
    replace("TEXT", (folder.path() / "text.txt").string());
  }
  void replace(const std::string& what, const std::string& with) {
    const std::size_t at = text.find(what);
    ASSERT_NE(at, text.npos) << what;
    text.replace(at, what.size(), with);
  }
  StudyFile read(bool quick = false) {
    folder.write("s.toml", text);
    StudyFile file = read_study_file(folder.path() / "s.toml", quick);
    check_figures(file);
    return file;
  }
  std::string error(const std::string& what, const std::string& with) {
    const std::string before = text;
    replace(what, with);
    std::string message = "accepted";
    try {
      read();
    } catch (const base::Error& e) {
      message = e.what();
    }
    text = before;
    return message;
  }

  using Loss = std::function<double(const train::Settings&)>;
  using Gap = std::function<double(const train::Settings&, double loss)>;
  StudyResult result(const StudyFile& file, const Loss& loss, const Gap& gap = {}) {
    StudyRuns runs(file.study, store, true);
    for (const Point& p : runs.missing()) {
      const RunSpec& spec = runs.spec(runs.id(p));
      RunRecord r;
      r.id = runs.id(p);
      r.seed = p.seed;
      r.build = this_build();
      r.machine = {"CPU", 1};
      const double value = loss(spec.settings);
      r.status = std::isfinite(value) ? Status::kOk : Status::kDiverged;
      if (r.ok()) r.values = {{"val_loss", value}, {"flops", 1e9}};
      if (const double known = gap ? gap(spec.settings, value) : NAN; std::isfinite(known))
        r.values.set("gap", known);
      store.add_spec(spec);
      store.save(r);
    }
    return make_result(file, make_report(runs.with_study(file.study), {}, 1, "", false));
  }
  static const Figure& figure(const StudyResult& r, const std::string& name) {
    for (const Figure& f : r.figures)
      if (f.name == name) return f;
    throw std::logic_error("no figure " + name);
  }

  const tests::TempFolder folder;
  const Store store;
  std::string text;
};

double wobble(std::uint64_t seed, double phase) {
  return std::sin(37.0 * static_cast<double>(seed) + phase);
}

/// none: 2 − 0.2·log₂(share); with dropout half as much compute's worth worse, and at the larger
/// width by 0.1 more.
double loss_of(const train::Settings& s) {
  const double compute = s.budget_share * (s.dropout > 0 ? 0.5 : 1);
  const double width = std::log2(static_cast<double>(s.n_embd) / 16.0);
  return 2 - 0.2 * std::log2(compute) + (s.dropout > 0 ? 0.1 * width : 0) +
         0.05 * wobble(s.seed, 0) + (s.dropout > 0 ? 3e-3 : 1e-3) * wobble(s.seed, 1 + s.dropout);
}

TEST_F(StudyFileTest, IsTheStudyThatTheFlagsOfCompareWouldMake) {
  const StudyFile file = read();
  EXPECT_EQ(file.claim, 4);
  EXPECT_EQ(file.title, "It costs");
  EXPECT_EQ(file.study.base.n_embd, 16);
  EXPECT_EQ(file.study.seeds, 8);
  ASSERT_EQ(file.study.arms.size(), 2U);
  EXPECT_EQ(file.study.arms[1].name, "p10");
  ASSERT_EQ(file.study.cells.size(), 4U);
  EXPECT_EQ(file.study.cells[1].name, "n_embd=16,epochs=4");
  EXPECT_EQ(file.study.shares.size(), 3U);
  EXPECT_TRUE(file.study.all_at_shares);
  EXPECT_EQ(to_string(file.supported[1]), "gap above 0");
  EXPECT_EQ(file.hash.size(), 32U);
  const StudyFile quick = read(true);
  EXPECT_EQ(quick.study.base.budget, "20steps");
  EXPECT_EQ(quick.study.seeds, 3);
  EXPECT_EQ(quick.hash, file.hash);
}

TEST_F(StudyFileTest, FiguresAreThoseOfTheRecordsAndTheRuleDecides) {
  const StudyFile file = read();
  const StudyResult r = result(file, loss_of);
  EXPECT_EQ(r.verdict, StudyVerdict::kSupported);
  const Figure& cost = figure(r, "cost");
  EXPECT_NEAR(cost.value.value(), 2, 0.03);
  EXPECT_LT(cost.ci->lo, 2);
  EXPECT_GT(cost.ci->lo, 1.9);
  EXPECT_NEAR(figure(r, "gap").value.value(), 0.3, 0.01);
  EXPECT_NEAR(figure(r, "with width").value.value(), 0.1, 1e-9);
  EXPECT_NEAR(figure(r, "with both").value.value(), 0, 1e-9);
  EXPECT_NEAR(figure(r, "catches up").value.value(), 0, 1e-9);
  EXPECT_LT(figure(r, "spread").ci->lo, 1);
  EXPECT_GT(figure(r, "spread").ci->hi, 1);
  const Json json = to_json(r);
  EXPECT_EQ(json["verdict"], "supported");
  EXPECT_EQ(json["hash"], file.hash);
  EXPECT_EQ(json["figures"][0]["name"], "cost");
  EXPECT_NEAR(json["figures"][0]["ci"]["level"].get<double>(), 1 - 0.05 / 6, 1e-12);
  EXPECT_EQ(json["runs"], 64);
  for (const char* format : {"text", "md"}) {
    const std::string shown = render(r, format, false, 0);
    tests::expect_has(shown, "Verdict: supported");
    tests::expect_has(shown,
                      "Rule: supported if cost above 1 and gap above 0; contradicted if cost "
                      "below 1; else open");
  }
}

TEST_F(StudyFileTest, TheOtherWayRoundItIsContradictedAndBetweenOpen) {
  const auto cheap = [](const train::Settings& s) {
    return loss_of(s) - (s.dropout > 0 ? 0.3 : 0.0);
  };
  EXPECT_EQ(result(read(), cheap).verdict, StudyVerdict::kContradicted);
}

// A claim of two parts falls with either of them.
TEST_F(StudyFileTest, OneContradictionIsEnough) {
  replace("contradicted = [\"cost below 1\"]",
          "contradicted = [\"cost below 1\", \"gap below 0.5\"]");
  replace("supported = [\"cost above 1\", \"gap above 0\"]",
          "supported = [\"cost above 1\", \"gap above 0.5\"]");
  EXPECT_EQ(result(read(), loss_of).verdict, StudyVerdict::kContradicted);
}

TEST_F(StudyFileTest, OnASharedTextWhatIsOfSeedsAloneSaysSo) {
  const StudyResult r = result(read(), loss_of);
  EXPECT_EQ(figure(r, "cost").note, "for this test text only");
  EXPECT_EQ(figure(r, "gap").note, "");
}

// Figures of any metric: the arm's own, against another arm and metric, and what a third wins back.
TEST_F(StudyFileTest, FiguresOfMetricsHaveArmsToBeHeldAgainst) {
  text = R"(title = "t"
question = "q"
figures = [
  { name = "own", of = "value", arm = "a", cell = "x", metric = "val_loss" },
  { name = "first", of = "value", arm = "none", cell = "y", metric = "gap" },
  { name = "other", of = "difference", arm = "b", against = "a", cell = "x", metric = "gap" },
  { name = "across", of = "difference", arm = "a", against = "a", against_metric = "val_loss", cell = "x", metric = "gap" },
  { name = "first against", of = "difference", arm = "none", against = "a", cell = "x", metric = "gap" },
  { name = "back", of = "won_back", arm = "a", by = "b", cell = "x", metric = "gap" },
  { name = "lost", of = "won_back", arm = "b", against = "b", against_metric = "gap", by = "a", cell = "x", metric = "gap" },
]
[base]
n_embd = 16
n_head = 2
budget = "40steps"
text = "TEXT"
test_fraction = 0
[study]
arms = ["none", "a: dropout=0.1", "b: dropout=0.2"]
cells = ["x: lr=0.1", "y: lr=0.2,norm_place=post"]
[rule]
supported = ["back above 0.5"]
contradicted = ["back below 0.5"]
)";
  replace("TEXT", (folder.path() / "text.txt").string());
  const StudyFile file = read();
  ASSERT_EQ(file.study.cells.size(), 2U);
  EXPECT_EQ(file.study.cells[1].set, (Assignments{{"lr", "0.2"}, {"norm_place", "post"}}));
  // gap: 0 for none, 1 for a, a quarter for b, and twice that in y.
  const auto flat = [](const train::Settings& s) {
    return 2 + 10 * s.lr + 0.01 * wobble(s.seed, 0);
  };
  const auto by_rate = [](const train::Settings& s, double) {
    const double level = s.dropout == 0 ? 0 : s.dropout < 0.15 ? 1 : 0.25;
    return (s.lr > 0.15 ? 2 : 1) * (level + 1e-3 * wobble(s.seed, 5 * s.dropout));
  };
  const StudyResult r = result(file, flat, by_rate);
  EXPECT_NEAR(figure(r, "own").value.value(), 3, 0.01);
  EXPECT_EQ(figure(r, "own").unit, "nats/token");
  EXPECT_NEAR(figure(r, "first").value.value(), 0, 0.01);
  EXPECT_NEAR(figure(r, "other").value.value(), -0.75, 0.002);
  EXPECT_NEAR(figure(r, "across").value.value(), 1 - 3, 0.01);
  EXPECT_NEAR(figure(r, "first against").value.value(), -1, 0.01);
  EXPECT_NEAR(figure(r, "back").value.value(), 0.75, 0.002);
  EXPECT_LT(figure(r, "back").ci->lo, 0.75);
  EXPECT_EQ(figure(r, "back").unit, "share");
  tests::expect_has(figure(r, "lost").missing, "cannot be told from");
  EXPECT_EQ(r.verdict, StudyVerdict::kSupported);
  EXPECT_EQ(figure(r, "own").note, "for this test text only");
  EXPECT_EQ(figure(r, "other").note, "for this test text only");

  // Where the arm is better than what it is held against nothing is there to be won back.
  replace("arm = \"b\", against = \"b\", against_metric = \"gap\", by = \"a\"",
          "arm = \"b\", against = \"a\", by = \"none\"");
  tests::expect_has(figure(result(read(), flat, by_rate), "lost").missing, "nothing is lost");
}

// A run that is ok and does not know a metric takes the figure away: what is left is a selection.
TEST_F(StudyFileTest, FiguresAreOfAllSeedsOrNone) {
  replace("of = \"difference\"\ncell = \"n_embd=32,epochs=4\"",
          "of = \"difference\"\nmetric = \"gap\"\ncell = \"n_embd=32,epochs=4\"");
  const auto gap = [](const train::Settings& s, double) {
    return s.seed == 2 && s.dropout > 0 ? NAN : 1.0;
  };
  const StudyResult r = result(read(), loss_of, gap);
  EXPECT_FALSE(figure(r, "gap").value);
  tests::expect_has(figure(r, "gap").missing, "1 of 8 runs of p10 has no gap");
  EXPECT_EQ(r.verdict, StudyVerdict::kOpen);
}

// Whoever changes the rule after the runs begins another study.
TEST_F(StudyFileTest, TheRuleIsPartOfTheStudysIdentity) {
  const Json before = StudyRuns(read().study, store, true).identity();
  replace("gap above 0", "gap above -1");
  EXPECT_NE(StudyRuns(read().study, store, true).identity(), before);
}

TEST_F(StudyFileTest, AQuickLookGivesNoVerdict) {
  const StudyResult r = result(read(true), loss_of);
  EXPECT_EQ(r.verdict, StudyVerdict::kNone);
  EXPECT_TRUE(to_json(r)["verdict"].is_null());
  tests::expect_has(render(r, "text", false, 0), "too small for one");
}

TEST_F(StudyFileTest, LostRunsLeaveItOpen) {
  const StudyResult r = result(read(), [](const train::Settings& s) {
    return s.dropout > 0 && s.seed == 3 && s.budget_share == 1 ? NAN : loss_of(s);
  });
  EXPECT_EQ(r.verdict, StudyVerdict::kOpen);
  EXPECT_FALSE(figure(r, "cost").value);
  tests::expect_has(figure(r, "gap").missing, "lost");
}

TEST_F(StudyFileTest, ErrorsSayLineAndColumn) {
  using tests::expect_has;
  expect_has(error("claim = 4", "claim = "), "s.toml:1:");
  expect_has(error("claim = 4", "clam = 4"), "s.toml:1:1: unknown key 'clam' in the file");
  expect_has(error("claim = 4", "claim = \"4\""), "s.toml:1:9: claim in the file is not a whole");
  expect_has(error("title = \"It costs\"\n", ""), "has no title");
  expect_has(error("n_layer = 1", "n_layers = 1"), "s.toml:6:");
  expect_has(error("n_layer = 1", "n_layer = 0"), "s.toml:6:11: n_layer");
  expect_has(error("seeds = 8", "seed = 8"), "s.toml:18:1: unknown key 'seed' in [study]");
  expect_has(error("seeds = 8", "seeds = 0"), "s.toml:18:9: seeds 0");
  expect_has(error("arms = [\"none\", \"p10: dropout=0.1\"]", "arms = [\"none\"]"),
             "one arm cannot be compared");
  expect_has(error("arms = [", "arms = [1, "), "s.toml:14:9: arms in [study] is not a text");
  expect_has(error("dropout=0.1", "dropout=2"), "dropout '2' is out of range");
  expect_has(error("shares = [0.5, 1, 2]", "shares = [0.5, 1, -2]"),
             "s.toml:17:10: shares: share -2");
  expect_has(error("shares = [0.5, 1, 2]", "shares = [0.5, 0.5, 1]"), "share 0.5 is given twice");
  expect_has(error("shares = [0.5, 1, 2]", "shares = [1]"), "and at least one other are needed");
  expect_has(error("shares = [0.5, 1, 2]", "margin = -1"), "margin -1 is not in [0, 1000]");
  expect_has(error("shares = [0.5, 1, 2]", "margin = nan"), "is not in [0, 1000]");
  expect_has(error("shares = [0.5, 1, 2]", ""), "'cost': other shares of the budget are needed");
  expect_has(error("shares = [0.5, 1, 2]", "equivalent = true"), "every arm at other shares");
  expect_has(error("epochs = [1, 4]", ""), "no cell");
  expect_has(error("epochs = [1, 4]", "epochs = [1, 0]"), "s.toml:16:10: epochs 0");
  expect_has(error("on = [\"n_embd\", \"epochs\"]", "on = [\"n_embd\", \"n_embd\"]"),
             "do not tell the slopes apart");
  expect_has(error("on = [\"n_embd\", \"epochs\"]", "on = [\"n_embd\", \"lr\"]"),
             "do not tell the slopes apart");
  expect_has(error("on = [\"n_embd\", \"epochs\"]", "on = [\"n_embd\", \"norm\"]"),
             "norm is layernorm in n_embd=16,epochs=1: a slope needs numbers above 0");
  expect_has(error("name = \"spread\"", "name = \"spread\"\nmetric = \"excesss\""),
             "did you mean 'excess'");
  expect_has(error("name = \"cost\"", "name = \"cost\"\nmetric = \"gap\""),
             "metric is not of a compute_ratio");
  expect_has(error("name = \"gap\"", "name = \"gap\"\nmetric = \"kl\""),
             "kl is measured where measure has calibration in it");
  expect_has(error("name = \"gap\"", "name = \"gap\"\nmetric = \"crps\""),
             "the task lm has no crps");
  expect_has(error("name = \"gap\"", "name = \"gap\"\nmetric = \"test_bpb\""),
             "without a test split there is no test_bpb");
  expect_has(error("of = \"difference\"", "of = \"won_back\"\nby = \"p10\""), "is the arm itself");
  expect_has(error("name = \"gap\"", "name = \"gap\"\nmetric = \"probe.h.1.mlp.w1\""),
             "probe.h.1.mlp.w1 is not a place and statistic of the probe");
  expect_has(error("name = \"gap\"", "name = \"gap\"\nmetric = \"probe.h.0.mlp.w1\""),
             "measured where measure has moments");
  expect_has(error("name = \"gap\"", "name = \"gap\"\nagainst = \"p10\""), "against itself is 0");
  expect_has(error("name = \"gap\"", "name = \"gap\"\nagainst = \"p20\""), "no arm 'p20'");
  expect_has(error("name = \"gap\"", "name = \"gap\"\nby = \"p10\""), "by is not of a difference");
  expect_has(error("of = \"difference\"", "of = \"won_back\""), "by = an arm is needed");
  expect_has(error("axes.n_embd", "cells = [\"x: seed=3\"]\naxes.n_embd"),
             "s.toml:15:9: cell 'x: seed=3': seed is the same");
  expect_has(error("axes.n_embd", "cells = [\"x: lr=0.1|0.2\"]\naxes.n_embd"),
             "only arms have alternatives");
  expect_has(error("axes.n_embd", "cells = [\"x: lr=0.1\", \"x: lr=0.2\"]\naxes.n_embd"),
             "two cells are called 'x'");
  expect_has(error("axes.n_embd = [16, 32]", "axes.seed = [1, 2]"), "axis seed: seed is the same");
  expect_has(error("of = \"difference\"", "of = \"diference\""), "did you mean 'difference'");
  expect_has(error("cell = \"n_embd=32,epochs=4\"", "cell = \"epochs=4\""), "no cell 'epochs=4'");
  expect_has(error("name = \"gap\"", "name = \"cost\""), "two figures are called 'cost'");
  expect_has(error("\"cost above 1\"", "\"costs above 1\""), "no figure is called 'costs'");
  expect_has(error("\"cost above 1\"", "\"cost over 1\""), "FIGURE above NUMBER");
  expect_has(error("\"cost above 1\"", "\"cost above one\""), "'one' is no number");
  expect_has(error("contradicted = [\"cost below 1\"]\n", ""), "come out either way");
  expect_has(error("coefficient = \"n_embd\"", "coefficient = \"lr\""), "'lr' is none of on");
  expect_has(error("[study]", "[studies]"), "no [study]");
  EXPECT_ERROR(read_study_file(folder.path(), false), "is a folder");
  EXPECT_ERROR(read_study_file(folder.path() / "none.toml", false), "cannot be read");
}

// Whatever is in the file, it is read or refused.
TEST_F(StudyFileTest, NoMutationGetsThrough) {
  engine::Sequence random(engine::stream_key(1, engine::Stream::kSample), 5);
  int refused = 0;
  for (int i = 0; i < 400; ++i) {
    std::string mutated = text;
    for (int k = 0; k < 3; ++k)
      mutated[random.below(mutated.size())] = static_cast<char>(random.below(256));
    folder.write("m.toml", mutated);
    try {
      check_figures(read_study_file(folder.path() / "m.toml", false));
    } catch (const base::Error& e) {
      EXPECT_STRNE(e.what(), "");
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

/// What parse_toml says; empty where it takes it.
std::string said_of(const std::string& text) {
  try {
    base::parse_toml(text, "f.toml");
  } catch (const base::Error& e) {
    return e.what();
  }
  return "";
}

std::string repeated(const std::string& part, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += part;
  return out;
}

TEST(Toml, DepthIsBoundBeforeTheParserRecurses) {
  constexpr const char* kDeep = "f.toml: a key of more than 64 parts, or brackets nested as deep";
  const std::string dots = repeated("a.", 160'000) + "a", quoted = repeated("\"a\" . ", 100) + "a";
  for (const std::string& deep :
       {dots + " = 1", "[" + dots + "]", "[[" + dots + "]]", quoted + " = 1",
        "x = " + repeated("[", 100'000), "x = " + repeated("{a = ", 100'000),
        "x = \"\"\"\"\"\"\n" + dots + " = 1", "x = [\"\"\"a\"\"\"\", {" + dots + " = 1}]",
        "# \"\n" + dots + " = 1", "x = 'a\\'\n" + dots + " = 1"})
    EXPECT_NE(said_of(deep).find(kDeep), std::string::npos) << deep.substr(0, 40) << said_of(deep);
  EXPECT_EQ(said_of("x = [" + repeated("0.5, ", 1000) + "]"), "");
  EXPECT_EQ(said_of("x = \"" + repeated("a.", 1000) + "\""), "") << "a text, no key";
  EXPECT_EQ(said_of("x = \"\\\"" + repeated("a.", 1000) + "\""), "");
  EXPECT_EQ(said_of("x = '''" + repeated("a.[", 1000) + "''' # " + repeated("[", 1000)), "");
  EXPECT_EQ(said_of(repeated("[a]\nb.c = 1\n", 1).substr(0) + repeated("# [\n", 1000)), "");
}

TEST(Toml, ControlCharactersAreRefusedWhereTheyStand) {
  EXPECT_EQ(said_of("title = \"a\\u001b[2J\""),
            "f.toml:1:9: 'a\\x1b[2J' has control characters; leave them out");
  EXPECT_NE(said_of("a = [{b = [\"\u202e\"]}]").find("'\\u{202e}'"), std::string::npos);
  EXPECT_NE(said_of("\"a\\u009b\" = 1").find("'a\\u{9b}'"), std::string::npos);
  EXPECT_EQ(said_of("prompt = \"a\\n\\tb\""), "");
  // Raw ones, too: the parser takes a zero in a table's name for something else.
  EXPECT_EQ(said_of(std::string("a = 1\n[\0b]\n", 11)),
            "f.toml:2: a control character (byte 0x00); remove it");
  EXPECT_EQ(said_of("a = 1\n# \x7f"), "f.toml:2: a control character (byte 0x7f); remove it");
  EXPECT_EQ(said_of("a = 1\r\n\tb = 2\n"), "");
}

}  // namespace
}  // namespace lab
