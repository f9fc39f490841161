// Every figure of a profile, from samples made by hand to the characters printed.
#include "lab/inspect/profile_render.h"

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "lab/inspect/profile_html.h"
#include "tests/lab/four_steps.h"
#include "tests/page_data.h"

namespace lab {
namespace {

/// Two arms; the second has a row more, and its plain steps took 1 % to 128 % longer.
struct MadeUp {
  Profile profile{tests::kRoof, 0.25, {tests::four_steps(), tests::four_steps()}};
  std::vector<ProfileTable> tables;

  MadeUp() {
    for (const ArmProfile& a : profile.arms)
      tables.push_back(profile_table(a, profile.roof, By::kOp));
    ProfileTable& b = tables[1];
    b.arm = "b";
    b.rows[0].total.ms = 14;
    ProfileRow noise;
    noise.name = "dropout";
    noise.forward.calls = 2;
    noise.forward.ms = noise.total.ms = 3;
    b.rows.insert(b.rows.begin() + 1, noise);
    profile.arms[0].plain.assign(8, 0.01);
    profile.arms[1].plain = {0.0101, 0.0102, 0.0104, 0.0108, 0.0116, 0.0132, 0.0164, 0.0228};
  }
  std::vector<ProfileTable> first() const { return {tables[0]}; }
};

const ProfileHead kHead{"nano, B 12, T 64", 4, {{"cpu", "Zen"}, {"isa", "AVX2"}, {"threads", 2}}};

/// The words of every line that has any, a blank between two.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string joined;
    for (std::string word; words >> word;) joined += (joined.empty() ? "" : " ") + word;
    if (!joined.empty()) lines.push_back(joined);
  }
  return lines;
}

/// Equal, numbers to 12 digits.
void expect_near(const nlohmann::json& a, const nlohmann::json& b, const std::string& path) {
  if (a.is_number() && b.is_number()) {
    EXPECT_NEAR(a.get<double>(), b.get<double>(), 1e-12 * std::abs(b.get<double>())) << path;
    return;
  }
  ASSERT_EQ(a.is_structured(), b.is_structured()) << path;
  if (!a.is_structured()) {
    EXPECT_EQ(a, b) << path;
    return;
  }
  const nlohmann::json flat = a.flatten(), expected = b.flatten();
  ASSERT_EQ(flat.size(), expected.size()) << path;
  for (const auto& [key, value] : expected.items()) {
    ASSERT_TRUE(flat.contains(key)) << path << key;
    expect_near(flat[key], value, path + key);
  }
}

TEST(ProfileRender, TextOfOneArm) {
  const MadeUp m;
  const std::vector<std::string> expected = {
      "nano, B 12, T 64, rates at 0.25 of the budget; Zen, AVX2, 2 threads",
      "measured here: 100 GFLOP/s (FMA), 10.0 GB/s (copy in memory); ridge point: 10.0",
      "FLOP/byte",
      "Warning: this machine is busy: the middle half of the steps differ by 120 %.",
      "Trust the intervals, not single times, or run it again when the machine is idle.",
      "a: 20.000 ms a step, 4000 tokens/s, 2 GFLOP/s = 2 % of peak",
      "forward ms backward ms total ms share GFLOP/s % of roofline",
      "matmul 5.000 7.500 12.500 50.0 % 0.96 1",
      "optimizer - - 4.000 16.0 % 0.25 1",
      "data - - 2.000 8.0 % - -",
      "untracked - - 6.500 26.0 % - -",
      "step 25.000 quartiles 17.500 to 47.500",
      "matmul pass ms GFLOP/s % of peak how",
      "head forward 5.000 0.80 1 jit, packed",
      "overhead of profiling: +25.00 %",
      "Times are means over the middle half of 4 steps, so rows add up to the step. %",
      "of roofline: the shortest time possible at the measured peaks, with all bytes",
      "from memory, over the time taken; above 100 if the caches held the data."};
  EXPECT_EQ(lines_of(render_text(kHead, m.profile, m.first())), expected);
}

