#include "lab/report/by_seed.h"

#include <fmt/format.h>

namespace lab {

Figure missing(std::string why) { return {"", "", {}, {}, std::move(why)}; }

Figure of(const Estimate& e, double alpha) { return {"", "", e.mean, t_interval(e, alpha), ""}; }

const std::string& metric_of(const FigureContext& c) {
  return c.spec.metric.empty() ? c.report.judged : c.spec.metric;
}

std::string unknown(const ArmReport& arm, const std::string& metric) {
  int lacking = 0;
  for (const RecordPtr& run : arm.runs) lacking += run->ok() && !run->value(metric) ? 1 : 0;
  return lacking == 0 ? ""
                      : fmt::format("{} is not known of {} of {} runs of {}", metric, lacking,
                                    arm.runs.size(), arm.name);
}

BySeed values(const ArmReport& arm, const std::string& metric) {
  BySeed out;
  for (const RecordPtr& run : arm.runs)
    if (const auto value = run->ok() ? run->value(metric) : std::nullopt)
      out.emplace(run->seed, *value);
  return out;
}

std::vector<double> less(const BySeed& a, const BySeed& b) {
  std::vector<double> out;
  for (const auto& [seed, value] : a)
    if (const auto other = b.find(seed); other != b.end()) out.push_back(value - other->second);
  return out;
}

}  // namespace lab
