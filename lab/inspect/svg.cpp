#include "lab/inspect/svg.h"

#include <fmt/format.h>

namespace lab {

std::string xml_text(std::string_view text) {
  std::string out;
  // Length of the UTF-8 sequence that starts here, 0 where none does.
  const auto sequence = [&](std::size_t i) -> std::size_t {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t n = c < 0x80 ? 1 : c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0;
    if (n == 0 || i + n > text.size()) return 0;
    for (std::size_t k = 1; k < n; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return 0;
    return n;
  };
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t n = sequence(i);
    const char c = text[i];
    if (n > 1) {
      out += text.substr(i, n);
    } else if (n == 0 || static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += '?';
    } else {
      switch (c) {
        case '&':
          out += "&amp;";
          break;
        case '<':
          out += "&lt;";
          break;
        case '>':
          out += "&gt;";
          break;
        case '"':
          out += "&quot;";
          break;
        default:
          out += c;
      }
    }
    i += n == 0 ? 1 : n;
  }
  return out;
}

Svg::Svg(double width, double height, std::string_view title)
    : body_(fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
                        "viewBox=\"0 0 {0} {1}\" font-family=\"Helvetica, Arial, sans-serif\">\n"
                        "<title>{2}</title>\n<rect width=\"100%\" height=\"100%\" "
                        "fill=\"#ffffff\"/>\n",
                        width, height, xml_text(title))) {}

void Svg::line(double x0, double y0, double x1, double y1, std::string_view color, double width,
               std::string_view dash) {
  body_ += fmt::format(
      "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
      "stroke-width=\"{}\"{}/>\n",
      x0, y0, x1, y1, color, width,
      dash.empty() ? "" : fmt::format(" stroke-dasharray=\"{}\"", dash));
}

void Svg::circle(double x, double y, double radius, std::string_view color, bool filled) {
  body_ += fmt::format(
      "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\" fill-opacity=\"{}\" "
      "stroke=\"{}\" stroke-width=\"2\"/>\n",
      x, y, radius, filled ? color : "#ffffff", filled ? 0.55 : 0.4, color);
}

void Svg::rectangle(double x, double y, double width, double height, std::string_view color) {
  body_ += fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"/>\n", x, y,
      width, height, color);
}

void Svg::path(const std::vector<Point>& points, std::string_view color, double width,
               std::string_view fill, double opacity) {
  body_ += "<path d=\"";
  for (std::size_t i = 0; i < points.size(); ++i)
    body_ += fmt::format("{}{:.1f} {:.1f}", i == 0 ? 'M' : 'L', points[i].x, points[i].y);
  body_ += fmt::format("\" fill=\"{}\" fill-opacity=\"{}\"", fill.empty() ? "none" : fill, opacity);
  body_ += width > 0 ? fmt::format(" stroke=\"{}\" stroke-width=\"{}\"/>\n", color, width)
                     : std::string("/>\n");
}

void Svg::text(double x, double y, std::string_view text, double size, std::string_view anchor,
               std::string_view color, double turn) {
  body_ += fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{}\" text-anchor=\"{}\" fill=\"{}\"{}>{}"
      "</text>\n",
      x, y, size, anchor, color,
      turn == 0 ? "" : fmt::format(" transform=\"rotate({:.1f} {:.1f} {:.1f})\"", turn, x, y),
      xml_text(text));
}

std::string Svg::finish() const { return body_ + "</svg>\n"; }

}  // namespace lab
