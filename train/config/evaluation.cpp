#include "train/config/evaluation.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "train/config/budget.h"

namespace train {
namespace {

constexpr std::array kMeasures{
    MeasureKind{"calibration",
                "whether probabilities mean what they say: KL to the true ones where they are "
                "known, calibration error, Brier score, and after temperature scaling; of a normal "
                "forecast CRPS, coverage and squared error",
                true},
    MeasureKind{"mode_gap", "the test loss as training computes it, noise and batch statistics on",
                false},
    MeasureKind{"moments",
                "the probe: moments at every hook and behind it, training against "
                "evaluation",
                false},
    MeasureKind{"reliability",
                "the points of a reliability diagram: what the likeliest class was given, and how "
                "often it was right, in ten bins of equal mass",
                true},
    MeasureKind{"stability",
                "tails of the gradient's norm and spikes of the training loss, over the steps",
                false},
};

}  // namespace

Evaluation parse_evaluation(std::string_view text) {
  if (text == "plain") return {};
  if (text == "corrected") return {models::Mode::kCorrected, 1};
  Evaluation e{models::Mode::kNoisy, 0};
  const bool sampled = text.starts_with("mc:") &&
                       base::parse_number(std::string(text.substr(3)), e.passes) == std::errc{};
  base::require(sampled, "evaluation ", base::quote(text),
                ": give plain, corrected, or mc:N for N passes");
  base::require(e.passes >= 2 && e.passes <= kMostPasses, "evaluation ", base::quote(text),
                ": give 2 to ", kMostPasses, " passes");
  return e;
}

std::string to_string(const Evaluation& e) {
  if (e.sampled()) return base::concat("mc:", e.passes);
  return e.mode == models::Mode::kCorrected ? "corrected" : "plain";
}

std::span<const MeasureKind> measure_kinds() { return kMeasures; }

std::vector<const MeasureKind*> parse_measures(std::string_view text) {
  std::vector<const MeasureKind*> out;
  if (text == "none") return out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('+', at), text.size());
    const std::string_view name = text.substr(at, end - at);
    const auto row = std::find_if(kMeasures.begin(), kMeasures.end(),
                                  [&](const MeasureKind& m) { return m.name == name; });
    if (row == kMeasures.end())
      throw base::Error(base::concat("unknown measure ", base::quote(name), "; ",
                                     base::suggest(name, base::names_of(measure_kinds()))));
    if (std::find(out.begin(), out.end(), &*row) == out.end()) out.push_back(&*row);
    at = end + 1;
  }
  std::sort(out.begin(), out.end());  // in the order of the table
  return out;
}

std::string canonical_measures(const std::string& text) {
  std::string out;
  for (const MeasureKind* m : parse_measures(text))
    out.append(out.empty() ? "" : "+").append(m->name);
  return out.empty() ? "none" : out;
}

}  // namespace train
