#include "cli/show.h"

#include <fmt/format.h>

#include "base/text.h"

namespace cli {

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

std::string progress_text(const train::Progress& p) {
  const double speed = p.spent.seconds > 0 ? p.spent.tokens / p.spent.seconds : 0;
  const double left = p.fraction > 0 ? p.spent.seconds * (1 - p.fraction) / p.fraction : 0;
  std::string text =
      p.steps > 0 ? fmt::format("step {}/{}", p.step, p.steps) : fmt::format("step {}", p.step);
  text += " · loss " + base::decimals(p.train_loss, 4);
  if (p.val_loss) text += " · val " + base::decimals(*p.val_loss, 4);
  text += fmt::format(" · {}tok/s · {:.0f} % · {} left", with_prefix(speed), 100 * p.fraction,
                      duration(left));
  return text;
}

}  // namespace cli
