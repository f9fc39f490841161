// Profiles: rows that add up, whatever the steps took. What is measured decides nothing here.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "lab/inspect/profile_render.h"
#include "tests/lab/four_steps.h"
#include "tests/train/small_corpus.h"

namespace lab {
namespace {

using Kind = engine::Event::Kind;

using tests::four_steps;
using tests::kRoof;

/// Two nodes of a layer and a head, `steps` steps of which the last takes a second.
ArmProfile made_up(const std::string& name, int steps, double scale = 1) {
  ArmProfile p;
  p.name = name;
  p.nodes = {{"h.0.mlp", "matmul", 0}, {"h.0.gelu", "gelu", 0}, {"head", "matmul", -1}};
  const engine::Cost big{1e6, 1e4}, small{1e3, 1e5};
  p.events = {{0, Kind::kForward, big},  {1, Kind::kForward, small},  {2, Kind::kForward, big},
              {2, Kind::kBackward, big}, {1, Kind::kBackward, small}, {0, Kind::kReplay, big},
              {0, Kind::kBackward, big}};
  p.micro_steps = 2;
  p.optimizer = {1e3, 1e4};
  p.tokens = 64;
  p.flops = 1e7;
  for (int i = 0; i < steps; ++i) {
    StepSample s;
    for (std::size_t e = 0; e < p.events.size(); ++e)
      s.events.push_back(scale * 1e-3 * static_cast<double>(e + 1) + 1e-5 * i);
    s.data = 1e-4;
    s.optimizer = 2e-3;
    s.wall = s.data + s.optimizer + 5e-4;
    for (const double t : s.events) s.wall += t;
    if (i == steps - 1) s.events[0] += 1, s.wall += 1;
    p.plain.push_back(s.wall * 0.999);
    p.samples.push_back(s);
  }
  return p;
}

double sum_of(const ProfileTable& t) {
  double sum = 0;
  for (const ProfileRow& r : t.rows) sum += r.total.ms;
  return sum;
}

const ProfileRow& row(const ProfileTable& t, const std::string& name) {
  return *std::find_if(t.rows.begin(), t.rows.end(),
                       [&](const ProfileRow& r) { return r.name == name; });
}

TEST(ProfileTable, RowsAddUpToTheStep) {
  const ArmProfile p = made_up("a", 20);
  for (const By by : {By::kOp, By::kLayer, By::kNode}) {
    const ProfileTable t = profile_table(p, kRoof, by);
    EXPECT_NEAR(sum_of(t), t.step_ms, 1e-9 * t.step_ms);
    EXPECT_LT(t.step_ms, 40);  // the step that was held up is not typical
    double shares = 0;
    for (const ProfileRow& r : t.rows) shares += r.share;
    EXPECT_NEAR(shares, 1, 1e-9);
    EXPECT_NEAR(row(t, kUntrackedRow).total.ms, 0.5, 1e-9);
  }
}

TEST(ProfileTable, GroupsByOpLayerAndNode) {
  const ArmProfile p = made_up("a", 4);
  const auto names = [&](By by) {
    std::vector<std::string> out;
    for (const ProfileRow& r : profile_table(p, kRoof, by).rows) out.push_back(r.name);
    return out;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(By::kOp), (Names{"matmul", "gelu", "optimizer", "data", "untracked"}));
  EXPECT_EQ(names(By::kLayer), (Names{"h.0", "head", "optimizer", "data", "untracked"}));
  EXPECT_EQ(names(By::kNode),
            (Names{"h.0.mlp", "h.0.gelu", "head", "optimizer", "data", "untracked"}));
}

TEST(ProfileTable, CountsCallsCostAndRoof) {
  const ProfileTable t = profile_table(made_up("a", 4), kRoof, By::kNode);
  const ProfileRow& mlp = row(t, "h.0.mlp");
  EXPECT_EQ(mlp.forward.calls, 2);   // of two micro-steps
  EXPECT_EQ(mlp.backward.calls, 4);  // with what runs again
  EXPECT_DOUBLE_EQ(mlp.total.cost.flops, 6e6);
  EXPECT_DOUBLE_EQ(*mlp.total.intensity(), 100);
  EXPECT_DOUBLE_EQ(*mlp.total.gflops(), 6 / mlp.total.ms);
  // 1e6 FLOPs at 100 GFLOP/s take 10 us, 1e4 bytes at 10 GB/s take 1.
  EXPECT_DOUBLE_EQ(mlp.total.least_ms, 6 * 0.01);
  EXPECT_DOUBLE_EQ(row(t, "h.0.gelu").total.least_ms, 4 * 0.01);  // bound by its 1e5 bytes
  const ProfileRow& data = row(t, kDataRow);
  EXPECT_FALSE(data.total.gflops().has_value());
  EXPECT_FALSE(data.total.of_roof().has_value());
}

// Layers in which a call says the same are one row; the table of how is of all calls that say.
TEST(ProfileTable, HowTogetherWhereLayersAgree) {
  ArmProfile p = made_up("a", 4);
  p.nodes = {{"h.0.mlp", "matmul", 0}, {"h.1.mlp", "matmul", 1}, {"head", "matmul", -1}};
  const std::vector<std::string> says = {"jit, whole", "jit, whole", "", "jit, packed",
                                         "b",          "jit, whole", "c"};
  for (std::size_t e = 0; e < says.size(); ++e) p.events[e].how = says[e];
  const ProfileTable t = profile_table(p, kRoof, By::kOp);
  std::vector<std::string> rows;
  for (const HowRow& r : t.how)
    rows.push_back(fmt::format("{}, {}: {}, {}", r.name, r.pass, r.how, r.part.calls));
  EXPECT_EQ(rows, (std::vector<std::string>{
                      "h.*.mlp, forward: jit, whole, 4", "head, backward: jit, packed, 2",
                      "h.*.mlp, backward: b, 2", "h.*.mlp, replay: jit, whole, 2",
                      "h.*.mlp, backward: c, 2"}));
  const HowRow& head = t.how[1];
  EXPECT_DOUBLE_EQ(head.of_peak, 2e6 / (head.part.ms * 1e6) / 100);
}

TEST(ProfileTable, TaxesAddUpToTheDifference) {
  const ArmProfile first = made_up("none", 12);
  ArmProfile second = made_up("dropout=0.1", 12, 1.25);
  second.nodes[1] = {"h.0.noise", "dropout", 0};  // an op that the first arm has not
  const ProfileTable a = profile_table(first, kRoof, By::kOp),
                     b = profile_table(second, kRoof, By::kOp);
  double sum = 0;
  std::vector<std::string> names;
  for (const TaxRow& r : tax_rows(a, b)) {
    sum += r.tax_ms();
    names.push_back(r.name);
  }
  EXPECT_NEAR(sum, b.step_ms - a.step_ms, 1e-9);
  EXPECT_EQ(names, (std::vector<std::string>{"matmul", "gelu", "dropout", "optimizer", "data",
                                             "untracked"}));
}

// Four steps, whose typical ones are those of 20 and 30 ms.
TEST(ProfileTable, FiguresOfFourSteps) {
  const ProfileTable t = profile_table(four_steps(), kRoof, By::kOp);
  EXPECT_DOUBLE_EQ(t.step_ms, 25);
  EXPECT_DOUBLE_EQ(t.step_quartiles.lo, 17.5);
  EXPECT_DOUBLE_EQ(t.step_quartiles.hi, 47.5);
  EXPECT_DOUBLE_EQ(t.plain_ms, 20);  // of 8, 16, 24, 80
  EXPECT_DOUBLE_EQ(t.tokens_per_second, 80 / 0.02);
  EXPECT_DOUBLE_EQ(t.gflops, 2);
  EXPECT_DOUBLE_EQ(t.overhead.ratio, 1.25);
  ASSERT_EQ(t.rows.size(), 4U);
  const ProfileRow& mm = t.rows[0];
  EXPECT_EQ(mm.forward.calls, 2);
  EXPECT_DOUBLE_EQ(mm.forward.ms, 5);
  EXPECT_DOUBLE_EQ(mm.forward.least_ms, 0.04);
  EXPECT_DOUBLE_EQ(mm.backward.ms, 7.5);
  EXPECT_DOUBLE_EQ(mm.total.ms, 12.5);
  EXPECT_DOUBLE_EQ(mm.quartiles.lo, 8.75);
  EXPECT_DOUBLE_EQ(mm.quartiles.hi, 31.25);
  EXPECT_DOUBLE_EQ(mm.share, 0.5);
  EXPECT_DOUBLE_EQ(*mm.total.gflops(), 0.96);
  EXPECT_DOUBLE_EQ(*mm.total.gbps(), 0.0048);
  EXPECT_DOUBLE_EQ(*mm.total.intensity(), 200);
  EXPECT_DOUBLE_EQ(*mm.total.of_roof(), 0.0096);
  const ProfileRow& optimizer = row(t, kOptimizerRow);
  EXPECT_EQ(optimizer.total.calls, 1);
  EXPECT_DOUBLE_EQ(optimizer.total.ms, 4);
  EXPECT_DOUBLE_EQ(*optimizer.total.of_roof(), 0.01);  // bound by its bytes
  EXPECT_DOUBLE_EQ(row(t, kDataRow).total.ms, 2);
  EXPECT_DOUBLE_EQ(row(t, kUntrackedRow).total.ms, 6.5);
}

// The tax is the second over the first.
TEST(ProfileTable, TheStepsTaxIsOfPlainSteps) {
  ArmProfile first = four_steps(), second = four_steps();
  for (double& seconds : second.plain) seconds *= 1.5;
  EXPECT_DOUBLE_EQ(step_tax(first, second).ratio, 1.5);
}

train::Settings tiny() {
  train::Settings s;
  s.n_layer = 2, s.n_head = 2, s.n_embd = 32, s.block_size = 16, s.batch = 4, s.grad_accum = 2;
  s.budget = "100steps";
  return s;
}

TEST(Profile, OfRealStepsAddsUp) {
  const train::LanguageModelling corpus(tests::small_corpus(5000, 100));
  const std::vector<std::string> texts = {"none", "dropout=0.1"};
  ProfileOptions options;
  options.steps = 6;
  options.seconds = 1e9;  // however busy the machine is
  options.trace_events = 300;
  const Profile profile = measure_profile(parse_arms(texts, tiny()), corpus, options);
  ASSERT_EQ(profile.arms.size(), 2U);
  EXPECT_GT(profile.roof.gflops, 0);
  EXPECT_GT(profile.roof.gbps, 0);
  for (const ArmProfile& a : profile.arms) {
    ASSERT_EQ(a.samples.size(), 6U);
    EXPECT_EQ(a.plain.size(), 6U);
    EXPECT_LE(a.trace.size(), 150U);
    for (const StepSample& s : a.samples)  // nothing is counted twice
      EXPECT_LE(
          s.data + s.optimizer +
              [&] {
                double sum = 0;
                for (const double e : s.events) sum += e;
                return sum;
              }(),
          s.wall);
    const ProfileTable t = profile_table(a, profile.roof, By::kOp);
    EXPECT_NEAR(sum_of(t), t.step_ms, 1e-6 * t.step_ms);
    EXPECT_EQ(row(t, "matmul").forward.calls, 2 * (2 * 4));
    EXPECT_EQ(row(t, "linear_cross_entropy").backward.calls, 2);
  }
  for (const ArmProfile& a : profile.arms) {
    EXPECT_EQ(a.micro_steps, 2);
    EXPECT_EQ(a.tokens, 4 * 16);
    EXPECT_GT(a.flops, 6 * 64 * 2 * 12 * 32 * 32);  // 6N a token, N > 12·L·C²
    EXPECT_LT(a.flops, 8 * 64 * 2 * 12 * 32 * 32);
    for (const ArmProfile::Call& c : a.events)
      if (a.nodes[static_cast<std::size_t>(c.node)].name == "h.1.mlp.c_fc") {  // (64/2,32)·(32,128)
        EXPECT_EQ(c.cost.flops, (c.kind == Kind::kBackward ? 2 : 1) * 2.0 * 32 * 32 * 128);
      }
  }
}

// The slices up to a step's end are its sample, and it spans them.
TEST(Profile, TheTraceTellsWhatTheSamplesSumUp) {
  const train::LanguageModelling corpus(tests::small_corpus(5000, 100));
  const std::vector<std::string> texts = {"none"};
  ProfileOptions options;
  options.steps = 2;
  options.trace_events = 150;
  const Profile profile = measure_profile(parse_arms(texts, tiny()), corpus, options);
  const ArmProfile& a = profile.arms[0];
  EXPECT_EQ(a.trace.size(), 150U);  // bounded, within the second step
  double data = 0, optimizer = 0, events = 0, end = 0;
  std::size_t i = 0;
  for (; a.trace[i].event != TraceSlice::kStep; ++i) {
    const TraceSlice& s = a.trace[i];
    EXPECT_GE(s.start, end - 1e-6) << i;  // of clocks read one after the other
    end = s.start + s.seconds;
    (s.event == TraceSlice::kData        ? data
     : s.event == TraceSlice::kOptimizer ? optimizer
                                         : events) += s.seconds;
  }
  EXPECT_EQ(a.trace[0].event, TraceSlice::kData);
  EXPECT_EQ(a.trace[i - 1].event, TraceSlice::kOptimizer);
  const TraceSlice& step = a.trace[i];
  EXPECT_LE(step.start, a.trace[0].start);
  EXPECT_GE(step.start + step.seconds, end - 1e-6);
  const StepSample& sample = a.samples[0];
  EXPECT_EQ(step.seconds, sample.wall);
  EXPECT_NEAR(data, sample.data, 1e-12);
  EXPECT_NEAR(optimizer, sample.optimizer, 1e-12);
  EXPECT_NEAR(events, std::accumulate(sample.events.begin(), sample.events.end(), 0.0), 1e-12);
}

// Dropout that is off from half of the budget on.
TEST(Profile, StepsAreMadeAtTheProgressAskedFor) {
  const train::LanguageModelling corpus(tests::small_corpus(5000, 100));
  const std::vector<std::string> texts = {"none", "reg=dropout:0.5~early_cut:0.5"};
  for (const double progress : {0.25, 0.75}) {
    ProfileOptions options;
    options.steps = 1;
    options.progress = progress;
    const Profile profile = measure_profile(parse_arms(texts, tiny()), corpus, options);
    EXPECT_EQ(profile.progress, progress);
    EXPECT_EQ(profile.arms[0].loss == profile.arms[1].loss, progress == 0.75);
    EXPECT_GT(profile.arms[0].loss, 0);
  }
}

}  // namespace
}  // namespace lab
