// What the program may do with the terminal it writes to, and the progress line.
#pragma once
#include <cstddef>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "train/log/sink.h"

namespace cli {

/// A terminal that understands cursor movement (TERM is not "dumb").
bool interactive(std::FILE* out);

/// Colour is wanted: interactive, and NO_COLOR (no-color.org) not set or empty.
bool color(std::FILE* out);

/// Width for running text: that of table_width(), at most 100; 80 if there is none.
std::size_t columns(std::FILE* out);

/// What a table may take: $COLUMNS if it is set, else the terminal's width; 0, any, if it is none.
std::size_t table_width(std::FILE* out);

/// The first `width` characters (code points) of UTF-8 text.
std::string_view clip(std::string_view text, std::size_t width);

/// "step 1200/2000 · loss 1.873 · 41 ktok/s · 60 % · 0:12 left"
/// `more`: seconds that are left beside the steps.
std::string progress_text(const train::Progress& p, double more = 0);

/// "12.3k", "4.56M"
std::string with_prefix(double value);

/// "0:42", "1:02:03"
std::string duration(double seconds);

/// One line of progress on standard error, below a block of lines where there is one. On a terminal
/// both are redrawn in place, at most ten times a second; in a log the line is a plain one, at most
/// every five seconds, and there is no block.
class ProgressLine {
 public:
  using Clock = std::function<double()>;  // seconds, never going back
  explicit ProgressLine(std::FILE* out = stderr);
  ProgressLine(std::FILE* out, bool interactive, std::size_t width, Clock clock,
               std::size_t height = 24);
  ~ProgressLine() { finish(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// Whether update() would draw now: ask before formatting a line.
  bool due() const;
  /// Shows the line if it is due.
  void update(std::string_view line);
  /// Whether it redraws in place: whether there can be a block.
  bool redraws() const { return interactive_; }
  /// Lines that stand above the progress from now on, redrawn with it; "": none. Left out where the
  /// terminal has no room for them.
  void block(std::string_view lines);
  /// Prints a line that stays (an evaluation, a warning) and redraws the progress below it.
  void note(std::string_view line);
  /// Ends the progress: it goes from a terminal, where the result follows. Called again, does
  /// nothing.
  void finish();

 private:
  void draw(std::string_view line);
  void erase();
  void redraw();
  std::FILE* out_;
  bool interactive_;
  std::size_t width_, height_;
  Clock clock_;
  double last_ = 0;
  bool any_ = false;                // something was drawn at last_
  std::string shown_;               // on the terminal's current line
  std::vector<std::string> block_;  // what stands above it
  std::size_t above_ = 0;           // lines of the terminal that it takes now
};

}  // namespace cli
