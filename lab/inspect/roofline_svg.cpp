// The roofline picture: arithmetic intensity against speed, both logarithmic.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "lab/inspect/profile_render.h"
#include "lab/inspect/svg.h"

namespace lab {
namespace {

constexpr double kWidth = 1000, kHeight = 700;
constexpr double kLeft = 90, kRight = 30, kTop = 104, kBottom = 126;  // margins of the plot
constexpr double kFont = 12, kCharacter = 6.4;                        // of labels, pixels
constexpr std::size_t kLabels = 24;                                   // at most, the largest shares
constexpr std::array<std::string_view, 2> kColors = {"#1f6fb4", "#d9601a"};
constexpr std::string_view kGrid = "#e4e4e4", kInk = "#222222", kFaint = "#777777";

struct Point {
  std::string label;
  double intensity, gflops, share;
  std::size_t arm;
  bool filled;
};

struct Box {
  double x0, y0, x1, y1;
  bool meets(const Box& o) const { return x0 < o.x1 && o.x0 < x1 && y0 < o.y1 && o.y0 < y1; }
};

double radius(const Point& p) { return 3.5 + 22 * std::sqrt(p.share); }

std::vector<Point> points_of(const std::vector<ProfileTable>& tables) {
  std::vector<Point> points;
  for (std::size_t arm = 0; arm < tables.size(); ++arm) {
    const ProfileTable& t = tables[arm];
    const auto add = [&](const ProfilePart& p, const std::string& label, bool filled) {
      if (p.intensity() && p.gflops())
        points.push_back({fmt::format("{} {:.1f} %", label, 100 * p.ms / t.step_ms), *p.intensity(),
                          *p.gflops(), p.ms / t.step_ms, arm, filled});
    };
    for (const ProfileRow& r : t.rows) {
      const bool passes = r.forward.calls > 0 || r.backward.calls > 0;
      if (!passes) add(r.total, r.name, true);
      add(r.forward, r.name, true);
      add(r.backward, r.name, false);
    }
  }
  std::stable_sort(points.begin(), points.end(),
                   [](const Point& a, const Point& b) { return a.share > b.share; });
  return points;
}

/// Logarithmic axes.
class Plane {
 public:
  Plane(const Roof& roof, const std::vector<Point>& points) {
    const double ridge = roof.gflops / roof.gbps;
    x0_ = ridge / 20, x1_ = ridge * 10, y0_ = roof.gflops / 50, y1_ = roof.gflops * 1.6;
    for (const Point& p : points) {
      x0_ = std::min(x0_, p.intensity / 1.5), x1_ = std::max(x1_, p.intensity * 1.5);
      y0_ = std::min(y0_, p.gflops / 1.5), y1_ = std::max(y1_, p.gflops * 1.5);
    }
  }
  double x(double intensity) const {
    return kLeft + (kWidth - kLeft - kRight) * std::log(intensity / x0_) / std::log(x1_ / x0_);
  }
  double y(double gflops) const {
    return kHeight - kBottom -
           (kHeight - kTop - kBottom) * std::log(gflops / y0_) / std::log(y1_ / y0_);
  }
  double left() const { return x0_; }
  double right() const { return x1_; }
  double low() const { return y0_; }

  void draw_grid(Svg& svg) const {
    for (const bool across : {true, false}) {
      const double low = across ? x0_ : y0_, high = across ? x1_ : y1_;
      for (int e = static_cast<int>(std::floor(std::log10(low))); std::pow(10, e) <= high; ++e) {
        for (int digit = 1; digit < 10; ++digit) {
          const double value = digit * std::pow(10, e);
          if (value < low || value > high) continue;
          const double at = across ? x(value) : y(value);
          if (across)
            svg.line(at, kTop, at, kHeight - kBottom, kGrid, digit == 1 ? 1.4 : 0.6);
          else
            svg.line(kLeft, at, kWidth - kRight, at, kGrid, digit == 1 ? 1.4 : 0.6);
          if (digit != 1 && digit != 2 && digit != 5) continue;
          const std::string text = fmt::format("{:g}", value);
          if (across)
            svg.text(at, kHeight - kBottom + 18, text, kFont, "middle");
          else
            svg.text(kLeft - 8, at + 4, text, kFont, "end");
        }
      }
    }
    svg.line(kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom, kInk, 1.4);
    svg.line(kLeft, kTop, kLeft, kHeight - kBottom, kInk, 1.4);
    svg.text((kLeft + kWidth - kRight) / 2, kHeight - kBottom + 40,
             "arithmetic intensity, FLOP per byte", 14, "middle");
    svg.text(26, (kTop + kHeight - kBottom) / 2, "speed, GFLOP/s", 14, "middle", kInk, -90);
  }

