#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/measure.h"
#include "base/text.h"

namespace cli {
namespace {

constexpr std::size_t kNarrowest = 40, kUsualWidth = 80, kWidestText = 100;
constexpr double kRedraw = 0.1, kLogLine = 5;    // seconds between lines
constexpr std::string_view kErase = "\r\x1b[J";  // to the end of the screen

/// The standard streams have none of their own (cli/process.h).
int descriptor_of(std::FILE* out) {
  return out == stdout ? STDOUT_FILENO : out == stderr ? STDERR_FILENO : fileno(out);
}

winsize terminal_size(std::FILE* out) {
  winsize size{};
  if (ioctl(descriptor_of(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) size.ws_col = 80;
  if (size.ws_row == 0) size.ws_row = 24;
  return size;
}

void write(std::FILE* out, std::string_view text) { std::fwrite(text.data(), 1, text.size(), out); }

}  // namespace

bool interactive(std::FILE* out) {
  const char* term = std::getenv("TERM");
  return isatty(descriptor_of(out)) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

bool color(std::FILE* out) {
  const char* no_color = std::getenv("NO_COLOR");
  return interactive(out) && (no_color == nullptr || *no_color == '\0');
}

std::size_t columns(std::FILE* out) {
  const std::size_t width = table_width(out);
  return width == 0 ? kUsualWidth : std::min<std::size_t>(width, kWidestText);
}

std::size_t table_width(std::FILE* out) {
  std::size_t width = 0;
  if (const char* given = std::getenv("COLUMNS");
      given != nullptr && base::parse_number(given, width) == std::errc{} && width > 0)
    return std::max(width, kNarrowest);
  return isatty(descriptor_of(out)) == 1
             ? std::max<std::size_t>(terminal_size(out).ws_col, kNarrowest)
             : 0;
}

std::string_view clip(std::string_view text, std::size_t width) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && characters++ == width) return text.substr(0, i);
  }
  return text;
}

std::string with_prefix(double value) {
  for (const auto& [scale, prefix] : {std::pair{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}})
    if (value >= scale) return fmt::format("{:.3g}{}", value / scale, prefix);
  return fmt::format("{:.3g}", value);
}

std::string duration(double seconds) {
  const auto s = static_cast<long>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

std::string progress_text(const train::Progress& p, double more) {
  const double speed = p.spent.seconds > 0 ? p.spent.tokens / p.spent.seconds : 0;
  const double left = p.fraction > 0 ? p.spent.seconds * (1 - p.fraction) / p.fraction + more : 0;
  std::string text =
      p.steps > 0 ? fmt::format("step {}/{}", p.step, p.steps) : fmt::format("step {}", p.step);
  text += " · loss " + base::decimals(p.train_loss, 4);
  if (p.val_loss) text += " · val " + base::decimals(*p.val_loss, 4);
  text += fmt::format(" · {}tok/s · {:.0f} % · {} left", with_prefix(speed), 100 * p.fraction,
                      duration(left));
  return text;
}

ProgressLine::ProgressLine(std::FILE* out)
    : ProgressLine(out, cli::interactive(out), terminal_size(out).ws_col, base::monotonic_seconds,
                   terminal_size(out).ws_row) {}

ProgressLine::ProgressLine(std::FILE* out, bool interactive, std::size_t width, Clock clock,
                           std::size_t height)
    : out_(out),
      interactive_(interactive),
      width_(width),
      height_(height),
      clock_(std::move(clock)) {}

bool ProgressLine::due() const {
  return !any_ || clock_() - last_ >= (interactive_ ? kRedraw : kLogLine);
}

void ProgressLine::update(std::string_view line) {
  if (due()) draw(line);
}

void ProgressLine::erase() {
  if (above_ > 0) write(out_, "\x1b[" + std::to_string(above_) + "A");
  if (above_ > 0 || !shown_.empty()) write(out_, kErase);
  above_ = 0;
}

void ProgressLine::redraw() {
  // One column short of the edge, where some terminals wrap.
  const std::size_t width = width_ > 1 ? width_ - 1 : 1;
  if (block_.size() + 2 < height_) {
    for (const std::string& line : block_) write(out_, std::string(clip(line, width)) + "\n");
    above_ = block_.size();
  }
  write(out_, clip(shown_, width));
}

void ProgressLine::draw(std::string_view given) {
  const std::string line = base::printable(given);
  last_ = clock_();
  any_ = true;
  if (interactive_) {
    erase();
    shown_ = line;
    redraw();
  } else {
    write(out_, line + "\n");
  }
  std::fflush(out_);
}

void ProgressLine::block(std::string_view lines) {
  if (!interactive_) return;
  erase();
  block_.clear();
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    block_.push_back(base::printable(lines.substr(0, end)));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  redraw();
  std::fflush(out_);
}

void ProgressLine::note(std::string_view line) {
  if (interactive_) erase();
  write(out_, base::printable(line, "\n") + "\n");
  if (interactive_) redraw();
  std::fflush(out_);
}

void ProgressLine::finish() {
  if (interactive_) erase();
  shown_.clear();
  block_.clear();
  above_ = 0;
  std::fflush(out_);
}

}  // namespace cli
