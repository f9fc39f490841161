#include "lab/report/html/page.h"

#include <array>

#include "base/error.h"
#include "base/json.h"

namespace lab {
namespace html_parts {  // made of the files beside this one by cmake/embed.cmake
extern const std::string_view kHtml, kCss, kChart, kAxes, kPictures, kCharts, kPage;
}  // namespace html_parts
namespace {

using base::append;
using base::Json;
using base::or_null;

constexpr std::string_view name_of(Drawn drawn) {
  return drawn == Drawn::kLine ? "line" : drawn == Drawn::kBars ? "bars" : "points";
}

Json axis_json(const PlotAxis& axis) {
  return {{"label", axis.label}, {"log", axis.log}, {"ticks", axis.ticks}, {"trim", axis.trim}};
}

/// A mark as a list, since there are thousands: at, value, lo, hi, note; what ends it may be left
/// out.
Json mark_json(const Mark& m) {
  Json json = {or_null(m.at), or_null(m.value)};
  if (m.lo || m.hi || !m.note.empty()) json.insert(json.end(), {or_null(m.lo), or_null(m.hi)});
  if (!m.note.empty()) json.push_back(m.note);
  return json;
}

Json series_json(const Series& s) {
  Json marks = Json::array();
  for (const Mark& m : s.marks) marks.push_back(mark_json(m));
  Json json = {{"name", s.name},     {"drawn", name_of(s.drawn)}, {"colour", s.colour},
               {"dashed", s.dashed}, {"quiet", s.quiet},          {"stack", s.stack},
               {"named", s.named}};
  append(json, "marks", std::move(marks));  // a list in braces would copy it
  return json;
}

Json shade_json(const Shade& s) {
  return {{"from", s.from},
          {"to", s.to},
          {"at", s.at ? Json{s.at->first, s.at->second} : Json(nullptr)}};
}

Json picture_json(const Picture& p) {
  Json shades = Json::array();
  for (const Shade& s : p.shades) shades.push_back(shade_json(s));
  Json series = Json::array();
  for (const Series& s : p.series) series.push_back(series_json(s));
  Json json = {{"id", p.id},
               {"title", p.title},
               {"caption", p.caption},
               {"at", axis_json(p.at)},
               {"value", axis_json(p.value)},
               {"horizontal", p.horizontal},
               {"shades", shades},
               {"rule", or_null(p.rule)}};
  append(json, "series", std::move(series));
  return json;
}

Json page_json(const Page& page) {
  Json sections = Json::array();
  for (const PageSection& s : page.sections) {
    Json pictures = Json::array();
    for (const Picture& p : s.pictures) pictures.push_back(picture_json(p));
    Json section = {{"title", s.title}, {"table", s.table}, {"notes", s.notes}, {"key", s.key}};
    append(section, "pictures", std::move(pictures));
    sections.push_back(std::move(section));
  }
  Json json = {{"title", page.title}, {"answer", page.answer},       {"missing", page.missing},
               {"facts", page.facts}, {"footnotes", page.footnotes}, {"csv", page.csv}};
  append(json, "sections", std::move(sections));
  return json;
}

/// Nothing in it can end or begin an element: < > & are spelled \u003c and so on, which JSON reads
/// as the same characters.
std::string in_a_script(const Json& json) {
  std::string out;
  for (const char c : base::json_compact(json)) {
    if (c == '<')
      out += "\\u003c";
    else if (c == '>')
      out += "\\u003e";
    else if (c == '&')
      out += "\\u0026";
    else
      out += c;
  }
  return out;
}

}  // namespace

std::string to_html(const Page& page) {
  const std::string data = in_a_script(page_json(page));
  const std::array<std::pair<std::string_view, std::string_view>, 7> parts = {
      {{"@CSS@", html_parts::kCss},
       {"@CHART@", html_parts::kChart},
       {"@AXES@", html_parts::kAxes},
       {"@PICTURES@", html_parts::kPictures},
       {"@CHARTS@", html_parts::kCharts},
       {"@PAGE@", html_parts::kPage},
       {"@DATA@", data}}};
  // What is put in is not looked at again, so that "@DATA@" in an arm's name is just that.
  std::string out;
  std::string_view rest = html_parts::kHtml;
  for (const auto& [name, text] : parts) {
    const std::size_t at = rest.find(name);
    base::require(at != std::string_view::npos, "report.html: ", name, " is not where it belongs");
    out.append(rest.substr(0, at)).append(text);
    rest.remove_prefix(at + name.size());
  }
  return out.append(rest);
}

}  // namespace lab