 private:
  double x0_, x1_, y0_, y1_;
};

/// Draws the two lines and keeps labels off them; says what they are where no point is.
void draw_roof(Svg& svg, const Plane& plane, const Roof& roof, std::vector<Box>& taken) {
  const double ridge = roof.gflops / roof.gbps;
  const double from = std::max(plane.left(), plane.low() / roof.gbps);
  const double x0 = plane.x(from), y0 = plane.y(from * roof.gbps);
  const double x1 = plane.x(ridge), y1 = plane.y(roof.gflops), end = plane.x(plane.right());
  svg.line(x0, y0, x1, y1, kInk, 2.5);
  svg.line(x1, y1, end, y1, kInk, 2.5);
  svg.text(end - 6, y1 - 8, fmt::format("FMA units: {:.0f} GFLOP/s, measured", roof.gflops), 13,
           "end");
  taken.push_back({x1, y1 - 22, end, y1 + 2});

  const double length = std::hypot(x1 - x0, y1 - y0), ux = (x1 - x0) / length,
               uy = (y1 - y0) / length;
  constexpr double kText = 190;           // pixels
  const auto above = [&](double along) {  // the boxes of a text that starts there
    std::vector<Box> boxes;
    for (double d = along; d < along + kText; d += 10) {
      const double x = x0 + ux * d + 12 * uy, y = y0 + uy * d - 12 * ux;
      boxes.push_back({x - 8, y - 8, x + 8, y + 8});
    }
    return boxes;
  };
  double at = std::max(0.0, (length - kText) / 2);
  for (double along = 20; along + kText < length; along += 10) {
    const std::vector<Box> boxes = above(along);
    if (std::any_of(boxes.begin(), boxes.end(), [&](const Box& b) {
          return std::any_of(taken.begin(), taken.end(), [&](const Box& t) { return t.meets(b); });
        }))
      continue;
    at = along;
    break;
  }
  svg.text(x0 + ux * at + 8 * uy, y0 + uy * at - 8 * ux,
           fmt::format("memory: {:.1f} GB/s, measured", roof.gbps), 13, "start", kInk,
           std::atan2(uy, ux) * 180 / std::numbers::pi);
  for (const Box& box : above(at)) taken.push_back(box);
  for (double d = 0; d < length; d += 6)
    taken.push_back({x0 + ux * d - 3, y0 + uy * d - 3, x0 + ux * d + 3, y0 + uy * d + 3});
}

/// Puts a label where nothing is yet, as near to its point as can be.
void draw_label(Svg& svg, const Plane& plane, const Point& p, std::vector<Box>& taken) {
  const double px = plane.x(p.intensity), py = plane.y(p.gflops), r = radius(p);
  const double width = kCharacter * static_cast<double>(p.label.size());
  for (double distance = r + 4; distance < r + 130; distance += 9) {
    for (const double degrees : {0, 180, 30, -30, 150, -150, 60, -60, 120, -120, 90, -90}) {
      const double angle = degrees * std::numbers::pi / 180;
      const double x = px + distance * std::cos(angle), y = py - distance * std::sin(angle);
      const double left = std::cos(angle) > 0.4    ? x
                          : std::cos(angle) < -0.4 ? x - width
                                                   : x - width / 2;
      const Box box{left - 2, y - 8, left + width + 2, y + 8};
      if (box.x0 < kLeft || box.x1 > kWidth - kRight || box.y0 < kTop ||
          box.y1 > kHeight - kBottom ||
          std::any_of(taken.begin(), taken.end(), [&](const Box& b) { return b.meets(box); }))
        continue;
      if (distance > r + 14)
        svg.line(px + r * std::cos(angle), py - r * std::sin(angle), x, y, kFaint, 0.8);
      svg.text(left, y + 4, p.label, kFont, "start", kColors[p.arm]);
      taken.push_back(box);
      return;
    }
  }
}

void draw_legend(Svg& svg, const std::vector<ProfileTable>& tables) {
  const double y = kHeight - 56;
  svg.circle(kLeft + 8, y, 7, kFaint, true);
  svg.text(kLeft + 22, y + 4, "forward, or the optimizer", kFont, "start");
  svg.circle(kLeft + 198, y, 7, kFaint, false);
  svg.text(kLeft + 212, y + 4, "backward", kFont, "start");
  svg.text(kLeft + 290, y + 4, "area and %: share of the step", kFont, "start");
  double x = kLeft;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const std::string text = fmt::format("{}: {:.2f} ms a step", tables[i].arm, tables[i].step_ms);
    svg.rectangle(x, 72, 12, 12, kColors[i]);
    svg.text(x + 18, 82, text, 13, "start");
    x += 48 + 1.1 * kCharacter * static_cast<double>(text.size());
  }
  svg.text(kLeft, kHeight - 26,
           "Nothing in memory can be above the lines: what is, found its data in the caches. The "
           "nearer to the lines, the better used is the machine.",
           kFont, "start", kFaint);
}

}  // namespace

std::string roofline_svg(const ProfileHead& head, const Roof& roof,
                         const std::vector<ProfileTable>& tables) {
  const std::vector<Point> points = points_of(tables);
  const Plane plane(roof, points);
  Svg svg(kWidth, kHeight, "isodrop: roofline of a training step");
  svg.text(kLeft, 36,
           fmt::format("What each op of a training step makes of this machine: {}", head.what), 18,
           "start");
  svg.text(
      kLeft, 60,
      fmt::format("{}, {}, {} threads; roofline: speed that memory and the FMA units allow",
                  head.environment["cpu"].get<std::string>(),
                  head.environment["isa"].get<std::string>(), head.environment["threads"].dump()),
      13, "start", kFaint);
  plane.draw_grid(svg);
  std::vector<Box> taken;
  for (const Point& p : points) {
    const double x = plane.x(p.intensity), y = plane.y(p.gflops), r = radius(p);
    svg.circle(x, y, r, kColors[p.arm], p.filled);
    taken.push_back({x - r, y - r, x + r, y + r});
  }
  draw_roof(svg, plane, roof, taken);
  for (std::size_t i = 0; i < std::min(points.size(), kLabels); ++i)
    draw_label(svg, plane, points[i], taken);
  draw_legend(svg, tables);
  return svg.finish();
}

}  // namespace lab
