// Pages to look at: of a comparison (report.html), of any runs' curves, of a study and of all
// claims.
#pragma once
#include <string>
#include <vector>

#include "lab/report/html/page.h"
#include "lab/report/report.h"
#include "lab/report/study_result.h"
#include "lab/runs/store.h"
#include "lab/runs/survey.h"

namespace lab {

/// One sentence: which arms help, hurt or make no difference in which cell, and by how much; while
/// runs are missing, that there is no verdict yet.
std::string answer(const Report& report);

/// A file of HTML that needs nothing else: the answer, what is missing, the tables, the pictures of
/// lab/report/pictures.h, and every run as CSV.
/// `headline`: a sentence in the answer's place; `first`: what stands above the tables.
std::string render_html(const Report& report, const std::string& headline = "",
                        std::vector<PageSection> first = {});

struct CurveOfRun {
  std::string name;  // as it was asked for: a folder, or the beginning of its id
  std::string task, budget, seed, regime;  // empty: not known
  std::string data;                        // its hash
  std::vector<CurvePoint> points;
  std::string broken;  // why its log cannot be read; empty: it can
};

/// `given`: a folder with a metrics.jsonl, or an id of the store or what it begins with. A run that
/// is still being made has the curve so far. Throws base::Error: neither, or nothing to show.
CurveOfRun curve_of_run(const std::string& given, const Store& store);

/// A table of the runs, loss against steps and against compute.
Page curves_page(const std::vector<CurveOfRun>& runs);

/// A study whose page is written, with a few sentences by hand: a paragraph a line.
struct ToldStudy {
  StudyResult result;
  std::vector<std::string> by_hand;
};

/// The figures, a picture for each unit, with their intervals and the bounds of the rule.
std::vector<Picture> figure_pictures(const StudyResult& result);
/// What the difference to the first arm does over two settings that the cells vary.
std::optional<Picture> grid_picture(const Report& report);

/// Losses against the learning rate, where cells differ in it.
std::optional<Picture> bowls_picture(const Report& report);
/// Every seed's value of what a spread_ratio is of, where the study asks for one.
std::optional<Picture> spread_picture(const StudyResult& result);

/// The page of one study: report.html with the figures above the tables.
std::string study_html(const StudyResult& result);
/// One page of all, each with its verdict, its figures and its pictures.
std::string claims_html(const std::vector<ToldStudy>& studies);

}  // namespace lab
