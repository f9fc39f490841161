#include "tests/validation/model.h"

#include <cmath>
#include <numbers>

namespace validation {
namespace {

/// Mean 0, standard deviation 1.
double draw(Shape shape, Normals& random) {
  const double z = random.next();
  if (shape == Shape::kNormal) return z;
  constexpr double e = std::numbers::e;
  return (std::exp(z) - std::sqrt(e)) / std::sqrt(e * (e - 1));
}

}  // namespace

double Normals::next() {
  const double radius = std::sqrt(-2 * std::log(1 - sequence_.uniform()));
  return radius * std::cos(2 * std::numbers::pi * sequence_.uniform());
}

std::vector<double> Normals::values(int n, double mean, double sd) {
  std::vector<double> x(static_cast<std::size_t>(n));
  for (double& v : x) v = mean + sd * next();
  return x;
}

std::vector<double> differences(double effect, const Spread& spread, int seeds, int windows,
                                Normals& random) {
  std::vector<double> window(static_cast<std::size_t>(windows)), d;
  for (double& v : window) v = spread.window * draw(spread.shape, random);
  d.reserve(window.size() * static_cast<std::size_t>(seeds));
  for (int s = 0; s < seeds; ++s) {
    const double seed = spread.seed * random.next();
    for (const double v : window)
      d.push_back(effect + seed + v + spread.rest * draw(spread.shape, random));
  }
  return d;
}

std::vector<lab::PairedCell> table(std::span<const double> effects, const Spread& spread, Text text,
                                   int seeds, int windows, Normals& random) {
  const double w = windows, common = spread.window / std::sqrt(w);
  const double own = std::sqrt(spread.seed * spread.seed + spread.rest * spread.rest / w +
                               (text == Text::kOwn ? common * common : 0));
  const auto losses = [&](double effect) {
    const double shift = text == Text::kShared ? common * random.next() : 0;
    return random.values(seeds, 2 + effect + shift, own);
  };
  const std::vector<double> baseline = losses(0);
  std::vector<lab::PairedCell> rows;
  for (std::size_t i = 0; i < effects.size(); ++i)
    rows.push_back({"1", "arm " + std::to_string(i), baseline, losses(effects[i]), 0, false});
  return rows;
}

std::vector<lab::PairedCell> crossed_table(std::span<const double> effects, const Spread& spread,
                                           int seeds, int windows, Normals& random) {
  const auto losses = [&](double effect) {
    return differences(2 + effect, spread, seeds, windows, random);
  };
  const auto by_seed = [&](const std::vector<double>& all) {
    std::vector<double> means;
    const auto w = static_cast<std::size_t>(windows);
    for (std::size_t s = 0; s < all.size(); s += w)
      means.push_back(*lab::mean(std::span(all).subspan(s, w)));
    return means;
  };
  const std::vector<double> baseline = losses(0);
  std::vector<lab::PairedCell> rows;
  for (std::size_t i = 0; i < effects.size(); ++i) {
    const std::vector<double> arm = losses(effects[i]);
    lab::PairedCell& row = rows.emplace_back(
        lab::PairedCell{"1", "arm " + std::to_string(i), by_seed(baseline), by_seed(arm), 0});
    for (std::size_t k = 0; k < arm.size(); ++k) row.windows.push_back(arm[k] - baseline[k]);
  }
  return rows;
}

std::vector<lab::PairedCell> first_seeds(std::vector<lab::PairedCell> rows, std::size_t n) {
  for (auto& row : rows) {
    row.windows.resize(row.windows.size() / row.baseline.size() * n);
    row.baseline.resize(n);
    row.arm_loss.resize(n);
  }
  return rows;
}

}  // namespace validation
