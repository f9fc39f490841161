#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace cli {
namespace {

constexpr double kRedraw = 0.1, kLogLine = 5;  // seconds between lines
constexpr std::string_view kErase = "\r\x1b[K";

std::size_t terminal_width(std::FILE* out) {
  winsize size{};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void write(std::FILE* out, std::string_view text) { std::fwrite(text.data(), 1, text.size(), out); }

}  // namespace

bool interactive(std::FILE* out) {
  const char* term = std::getenv("TERM");
  return isatty(fileno(out)) == 1 && term != nullptr && std::string_view(term) != "dumb";
}

bool color(std::FILE* out) {
  const char* no_color = std::getenv("NO_COLOR");
  return interactive(out) && (no_color == nullptr || *no_color == '\0');
}

std::size_t columns(std::FILE* out) {
  return std::clamp<std::size_t>(terminal_width(out), 80, 100);
}

std::string_view clip(std::string_view text, std::size_t width) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && characters++ == width) return text.substr(0, i);
  }
  return text;
}

ProgressLine::ProgressLine(std::FILE* out)
    : ProgressLine(out, cli::interactive(out), terminal_width(out), now) {}

ProgressLine::ProgressLine(std::FILE* out, bool interactive, std::size_t width, Clock clock)
    : out_(out), interactive_(interactive), width_(width), clock_(std::move(clock)) {}

bool ProgressLine::due() const {
  return !any_ || clock_() - last_ >= (interactive_ ? kRedraw : kLogLine);
}

void ProgressLine::update(std::string_view line) {
  if (due()) draw(line);
}

void ProgressLine::draw(std::string_view line) {
  last_ = clock_();
  any_ = true;
  if (interactive_) {
    // One column short of the edge, where some terminals wrap.
    shown_ = clip(line, width_ > 1 ? width_ - 1 : 1);
    write(out_, kErase);
    write(out_, shown_);
  } else {
    write(out_, std::string(line) + "\n");
  }
  std::fflush(out_);
}

void ProgressLine::note(std::string_view line) {
  if (interactive_ && !shown_.empty()) write(out_, kErase);
  write(out_, std::string(line) + "\n");
  if (interactive_) write(out_, shown_);
  std::fflush(out_);
}

void ProgressLine::finish() {
  if (interactive_ && !shown_.empty()) write(out_, "\n");
  shown_.clear();
  std::fflush(out_);
}

}  // namespace cli
