// Enough SVG for a picture of data: lines, outlines, circles, text.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace lab {

class Svg {
 public:
  struct Point {
    double x, y;
  };

  Svg(double width, double height, std::string_view title);

  void line(double x0, double y0, double x1, double y1, std::string_view color, double width = 1,
            std::string_view dash = {});
  /// Filled, or a ring where `filled` is false.
  void circle(double x, double y, double radius, std::string_view color, bool filled);
  void rectangle(double x, double y, double width, double height, std::string_view color);
  /// Through all points; filled unless `fill` is empty. `width` 0: no line.
  void path(const std::vector<Point>& points, std::string_view color, double width,
            std::string_view fill = {}, double opacity = 1);
  /// `anchor`: "start", "middle" or "end" of the text is at x. `turn`: degrees, about that point.
  void text(double x, double y, std::string_view text, double size, std::string_view anchor,
            std::string_view color = "#222222", double turn = 0);
  /// The document.
  std::string finish() const;

 private:
  std::string body_;
};

/// Text as XML wants it; bytes that are no printable UTF-8 become '?'.
std::string xml_text(std::string_view text);

}  // namespace lab