TEST(ProfileRender, TextOfWhatTheSecondArmTakesLonger) {
  const MadeUp m;
  const std::string text = render_text(kHead, m.profile, m.tables);
  const std::vector<std::string> expected = {
      "overhead of b over a",
      "first ms second ms overhead ms 95 % interval % of step",
      "matmul 12.500 14.000 +1.500 - +6.00",
      "dropout 0.000 3.000 +3.000 - +12.00",
      "optimizer 4.000 4.000 +0.000 - +0.00",
      "data 2.000 2.000 +0.000 - +0.00",
      "untracked 6.500 6.500 +0.000 - +0.00",
      "step time, steps of both in turns: +18.28 % (95 % interval +2.49 to +64.00)"};
  const std::size_t from = text.find("overhead of b"), to = text.find("\n\nTimes are");
  ASSERT_NE(to, std::string::npos);
  EXPECT_EQ(lines_of(text.substr(from, to - from)), expected);
  for (const std::string& line : lines_of(text)) EXPECT_LE(line.size(), 80U) << line;
  EXPECT_EQ(text.find("nan "), text.npos);
}

// Single times of a busy machine are no differences: six pairs give an interval, a quiet machine no
// warning.
TEST(ProfileRender, DifferencesHaveIntervalsAndUnrestAWarning) {
  MadeUp m;
  for (ProfileTable& t : m.tables) {
    t.step_quartiles = {t.step_ms * 0.99, t.step_ms * 1.01};
    for (ProfileRow& r : t.rows) r.samples.assign(8, r.total.ms);
  }
  m.tables[1].rows[0].samples = {12, 16, 13, 15, 14, 14, 11, 17};
  const std::string quiet = render_text(kHead, m.profile, m.tables);
  EXPECT_EQ(quiet.find("Warning"), quiet.npos) << quiet;
  const std::vector<TaxRow> rows = tax_rows(m.tables[0], m.tables[1]);
  ASSERT_TRUE(rows[0].paired && rows[1].paired);
  EXPECT_LT(rows[0].paired->ci95->lo, 1.5);
  EXPECT_GT(rows[0].paired->ci95->hi, 1.5);
  EXPECT_EQ(rows[1].paired->ci95->lo, 3) << "a row that the first arm lacks";
}

TEST(ProfileRender, JsonOfEveryFigure) {
  const MadeUp m;
  const auto part = [](double calls, double ms, double flops, double bytes,
                       const nlohmann::json& gflops, const nlohmann::json& gbps,
                       const nlohmann::json& intensity, const nlohmann::json& of_roof) {
    return nlohmann::json{{"calls", calls},         {"ms", ms},          {"flops", flops},
                          {"bytes", bytes},         {"gflops", gflops},  {"gbps", gbps},
                          {"intensity", intensity}, {"of_roof", of_roof}};
  };
  const auto row = [](const char* name, nlohmann::json total, double lo, double hi, double share,
                      const nlohmann::json& forward, const nlohmann::json& backward) {
    total["name"] = name;
    total["quartiles"] = {lo, hi};
    total["share"] = share;
    total["forward"] = forward;
    total["backward"] = backward;
    return total;
  };
  const nlohmann::json null;
  const nlohmann::json expected = {
      {"schema", "isodrop-profile-1"},
      {"what", "nano, B 12, T 64"},
      {"steps", 4},
      {"progress", 0.25},
      {"environment", {{"cpu", "Zen"}, {"isa", "AVX2"}, {"threads", 2}}},
      {"peak", {{"gflops", 100}, {"gbps", 10}}},
      {"arms",
       {{{"name", "a"},
         {"step_ms", 25},
         {"step_quartiles", {17.5, 47.5}},
         {"unobserved_ms", 20},
         {"overhead", {{"ratio", 1.25}, {"ci95", null}}},
         {"tokens_per_second", 4000},
         {"gflops", 2},
         {"rows",
          {row("matmul", part(4, 12.5, 12e6, 6e4, 0.96, 0.0048, 200, 0.0096), 8.75, 31.25, 0.5,
               part(2, 5, 4e6, 2e4, 0.8, 0.004, 200, 0.008),
               part(2, 7.5, 8e6, 4e4, 8 / 7.5, 0.04 / 7.5, 200, 0.08 / 7.5)),
           row("optimizer", part(1, 4, 1e6, 4e5, 0.25, 0.1, 2.5, 0.01), 3.5, 4, 0.16, null, null),
           row("data", part(2, 2, 0, 0, null, null, null, null), 1, 1.5, 0.08, null, null),
           row("untracked", part(0, 6.5, 0, 0, null, null, null, null), 4.25, 9.75, 0.26, null,
               null)}},
         {"how",
          {{{"name", "head"},
            {"pass", "forward"},
            {"how", "jit, packed"},
            {"calls", 2},
            {"ms", 5},
            {"gflops", 0.8},
            {"of_peak", 0.008}}}}}}},
      {"tax", null}};
  expect_near(to_json(kHead, m.profile, m.first()), expected, "");
  const nlohmann::json tax = to_json(kHead, m.profile, m.tables)["tax"];
  const nlohmann::json rows = {{"matmul", 12.5, 14, 1.5, 0.06},
                               {"dropout", 0, 3, 3, 0.12},
                               {"optimizer", 4, 4, 0, 0},
                               {"data", 2, 2, 0, 0},
                               {"untracked", 6.5, 6.5, 0, 0}};
  nlohmann::json named = nlohmann::json::array();
  for (const nlohmann::json& r : rows)
    named.push_back({{"name", r[0]},
                     {"first_ms", r[1]},
                     {"second_ms", r[2]},
                     {"tax_ms", r[3]},
                     {"of_step", r[4]}});
  expect_near(
      tax,
      {{"step_ratio", 1.1827725568452843}, {"ci95", {1.0248902380255165, 1.64}}, {"rows", named}},
      "tax");
}

