// The picture of a probe: a row a hook, distributions on the left, two scales on the right.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/inspect/probe_render.h"
#include "lab/inspect/svg.h"
#include "models/regularizer_table.h"

namespace lab {
namespace {

// Columns, pixels.
struct Span {
  double x0, x1;
  double width() const { return x1 - x0; }
};
constexpr Span kNames{24, 186}, kAtHook{196, 416}, kBehind{436, 656}, kRatio{690, 910},
    kDistance{946, 1146};
constexpr double kWidth = 1170, kTop = 178, kRow = 56, kFoot = 190;
constexpr double kCurve = 36;   // height of a distribution
constexpr double kOffset = 10;  // of the two marks of a row from its middle
constexpr std::string_view kInk = "#222222", kFaint = "#707070", kGrid = "#dddddd",
                           kBand = "#f5f6f8", kEvaluation = "#8b98a5", kTraining = "#d9601a",
                           kMark = "#1f5fa4";

/// The marks of one scale.
class Scale {
 public:
  Scale(Span span, double low, double high, bool logarithmic)
      : span_(span), low_(low), high_(high), logarithmic_(logarithmic) {}
  double x(double value) const {
    const double v = std::clamp(value, low_, high_);
    const double share =
        logarithmic_ ? std::log(v / low_) / std::log(high_ / low_) : (v - low_) / (high_ - low_);
    return span_.x0 + span_.width() * share;
  }
  Span span() const { return span_; }

