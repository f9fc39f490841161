#include "train/config/evaluation.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/text.h"
#include "train/config/budget.h"

namespace train {
namespace {

constexpr std::array kMeasures{
    MeasureKind{
        .name = "calibration",
        .help =
            "calibration error, Brier score, temperature scaling, KL to the true probabilities if they are known; for numbers CRPS, coverage and squared error",
        .predicts = true},
    MeasureKind{.name = "mode_gap",
                .help = "test loss computed as in training: noise and batch statistics on"},
    MeasureKind{
        .name = "moments",
        .help =
            "moments at and after every hook, training against evaluation (see 'isodrop probe')"},
    MeasureKind{
        .name = "reliability",
        .help =
            "reliability diagram: predicted and observed frequency of the likeliest class in ten bins of equal size",
        .predicts = true},
    MeasureKind{.name = "stability",
                .help = "tail of the gradient norm and spikes of the training loss"},
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