TEST(ProfileRender, TraceOfEverySlice) {
  Profile p{tests::kRoof, 0.5, {tests::four_steps()}};
  p.arms[0].name = "caf\xc3\xa9 \xff";  // the last byte is no UTF-8
  p.arms[0].nodes[0].name = "h.0.mlp.c_fc";
  p.arms[0].trace = {{TraceSlice::kData, 0.5, 0.001},
                     {0, 0.501, 0.002},
                     {1, 0.503, 0},
                     {TraceSlice::kOptimizer, 0.503, 0.004},
                     {TraceSlice::kStep, 0.5, 0.007}};
  const nlohmann::json trace = nlohmann::json::parse(trace_json(p));
  EXPECT_EQ(trace["displayTimeUnit"], "ms");
  const auto slice = [](const char* name, const char* category, double ts, double dur) {
    return nlohmann::json{{"ph", "X"},        {"pid", 1},     {"tid", 1},       {"ts", 1e6 * ts},
                          {"dur", 1e6 * dur}, {"name", name}, {"cat", category}};
  };
  nlohmann::json forward = slice("h.0.mlp.c_fc", "forward", 0.501, 0.002);
  forward["args"] = {{"op", "matmul"}, {"pass", "forward"}, {"gflops", 1.0}, {"gbps", 0.005}};
  nlohmann::json backward = slice("h.0.mlp.c_fc", "backward", 0.503, 0);  // no time, no speed
  backward["args"] = {{"op", "matmul"}, {"pass", "backward"}};
  const nlohmann::json expected = {{{"ph", "M"},
                                    {"name", "process_name"},
                                    {"pid", 1},
                                    {"tid", 1},
                                    {"args", {{"name", "isodrop: caf\xc3\xa9 \xef\xbf\xbd"}}}},
                                   {{"ph", "M"},
                                    {"name", "thread_name"},
                                    {"pid", 1},
                                    {"tid", 1},
                                    {"args", {{"name", "training step"}}}},
                                   slice("data", "step", 0.5, 0.001),
                                   forward,
                                   backward,
                                   slice("optimizer", "step", 0.503, 0.004),
                                   slice("step", "step", 0.5, 0.007)};
  EXPECT_EQ(trace["traceEvents"], expected) << trace["traceEvents"].dump(1);
}