 private:
  Span span_;
  double low_, high_;
  bool logarithmic_;
};

struct Axis {
  Scale scale;
  std::vector<double> ticks;
};

/// Of `candidates`, those that leave room for each other's labels; the first is there in any case.
std::vector<double> choose_ticks(const Scale& scale, const std::vector<double>& candidates,
                                 double low, double high) {
  constexpr double kRoom = 36;
  std::vector<double> ticks;
  for (const double c : candidates)
    if (c >= low && c <= high && std::none_of(ticks.begin(), ticks.end(), [&](double t) {
          return std::abs(scale.x(t) - scale.x(c)) < kRoom;
        }))
      ticks.push_back(c);
  return ticks;
}

Axis ratio_axis(const Probe& probe) {
  double low = 0.85, high = 1.18;
  for (const ProbePoint& p : probe.points)
    if (p.variance_ratio && p.variance_ratio->value > 0) {
      low = std::min(low, p.variance_ratio->value / 1.04);
      high = std::max(high, p.variance_ratio->value * 1.04);
    }
  const Scale scale(kRatio, low, high, true);
  std::vector<double> candidates = {1};
  for (double power = 1; power < 1e9; power *= 10)
    for (const double lead : {10.0, 2.0, 5.0})
      candidates.insert(candidates.end(), {lead * power, 1 / (lead * power)});
  for (const double step : {0.2, 0.1, 0.05, 0.02})
    candidates.insert(candidates.end(), {1 + step, 1 - step});
  return {scale, choose_ticks(scale, candidates, low, high)};
}

Axis distance_axis(const Probe& probe) {
  double high = 0;
  for (const ProbePoint& p : probe.points)
    if (p.w1) high = std::max(high, 1.04 * (p.w1->value + 2 * p.w1->se));
  high = high > 0 ? high : 1;
  const Scale scale(kDistance, 0, high, false);
  std::vector<double> candidates = {0};
  const double power = std::pow(10, std::floor(std::log10(high)));
  const double lead = high / power;
  const double step = power * (lead < 2 ? 0.5 : lead < 5 ? 1 : 2);
  for (double t = step; t <= high; t += step) candidates.push_back(t);
  return {scale, choose_ticks(scale, candidates, 0, high)};
}

/// Heights are square roots of shares, so that rare values show.
std::vector<Svg::Point> outline(const std::vector<double>& shares, Span span, double base,
                                double most) {
  const double bin = span.width() / static_cast<double>(shares.size());
  std::vector<Svg::Point> points = {{span.x0, base}};
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double y = base - kCurve * std::sqrt(shares[i] / most);
    points.push_back({span.x0 + bin * static_cast<double>(i), y});
    points.push_back({span.x0 + bin * static_cast<double>(i + 1), y});
  }
  points.push_back({span.x1, base});
  return points;
}

void draw_distribution(Svg& svg, const ProbeHistogram& h, Span span, double y) {
  const double base = y + kCurve / 2 + 5;
  double most = 0;
  for (const auto* shares : {&h.evaluation, &h.training})
    most = std::max(most, *std::max_element(shares->begin(), shares->end()));
  svg.path(outline(h.evaluation, span, base, most), kEvaluation, 0, kEvaluation, 0.5);
  svg.path(outline(h.training, span, base, most), kTraining, 1.5);
  svg.line(span.x0, base, span.x1, base, kFaint, 0.6);
  if (h.lo < 0 && h.hi > 0) {
    const double zero = span.x0 - h.lo / (h.hi - h.lo) * span.width();
    svg.line(zero, base, zero, base + 4, kInk, 1.2);
  }
}

/// A mark with two standard errors to either side, and its number on the side away from
/// `reference`, where there is room.
void draw_mark(Svg& svg, const Scale& scale, const std::optional<Estimate>& e, double y,
               bool behind, double reference) {
  constexpr double kRadius = 4, kText = 34, kOver = 26;  // pixels; kOver: past the scale's end
  if (!e) {
    svg.text(scale.span().x0 + 4, y + 4, "not known: nothing varies in evaluation", 10, "start",
             kFaint);
    return;
  }
  const double x = scale.x(e->value), left = scale.x(e->value - 2 * e->se),
               right = scale.x(e->value + 2 * e->se);
  if (right - left > 2 * kRadius) svg.line(left, y, right, y, kMark, 1.6);
  svg.circle(x, y, kRadius, kMark, !behind);
  const double before = std::min(x - kRadius, left) - 5, after = std::max(x + kRadius, right) + 5;
  const bool rightward = (e->value >= reference || before - kText < scale.span().x0 - kOver) &&
                         after + kText < scale.span().x1 + kOver;
  svg.text(rightward ? after : before, y + 3.5, fmt::format("{:.3f}", e->value), 10.5,
           rightward ? "start" : "end", kInk);
}

void draw_axis(Svg& svg, const Axis& axis, double top, double bottom, double strong) {
  for (const double t : axis.ticks) {
    const double x = axis.scale.x(t);
    svg.line(x, top, x, bottom, t == strong ? kInk : kGrid, t == strong ? 1.4 : 1);
    for (const double y : {top - 6, bottom + 15})
      svg.text(x, y, fmt::format("{:.4g}", t), 11, "middle", t == strong ? kInk : kFaint);
  }
}

void draw_headings(Svg& svg, const ProbeHead& head, const Probe& probe) {
  svg.text(kNames.x0, 34,
           "What regularizers do to activations: training against evaluation, hook by hook", 19,
           "start");
  svg.text(kNames.x0, 58, fmt::format("{}; {}", head.model, head.regularizers), 14, "start");
  svg.text(kNames.x0, 78,
           fmt::format("the same {} tokens of {} in both modes; {} masks",
                       probe.batches * probe.rows * probe.time, head.corpus, probe.masks),
           12, "start", kFaint);
  const double y = 104;
  svg.rectangle(kAtHook.x0, y - 10, 16, 12, "#c5cbd2");
  svg.text(kAtHook.x0 + 22, y, "evaluation", 12, "start");
  svg.path({{kAtHook.x0 + 100, y + 2},
            {kAtHook.x0 + 100, y - 9},
            {kAtHook.x0 + 116, y - 9},
            {kAtHook.x0 + 116, y + 2}},
           kTraining, 1.8);
  svg.text(kAtHook.x0 + 122, y, "training, all masks", 12, "start");
  svg.text(kAtHook.x0 + 250, y, "small tick below: zero", 12, "start", kFaint);
  svg.circle(kRatio.x0 + 5, y - 4, 4, kMark, true);
  svg.text(kRatio.x0 + 15, y, "at the hook", 12, "start");
  svg.circle(kRatio.x0 + 105, y - 4, 4, kMark, false);
  svg.text(kRatio.x0 + 115, y, "behind it", 12, "start");
  svg.line(kRatio.x0 + 187, y - 4, kRatio.x0 + 211, y - 4, kMark, 1.6);
  svg.text(kRatio.x0 + 217, y, "± 2 standard errors over masks", 12, "start");
  for (const auto& [span, title, note] :
       {std::tuple{kNames, "hook", "and what acts there"},
        {kAtHook, "what the hook returns", ""},
        {kBehind, "the product behind it", "before any activation"},
        {kRatio, "variance, training / evaluation", ""},
        {kDistance, "W1 distance, in sd of evaluation", ""}}) {
    svg.text(span.x0, kTop - 40, title, 13, "start");
    svg.text(span.x0, kTop - 25, note, 11, "start", kFaint);
  }
}

/// What acts at a hook in one or two lines that fit the column; the table has the whole.
std::vector<std::string> acting_lines(const std::string& acting) {
  constexpr std::size_t kMost = 26;  // characters
  std::vector<std::string> lines;
  if (acting.empty()) return lines;
  const std::size_t joint = acting.size() > kMost ? acting.find(" + ") : std::string::npos;
  lines.push_back(acting.substr(0, joint));
  if (joint != std::string::npos) lines.push_back(acting.substr(joint + 1));
  for (std::string& line : lines)
    if (line.size() > kMost) line = line.substr(0, kMost - 1) + "…";
  return lines;
}

void draw_row(Svg& svg, const ProbePoint& hook, const ProbePoint& behind, double y,
              const Axis& ratio, const Axis& distance) {
  const std::vector<std::string> acting = acting_lines(hook.acting);
  double line = y + 4 - 7 * static_cast<double>(acting.size());
  svg.text(kNames.x0, line, hook.site, 13, "start");
  for (const std::string& text : acting)
    svg.text(kNames.x0, line += 15, text, 11, "start", kTraining);
  draw_distribution(svg, hook.histogram, kAtHook, y);
  draw_distribution(svg, behind.histogram, kBehind, y);
  svg.text(kBehind.x1, y - kRow / 2 + 11, "→ " + behind.value, 10, "end", kFaint);
  for (const ProbePoint* p : {&hook, &behind}) {
    const double at = y + (p->behind() ? kOffset : -kOffset);
    draw_mark(svg, ratio.scale, p->variance_ratio, at, p->behind(), 1);
    draw_mark(svg, distance.scale, p->w1, at, p->behind(), 0);
  }
}

void draw_foot(Svg& svg, double y) {
  const auto note = [&](const std::string& text, std::string_view color = kFaint) {
    svg.text(kNames.x0, y, text, 12, "start", color);
    y += 18;
  };
  note(
      "Variance ratio 1: in evaluation a layer meets the spread that it was trained on. W1: how "
      "far values move, on average, to turn one distribution into the other; 0: the same.");
  note(
      "Heights of the distributions are square roots of shares, so that rare values show; every "
      "one has its own horizontal scale.");
  y += 8;
  for (const models::HookId hook : models::kHookIds) {
    svg.text(kNames.x0, y, models::to_string(hook), 12, "start", kInk);
    svg.text(kNames.x0 + 92, y, models::help(hook), 12, "start", kFaint);
    y += 17;
  }
}

}  // namespace

std::string probe_svg(const ProbeHead& head, const Probe& probe) {
  const std::size_t rows = probe.points.size() / 2;
  const double bottom = kTop + kRow * static_cast<double>(rows);
  Svg svg(kWidth, bottom + kFoot, "isodrop: activations in training and in evaluation");
  draw_headings(svg, head, probe);
  const Axis ratio = ratio_axis(probe), distance = distance_axis(probe);
  for (std::size_t r = 0; r < rows; ++r)
    if (probe.points[2 * r].layer % 2 == 0)
      svg.rectangle(kNames.x0 - 10, kTop + kRow * static_cast<double>(r),
                    kDistance.x1 - kNames.x0 + 26, kRow, kBand);
  draw_axis(svg, ratio, kTop, bottom, 1);
  draw_axis(svg, distance, kTop, bottom, 0);
  for (std::size_t r = 0; r < rows; ++r)
    draw_row(svg, probe.points[2 * r], probe.points[2 * r + 1],
             kTop + kRow * (static_cast<double>(r) + 0.5), ratio, distance);
  draw_foot(svg, bottom + 52);
  return svg.finish();
}

}  // namespace lab
