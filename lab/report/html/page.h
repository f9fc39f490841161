// lab/report/html: a page of tables and pictures as one file of HTML that needs nothing else. This
// room knows neither runs nor verdicts: a caller with something to show (lab/report/pictures.h,
// lab/inspect) says it in the values below, and whatever they hold is text, never markup.
//
//   page.{h,cpp}   the values, and how they get into the file: one block of JSON
//   report.html    the frame;  report.css: light, dark, phone and print
//   pictures.js    a Picture as a chart of Chart.js, with its axes in axes.js
//   charts.js      zoom and export;  page.js: tables, notes, the rest and the test of itself
//
// A new picture is a function that returns a Picture; no line of JavaScript.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lab {

struct PlotAxis {
  std::string label = {};  // with the unit
  bool log = false;
  std::vector<std::pair<double, std::string>> ticks = {};  // only these, by name; empty: numbers
  bool trim = false;  // of values: rare high ones lie outside at first; a button shows them
};

/// Something at a place: what a pointer over it shows.
struct Mark {
  double at = 0;                           // on Picture::at
  std::optional<double> value = {};        // on Picture::value; none: a gap in the line
  std::optional<double> lo = {}, hi = {};  // around it
  std::vector<std::string> note = {};      // lines to be shown beside the figures: seeds, verdicts
};

/// kLine: through the values, with a band where they have lo and hi. kPoints: the values, with a
/// floating bar from lo to hi. kBars: from 0 to the value.
enum class Drawn : std::uint8_t { kLine, kPoints, kBars };

/// Marks of one kind: an entry of the legend.
struct Series {
  std::string name;
  Drawn drawn = Drawn::kPoints;
  int colour = 0;          // of the palette; 0: what the others are compared with
  bool dashed = false;     // a line
  bool quiet = false;      // small and pale: raw values beside what was made of them
  std::string stack = {};  // bars of one name stand on each other
  bool named = false;      // the first line of a mark's note stands beside it
  std::vector<Mark> marks = {};
};

/// A stretch of the axis of values, shaded; the caption says what it is.
struct Shade {
  double from = 0, to = 0;
  std::optional<std::pair<double, double>> at = {};  // between these places; none: at all
};

struct Picture {
  std::string id;            // in names of files: "forest"
  std::string title;         // what it shows
  std::string caption = {};  // how to read it
  PlotAxis at = {}, value = {};
  bool horizontal = false;  // places stand below each other, values run to the right
  std::vector<Shade> shades = {};
  std::optional<double> rule = {};  // a line at this value
  std::vector<Series> series = {};
};

struct PageSection {
  std::string title;
  /// The heading, then the rows, all of one length; the first column names the row. Empty: none.
  std::vector<std::vector<std::string>> table;
  std::vector<Picture> pictures = {};
  std::vector<std::string> notes = {};  // below the table
  std::size_t key = 0;                  // the first columns, in sight on a phone, too; 0: all are
};

struct Page {
  std::string title;                 // "isodrop compare"
  std::string answer;                // one sentence
  std::vector<std::string> missing;  // what is still to come; empty: this is final
  std::vector<std::string> facts;    // below the answer
  std::vector<PageSection> sections;
  std::vector<std::string> footnotes;
  std::string csv;  // raw rows, for download; empty: none
};

/// The file, without the network and without other files: about 200 kB of library and what is
/// shown. Bytes that are no UTF-8 become U+FFFD.
std::string to_html(const Page& page);

}  // namespace lab
