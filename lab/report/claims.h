// Claims as a page to look at: what each study found, with its pictures.
#pragma once
#include <string>
#include <vector>

#include "lab/report/html/page.h"
#include "lab/report/study_result.h"

namespace lab {

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