TEST(ProfileRender, ThePageOfOneArmStacksItsPasses) {
  const MadeUp m;
  const nlohmann::json page = tests::page_data(render_html(kHead, m.profile, m.first()));
  EXPECT_EQ(page["answer"],
            "A step of a takes 20.000 ms, 2 % of the FMA peak; matmul takes the most, 50 %.");
  const nlohmann::json& table = page["sections"][1]["table"];
  EXPECT_EQ(table[1], (nlohmann::json{"matmul", "12.500", "50.0 %", "1 %", "5.000", "7.500",
                                      "8.750 to 31.250", "4", "0.96", "0.0048", "200"}));
  EXPECT_EQ(table[3], (nlohmann::json{"data", "2.000", "8.0 %", "–", "–", "–", "1.000 to 1.500",
                                      "2", "–", "–", "–"}));
  EXPECT_EQ(table.back()[0], "step");
  EXPECT_EQ(page["sections"][1]["key"], 4);
  const nlohmann::json bars = tests::picture_of(page, 0, "bars");
  EXPECT_EQ(bars["at"]["ticks"][0], (nlohmann::json::array({0.0, "matmul"})));
  ASSERT_EQ(bars["series"].size(), 3U);
  EXPECT_EQ(bars["series"][0]["marks"][0][1], 5);
  EXPECT_NEAR(bars["series"][1]["marks"][0][1].get<double>(), 7.5, 1e-12);
  EXPECT_EQ(bars["series"][1]["stack"], "step");
  EXPECT_EQ(bars["series"][2]["marks"].size(), 3U) << "optimizer, data, untracked";
}

TEST(ProfileRender, ThePageHasTheRooflineAndTwoArmsBesideEachOther) {
  const MadeUp m;
  const nlohmann::json page = tests::page_data(render_html(kHead, m.profile, m.tables));
  const nlohmann::json bars = tests::picture_of(page, 0, "bars");
  ASSERT_EQ(bars["series"].size(), 2U);
  EXPECT_EQ(bars["series"][0]["marks"][0][1], 12.5);
  EXPECT_EQ(bars["series"][1]["marks"][0][1], 14);
  EXPECT_EQ(bars["at"]["ticks"].size(), 5U) << "a row of one arm alone, too";
  const std::vector<TaxRow> taxes = tax_rows(m.tables[0], m.tables[1]);
  const nlohmann::json& overhead = page["sections"][1];
  EXPECT_EQ(overhead["title"], "Overhead of b over a");
  ASSERT_EQ(overhead["table"].size(), taxes.size() + 2) << "heading and step";
  EXPECT_EQ(overhead["table"][1][0], "matmul");
  EXPECT_EQ(overhead["table"][1][1], "+1.500");
  const nlohmann::json roofline = tests::picture_of(page, 0, "roofline");
  EXPECT_TRUE(roofline["at"]["log"].get<bool>());
  const nlohmann::json& roof = roofline["series"][0]["marks"];
  ASSERT_EQ(roof.size(), 3U);
  EXPECT_EQ(roof[1][0], 10) << "the ridge point";
  EXPECT_EQ(roof[1][1], 100);
  EXPECT_NEAR(roof[0][1].get<double>(), 10 * roof[0][0].get<double>(), 1e-9);
  EXPECT_EQ(roof[2][1], 100);
  const ProfilePart& forward = m.tables[0].rows[0].forward;
  const nlohmann::json& point = roofline["series"][1]["marks"][0];
  EXPECT_NEAR(point[0].get<double>(), *forward.intensity(), 1e-9);
  EXPECT_NEAR(point[1].get<double>(), *forward.gflops(), 1e-9);
  EXPECT_EQ(point[4][0], "matmul");
  EXPECT_TRUE(roofline["series"][1]["named"].get<bool>()) << "stands beside the point";
  EXPECT_FALSE(roofline["series"][0]["named"].get<bool>());
  const ProfilePart& backward = m.tables[0].rows[0].backward;
  EXPECT_EQ(roofline["series"][2]["name"], "a, backward");
  EXPECT_NEAR(roofline["series"][2]["marks"][0][0].get<double>(), *backward.intensity(), 1e-9);
  EXPECT_NEAR(roofline["series"][2]["marks"][0][1].get<double>(), *backward.gflops(), 1e-9);
}

}  // namespace
}  // namespace lab
