// Profiles: rows that add up, whatever the steps took; pictures and traces that parse. What is
// measured decides nothing here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "lab/inspect/profile_render.h"
#include "tests/train/small_corpus.h"

namespace lab {
namespace {

using Kind = engine::Event::Kind;

constexpr Roof kRoof{100, 10};  // GFLOP/s, GB/s

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

ProfileHead head() {
  return {"made up", 12, {{"cpu", "a <CPU> & more"}, {"isa", "none"}, {"threads", 2}}};
}

TEST(ProfileRender, JsonHasWhatIsKnownAndNullWhereNot) {
  Profile profile{kRoof, {made_up("none", 3), made_up("b", 3, 1.1)}};
  std::vector<ProfileTable> tables;
  for (const ArmProfile& a : profile.arms) tables.push_back(profile_table(a, kRoof, By::kOp));
  const auto json = to_json(head(), profile, tables);
  ASSERT_EQ(json["arms"].size(), 2U);
  for (const auto& arm : json["arms"]) {
    double sum = 0;
    for (const auto& r : arm["rows"]) sum += r["ms"].get<double>();
    EXPECT_NEAR(sum, arm["step_ms"].get<double>(), 1e-6);
    EXPECT_TRUE(arm["overhead"]["ci95"].is_null());  // of three steps
    EXPECT_TRUE(arm["rows"].back()["gflops"].is_null());
  }
  EXPECT_EQ(json["tax"]["rows"].size(), 5U);
  EXPECT_TRUE(to_json(head(), {kRoof, {profile.arms[0]}}, {tables[0]})["tax"].is_null());
  EXPECT_NE(render_text(head(), profile, tables).find("what b takes longer"), std::string::npos);
}

/// Whether every tag is closed in order, and no text holds a bare '&'.
bool well_formed(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t i = xml.find('<'); i != std::string::npos; i = xml.find('<', i)) {
    const std::size_t end = xml.find('>', i);
    if (end == std::string::npos) return false;
    const std::string tag = xml.substr(i + 1, end - i - 1), name = tag.substr(0, tag.find(' '));
    if (tag.find('<') != std::string::npos) return false;
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return false;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    i = end;
  }
  for (std::size_t i = xml.find('&'); i != std::string::npos; i = xml.find('&', i + 1))
    if (xml.compare(i, 5, "&amp;") != 0 && xml.compare(i, 4, "&lt;") != 0 &&
        xml.compare(i, 4, "&gt;") != 0 && xml.compare(i, 6, "&quot;") != 0)
      return false;
  return open.empty();
}

TEST(ProfileRender, RooflineIsWellFormedAndNamesItsPoints) {
  const Profile profile{kRoof, {made_up("<a&b>", 5), made_up("b", 5)}};
  std::vector<ProfileTable> tables;
  for (const ArmProfile& a : profile.arms) tables.push_back(profile_table(a, kRoof, By::kNode));
  const std::string svg = roofline_svg(head(), kRoof, tables);
  EXPECT_TRUE(well_formed(svg)) << svg;
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  for (const char* text : {"GFLOP/s", "FLOP per byte", "100 GFLOP/s", "10.0 GB/s", "h.0.gelu",
                           "optimizer", "&lt;a&amp;b&gt;"})
    EXPECT_NE(svg.find(text), std::string::npos) << text;
}

train::Settings tiny() {
  train::Settings s;
  s.n_layer = 2, s.n_head = 2, s.n_embd = 32, s.block_size = 16, s.batch = 4, s.grad_accum = 2;
  s.budget = "100steps";
  return s;
}

TEST(Profile, OfRealStepsAddsUpAndItsTraceIsBounded) {
  const train::Corpus corpus = tests::small_corpus(5000, 100);
  const std::vector<std::string> texts = {"none", "dropout=0.1"};
  ProfileOptions options;
  options.steps = 6;
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
  const auto trace = nlohmann::json::parse(trace_json(profile));
  const auto& events = trace["traceEvents"];
  EXPECT_LE(events.size(), 300U + 2 * kTraceNames);
  for (const auto& e : events) {
    if (e["ph"] == "M") continue;
    EXPECT_EQ(e["ph"], "X");
    EXPECT_GE(e["dur"].get<double>(), 0);
    EXPECT_GE(e["ts"].get<double>(), 0);
  }
}

}  // namespace
}  // namespace lab
