// A reliability diagram of what measure=reliability has found.
#include <fmt/format.h>

#include <algorithm>

#include "lab/report/pictures.h"
#include "lab/runs/measures.h"
#include "lab/stats/stats.h"

namespace lab {
namespace {

std::vector<double> of_runs(const ArmReport& arm, int bin, const char* what) {
  std::vector<double> out;
  for (const RecordPtr& run : arm.runs)
    if (const auto x = run->ok() ? run->value(fmt::format("{}{}.{}", kReliabilityPrefix, bin, what))
                                 : std::nullopt)
      out.push_back(*x);
  return out;
}

}  // namespace

std::optional<Picture> reliability_picture(const Report&, const CellReport& cell) {
  Picture p{"reliability",
            "Do probabilities mean what they say? " + (cell.name.empty() ? cell.title : cell.name)};
  p.caption = fmt::format(
      "How often the likeliest class was right, less what it was given, in {} bins of as many "
      "targets each; mean over seeds, band: lowest to highest. Below 0 the model is too sure.",
      kReliabilityBins);
  p.at.label = "probability given to the likeliest class";
  p.value.label = "right less given";
  p.rule = 0;
  for (std::size_t i = 0; i < cell.arms.size(); ++i) {
    Series s{cell.arms[i].name, Drawn::kLine, static_cast<int>(i)};
    for (int bin = 1; bin <= kReliabilityBins; ++bin) {
      const std::vector<double> given = of_runs(cell.arms[i], bin, "p"),
                                right = of_runs(cell.arms[i], bin, "hit");
      if (given.empty() || given.size() != right.size()) continue;
      const std::vector<double> gaps = differences(right, given);
      const auto [low, high] = std::minmax_element(gaps.begin(), gaps.end());
      s.marks.push_back({*mean(given), mean(gaps), *low, *high});
    }
    if (!s.marks.empty()) p.series.push_back(std::move(s));
  }
  if (p.series.empty()) return {};
  return p;
}

}  // namespace lab
