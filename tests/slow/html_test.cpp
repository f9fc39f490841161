// The page in a browser: Chromium without a window runs the page's test of itself (page.js), which
// says what it found in the document. Skipped where Chromium is not installed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lab/report/html/page.h"
#include "tests/cli/cli_harness.h"
#include "tests/page_data.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

const char* chromium() {
  for (const char* path :
       {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"})
    if (fs::exists(path)) return path;
  return nullptr;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::size_t count_lines(const std::string& csv) {
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = csv.find("\r\n", at)) != std::string::npos; at += 2) ++lines;
  return lines;
}

class HtmlInChromium : public testing::Test {
 protected:
  void SetUp() override {
    if (chromium() == nullptr)
      GTEST_SKIP() << "Chromium is not installed: apt-get install chromium";
    folder.write("text.txt", small_text(12000));
  }

  /// What the page found out about itself.
  Json selftest(const fs::path& page, const std::string& query, int width = 1200) const {
    const Words command = {chromium(),
                           "--headless",
                           "--no-sandbox",
                           "--disable-gpu",
                           "--disable-dev-shm-usage",
                           "--user-data-dir=" + (folder.path() / "profile").string(),
                           fmt::format("--window-size={},900", width),
                           "--virtual-time-budget=10000",
                           "--dump-dom",
                           "file://" + (folder.path() / page).string() + "?selftest" + query};
    const Result result = Process::program(command, folder.path()).wait();
    EXPECT_EQ(result.code, 0) << result.err;
    const std::string begin = "<pre id=\"selftest\">";
    const std::size_t at = result.out.find(begin);
    if (at == std::string::npos) {
      ADD_FAILURE() << "the page did not get to its end: " << result.err;
      return nullptr;
    }
    std::string text = result.out.substr(at + begin.size());
    text.resize(text.find("</pre>"));
    text = replaced(replaced(replaced(text, "&lt;", "<"), "&gt;", ">"), "&amp;", "&");
    return Json::parse(text);
  }

  /// Every picture has the marks that the data say, answers a pointer, and its legend switches.
  void expect_whole(const fs::path& page, const std::string& query,
                    const std::string& theme) const {
    const Json data = page_data(folder.read(page)), seen = selftest(page, query);
    ASSERT_TRUE(seen.is_object());
    EXPECT_EQ(seen["problems"], Json::array());
    EXPECT_EQ(seen["theme"], theme);
    EXPECT_EQ(seen["scripts"], 5) << "no script but the page's own";
    std::size_t rows = 0, next = 0;
    for (const Json& section : data["sections"]) {
      if (!section["table"].empty()) rows += section["table"].size() - 1;
      for (const Json& picture : section["pictures"]) {
        ASSERT_LT(next, seen["pictures"].size());
        const Json& is = seen["pictures"][next++];
        SCOPED_TRACE(is.dump());
        EXPECT_EQ(is["id"], picture["id"]);
        EXPECT_EQ(is["namesLeftOut"], 0) << "of points";
        std::vector<std::size_t> wanted;
        std::size_t all = 0;
        for (const Json& series : picture["series"]) {
          wanted.push_back(0);
          for (const Json& mark : series["marks"]) wanted.back() += mark[1].is_null() ? 0 : 1;
          all += series["marks"].size();
        }
        EXPECT_EQ(is["marks"], Json(wanted)) << "in the area of the picture";
        EXPECT_EQ(is["entries"], picture["series"].size()) << "of the legend";
        ASSERT_GE(is["hover"].size(), 2U);
        EXPECT_EQ(is["hover"][0], picture["series"][0]["name"]);
        EXPECT_GE(is["before"], 1);
        EXPECT_EQ(is["off"], 0) << "the legend switches";
        EXPECT_EQ(is["after"], is["before"]);
        EXPECT_GT(is["colours"], 8) << "something is drawn";
        EXPECT_EQ(count_lines(is["csv"]), all + 1) << "a row for every mark";
        EXPECT_GT(is["png"], 5000);
        EXPECT_EQ(is["label"].get<std::string>().find(picture["title"].get<std::string>()), 0U);
      }
    }
    EXPECT_EQ(next, seen["pictures"].size());
    EXPECT_EQ(seen["tables"], rows);
  }

  const TempFolder folder;
};

TEST_F(HtmlInChromium, AComparison) {
  const Words args = {"compare",
                      "--text",
                      "text.txt",
                      "--preset",
                      "tiny",
                      "--n-embd",
                      "16",
                      "--batch",
                      "4",
                      "--block-size",
                      "16",
                      "--budget",
                      "40steps",
                      "--seeds",
                      "3",
                      "--epochs",
                      "1,4",
                      "--equivalent",
                      "--out",
                      "cmp",
                      "--arm",
                      "none",
                      "--arm",
                      "a: dropout=0.1",
                      "--arm",
                      "b: dropout=0.1|0.3",
                      "--tuning-seeds",
                      "1"};
  const Result result = isodrop(args, folder.path());
  ASSERT_EQ(result.code, 0) << describe(args, result);
  const Json data = page_data(folder.read("cmp/report.html"));
  for (std::size_t cell : {0, 1})
    for (const char* id : {"forest", "slopes", "tuning", "curves", "compute"})
      EXPECT_FALSE(picture_of(data, cell, id).is_null()) << id;
  expect_whole("cmp/report.html", "&light", "light");
  expect_whole("cmp/report.html", "&dark", "dark");
  // Interval and verdict are in sight at every width; 500 is as narrow as a window gets.
  for (const int width : {500, 900, 1400}) {
    const Json seen = selftest("cmp/report.html", "", width);
    ASSERT_EQ(seen["hidden"].size(), 2U) << "tables";
    for (const Json& hidden : seen["hidden"])
      for (const Json& head : hidden) {
        EXPECT_NE(head, "verdict") << width;
        EXPECT_EQ(head.get<std::string>().find("interval"), std::string::npos) << width;
        EXPECT_NE(head, "difference") << width;
      }
    EXPECT_EQ(seen["contents"], 4) << "two tables, both together, notes";
    EXPECT_EQ(seen["reloads"], 0) << "it is final";
    EXPECT_EQ(seen["navigation"], "navigate");
  }
}

/// A line that falls from `first` to 2.
lab::Page with_curve(double first) {
  lab::Picture picture{"curves", "Learning curves", "", {"step"}, {"loss"}};
  picture.value.trim = true;
  picture.series = {{"none", lab::Drawn::kLine}};
  for (int i = 0; i < 20; ++i)
    picture.series[0].marks.push_back({static_cast<double>(i), i == 0 ? first : 2 + 1.0 / (1 + i)});
  return {"curves", "", {}, {}, {{"", {}, {picture}}}, {}, ""};
}

TEST_F(HtmlInChromium, AnEarlySpikeLiesOutsideUntilAllValuesAreShown) {
  folder.write("spike.html", lab::to_html(with_curve(50)));
  expect_whole("spike.html", "&light", "light");  // which shows all
  EXPECT_EQ(selftest("spike.html", "")["pictures"][0]["button"], "Show all values (1 above)");
  folder.write("none.html", lab::to_html(with_curve(2.4)));
  EXPECT_EQ(selftest("none.html", "")["pictures"][0]["button"], "") << "nothing lies outside";
}

TEST_F(HtmlInChromium, ALastValueIsInSightHoweverHighItIs) {
  lab::Page page = with_curve(3);
  page.sections[0].pictures[0].series[0].marks.back().value = 90;
  folder.write("late.html", lab::to_html(page));
  EXPECT_EQ(selftest("late.html", "")["pictures"][0]["button"], "");
}

TEST_F(HtmlInChromium, APageThatIsNotFinalReloadsItself) {
  lab::Page page = with_curve(2);
  page.missing = {"one run"};
  folder.write("missing.html", lab::to_html(page));
  const Json seen = selftest("missing.html", "");
  EXPECT_EQ(seen["navigation"], "reload") << "it has been";
  EXPECT_EQ(seen["reloads"], 0) << "once, or the test would never end";
  for (const char* theme : {"&light", "&dark"})
    EXPECT_EQ(selftest("missing.html", theme)["navigation"], "navigate")
        << "a screenshot is of one page";
}

// As table.cpp's csv_field(): quoted where it must be, and no formula.
TEST_F(HtmlInChromium, TheDataOfAChartAsCsv) {
  lab::Picture picture{"forest", "Differences", "", {}, {"nats"}};
  picture.at.ticks = {{0, "dropout=0.1"}};
  picture.series = {{"=SUM(A1)"}, {"a, \"b\""}};
  picture.series[0].marks = {{0, -0.5, -0.75, -0.25, {"helps", "seed 1: -0.5"}}, {0.28, {}}};
  picture.series[1].marks = {{0, 1e-7}};
  folder.write("csv.html", lab::to_html({"csv", "", {}, {}, {{"", {}, {picture}}}, {}, ""}));
  EXPECT_EQ(selftest("csv.html", "")["pictures"][0]["csv"],
            "series,place,name,nats,low,high,note\r\n"
            "'=SUM(A1),0,dropout=0.1,-0.5,-0.75,-0.25,helps; seed 1: -0.5\r\n"
            "'=SUM(A1),0.28,,,,,\r\n"
            "\"a, \"\"b\"\"\",0,dropout=0.1,1e-7,,,\r\n");
}

TEST_F(HtmlInChromium, AProbeAndAProfile) {
  ASSERT_EQ(isodrop({"probe", "--preset", "tiny", "--dropout", "0.1", "--masks", "2", "--tokens",
                     "64", "--html", "probe.html"},
                    folder.path())
                .code,
            0);
  expect_whole("probe.html", "&light", "light");
  ASSERT_EQ(isodrop({"profile", "--preset", "tiny", "--steps", "3", "--html", "profile.html"},
                    folder.path())
                .code,
            0);
  expect_whole("profile.html", "&light", "light");
  ASSERT_EQ(isodrop({"profile", "--preset", "tiny", "--steps", "3", "--arm", "none", "--arm",
                     "dropout=0.1", "--html", "two.html"},
                    folder.path())
                .code,
            0);
  expect_whole("two.html", "&dark", "dark");
}

// The page of all claims that stands in docs.
TEST_F(HtmlInChromium, TheClaims) {
  fs::copy(fs::path(ISODROP_SOURCE_DIR) / "docs/claims/index.html", folder.path() / "claims.html");
  expect_whole("claims.html", "&light", "light");
}

// Markup wherever text may stand: shown, never obeyed.
TEST_F(HtmlInChromium, UntrustedText) {
  const std::string evil =
      "</script><script>throw 1</script><img src=x onerror=\"throw 2\"><!--'\"&lt;";
  lab::Picture picture{evil, evil, evil, {evil, false, {{0, evil}}}, {evil}};
  picture.series = {{evil}, {evil}};
  for (lab::Series& series : picture.series) series.marks = {{0, 1, 0.5, 2, {evil}}, {0, 2}};
  const std::vector<std::string> line = {evil, evil};
  const lab::Page page{evil,   evil, {evil, evil}, {evil}, {{evil, {line, line}, {picture}}},
                       {evil}, evil};
  folder.write("evil.html", lab::to_html(page));
  expect_whole("evil.html", "&light", "light");
  EXPECT_EQ(selftest("evil.html", "")["text"].get<std::string>().find(evil), 0U) << "as it is";
}

}  // namespace
}  // namespace tests
