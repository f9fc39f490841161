// Every figure of a probe, from a probe made by hand to the characters printed.
#include "lab/inspect/probe_render.h"

#include <gtest/gtest.h>

#include <sstream>

#include "lab/inspect/probe_html.h"
#include "tests/page_data.h"

namespace {

lab::Probe made_up() {
  lab::Probe p;
  p.masks = 8, p.batches = 3, p.rows = 4, p.time = 32, p.progress = 0.25;
  lab::ProbePoint at;
  at.site = "h.3.mlp", at.acting = "dropout:0.1", at.layer = 3;
  at.values = 6144, at.sampled = 1000;
  at.evaluation = {0.5, 2.25, -0.125, 1.75};
  at.training = {lab::MaskMean{0.5123, 0.0021}, lab::MaskMean{2.5, 0.01},
                 lab::MaskMean{-0.25, 1e-9}, lab::MaskMean{12.5, 3.0}};
  at.variance_ratio = lab::MaskMean{1.1113, 0.0002};
  at.w1 = lab::MaskMean{0.0775, 0};
  at.histogram = {-1, 3, {0.25, 0.75}, {0.5, 0.125}};
  lab::ProbePoint behind;
  behind.site = "emb", behind.value = "h.0.attn.c_attn";
  behind.values = behind.sampled = 7;
  behind.evaluation = {1, 0, std::nullopt, std::nullopt};
  behind.training[0] = lab::MaskMean{1, 0};
  p.points = {at, behind};
  return p;
}

const lab::ProbeHead kHead{"out/train", "dropout=0.1", "book.txt", 7};

std::string rendered(const std::string& format, bool color = false) {
  return lab::render(kHead, made_up(), format, color);
}

/// Every line with one blank between words.
std::string words(const std::string& text) {
  std::string out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line); out += '\n') {
    std::istringstream parts(line);
    bool first = true;
    for (std::string word; parts >> word; first = false) out += (first ? "" : " ") + word;
  }
  return out;
}

constexpr const char* kHeading = "out/train; dropout=0.1";
constexpr const char* kData =
    "384 tokens of book.txt (3 × 4 windows of 32), the same in both modes; 8 masks, seed 7; rates "
    "as at 0.25 of the budget";

TEST(ProbeRender, TextToTheFirstDigitOfTheStandardError) {
  const std::string text = rendered("text");
  EXPECT_EQ(text.substr(0, text.find("\n\n")), std::string(kHeading) + "\n" + kData);
  const std::size_t table = text.find("\n\n") + 2;
  EXPECT_EQ(words(text.substr(table, text.find("\n\n", table) - table)),
            "value mode mean variance skewness kurtosis variance ratio W1 acting\n"
            "h.3.mlp eval 0.5 2.25 -0.125 1.75\n"
            "train 0.512 ± 0.002 2.50 ± 0.01 -0.25 ± 1e-09 12 ± 3 1.1113 ± 0.0002 0.0775 "
            "dropout:0.1\n"
            "→ h.0.attn.c_attn eval 1 0 – –\n"
            "train 1 – – – – –\n");
  EXPECT_NE(text.find("Where there are more values, of 1000 at positions"), std::string::npos);
  lab::Probe whole = made_up();
  whole.points.erase(whole.points.begin());
  EXPECT_EQ(lab::render(kHead, whole, "text", false).find("Where there are"), std::string::npos);
  EXPECT_EQ(text.find("\033["), std::string::npos);
  EXPECT_NE(rendered("text", true).find("\033[1mvalue"), std::string::npos);
}

TEST(ProbeRender, MarkdownHasTheSameFigures) {
  const std::string md = rendered("md");
  for (const std::string& line :
       {std::string(kHeading) + "  \n" + kData + "  \n\n| value | mode | mean |",
        std::string("| h.3.mlp | eval | 0.5 | 2.25 | -0.125 | 1.75 |  |  |  |\n"),
        std::string("|  | train | 0.512 ± 0.002 | 2.50 ± 0.01 | -0.25 ± 1e-09 | 12 ± 3 | 1.1113 ± "
                    "0.0002 | 0.0775 | dropout:0.1 |\n"),
        std::string("|   → h.0.attn.c_attn | eval | 1 | 0 | – | – |  |  |  |\n"
                    "|  | train | 1 | – | – | – | – | – |  |\n")})
    EXPECT_NE(md.find(line), std::string::npos) << line << "\nin\n" << md;
}

