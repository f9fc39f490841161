// The report as a page to look at: report.html.
#pragma once
#include <string>

#include "lab/report/html/page.h"
#include "lab/report/report.h"

namespace lab {

/// One sentence: which arms help, hurt or make no difference in which cell, and by how much; while
/// runs are missing, that there is no verdict yet.
std::string answer(const Report& report);

/// A file of HTML that needs nothing else: the answer, what is missing, the tables, the pictures of
/// lab/report/pictures.h, and every run as CSV.
/// `headline`: a sentence in the answer's place; `first`: what stands above the tables.
std::string render_html(const Report& report, const std::string& headline = "",
                        std::vector<PageSection> first = {});

}  // namespace lab