TEST(ProbeRender, Csv) {
  EXPECT_EQ(rendered("csv"),
            "site,value,layer,acting,values,sampled,evaluation_mean,training_mean,training_mean_se,"
            "evaluation_variance,training_variance,training_variance_se,evaluation_skewness,"
            "training_skewness,training_skewness_se,evaluation_kurtosis,training_kurtosis,"
            "training_kurtosis_se,variance_ratio,variance_ratio_se,w1,w1_se\n"
            "h.3.mlp,,3,dropout:0.1,6144,1000,0.5,0.5123,0.0021,2.25,2.5,0.01,-0.125,-0.25,1e-09,"
            "1.75,12.5,3.0,1.1113,0.0002,0.0775,0.0\n"
            "emb,h.0.attn.c_attn,,,7,7,1.0,1.0,0.0,0.0,,,,,,,,,,,,\n");
}

TEST(ProbeRender, Json) {
  const auto estimate = [](double value, double se) {
    return nlohmann::json{{"value", value}, {"se", se}};
  };
  const nlohmann::json expected = {
      {"schema", "isodrop-probe-1"},
      {"model", "out/train"},
      {"regularizers", "dropout=0.1"},
      {"corpus", "book.txt"},
      {"seed", 7},
      {"masks", 8},
      {"batches", 3},
      {"rows", 4},
      {"time", 32},
      {"progress", 0.25},
      {"points",
       {{{"site", "h.3.mlp"},
         {"value", nullptr},
         {"layer", 3},
         {"acting", "dropout:0.1"},
         {"values", 6144},
         {"sampled", 1000},
         {"evaluation",
          {{"mean", 0.5}, {"variance", 2.25}, {"skewness", -0.125}, {"kurtosis", 1.75}}},
         {"training",
          {{"mean", estimate(0.5123, 0.0021)},
           {"variance", estimate(2.5, 0.01)},
           {"skewness", estimate(-0.25, 1e-9)},
           {"kurtosis", estimate(12.5, 3)}}},
         {"variance_ratio", estimate(1.1113, 0.0002)},
         {"w1", estimate(0.0775, 0)},
         {"histogram",
          {{"lo", -1}, {"hi", 3}, {"evaluation", {0.25, 0.75}}, {"training", {0.5, 0.125}}}}},
        {{"site", "emb"},
         {"value", "h.0.attn.c_attn"},
         {"layer", nullptr},
         {"acting", ""},
         {"values", 7},
         {"sampled", 7},
         {"evaluation",
          {{"mean", 1}, {"variance", 0}, {"skewness", nullptr}, {"kurtosis", nullptr}}},
         {"training",
          {{"mean", estimate(1, 0)},
           {"variance", nullptr},
           {"skewness", nullptr},
           {"kurtosis", nullptr}}},
         {"variance_ratio", nullptr},
         {"w1", nullptr},
         {"histogram",
          {{"lo", 0},
           {"hi", 0},
           {"evaluation", nlohmann::json::array()},
           {"training", nlohmann::json::array()}}}}}}};
  EXPECT_EQ(nlohmann::json::parse(rendered("json")), expected) << rendered("json");
}

TEST(ProbeRender, ThePageHasTheTableAndEveryFigure) {
  const nlohmann::json page = tests::page_data(lab::render_html(kHead, made_up()));
  EXPECT_EQ(page["facts"][0], kHeading);
  EXPECT_EQ(page["facts"][1], kData);
  EXPECT_EQ(page["answer"],
            "Between training and evaluation the variance differs most at h.3.mlp: 1.1113 × in "
            "training.");
  EXPECT_EQ(page["sections"][1]["table"], nlohmann::json(lab::probe_table(made_up())));
  EXPECT_EQ(page["csv"], rendered("csv"));
  const nlohmann::json ratio = tests::picture_of(page, 0, "variance-ratio");
  EXPECT_EQ(ratio["rule"], 1);
  EXPECT_EQ(ratio["at"]["ticks"],
            (nlohmann::json::array({{0.0, "h.3.mlp"}, {1.0, "→ h.0.attn.c_attn"}})));
  ASSERT_EQ(ratio["series"].size(), 1U) << "unknown behind it";
  const nlohmann::json& mark = ratio["series"][0]["marks"][0];
  EXPECT_EQ(mark[1], 1.1113);
  EXPECT_NEAR(mark[2].get<double>(), 1.1111, 1e-12);
  EXPECT_NEAR(mark[3].get<double>(), 1.1115, 1e-12);
  EXPECT_EQ(mark[4], (nlohmann::json{"± 0.0002", "dropout:0.1"}));
  const nlohmann::json variance = tests::picture_of(page, 0, "variance");
  EXPECT_EQ(variance["series"][0]["marks"][0][1], 2.25);
  EXPECT_EQ(variance["series"][1]["marks"][0][1], 2.5);
  EXPECT_EQ(variance["series"][1]["marks"][0][4][0], "h.3.mlp");
  EXPECT_EQ(tests::picture_of(page, 0, "kurtosis")["series"][0]["marks"].size(), 1U)
      << "what is not known has no mark";
}

}  // namespace
