#include "lab/stats/forecasts.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>

#include "base/error.h"
#include "lab/stats/stats.h"

namespace lab {
namespace {

void check(const Logits& in, double temperature) {
  base::require(
      in.classes >= 1 && !in.labels.empty() && in.z.size() == in.labels.size() * in.classes,
      "[calibration] ", in.z.size(), " scores are not ", in.labels.size(), " rows of ", in.classes,
      " classes, 1 or more");
  base::require(std::isfinite(temperature) && temperature > 0, "[calibration] temperature ",
                temperature, " must be above 0");
  for (const std::int32_t label : in.labels)
    base::require(static_cast<std::size_t>(label) < in.classes,  // negative ones wrap to large
                  "[calibration] label ", label, " is not one of ", in.classes, " classes");
  for (const float z : in.z)
    base::require(std::isfinite(z), "[calibration] a score is ", z, ": scores must be finite");
}

/// visit(row's scores, label, its probabilities, log Σ exp((z − max)/T), max) for each row.
template <class Visit>
void each_row(const Logits& in, double temperature, Visit visit) {
  std::vector<double> p(in.classes);
  for (std::size_t i = 0; i < in.labels.size(); ++i) {
    const auto z = in.z.subspan(i * in.classes, in.classes);
    const double top = static_cast<double>(*std::max_element(z.begin(), z.end()));
    double sum = 0;
    for (std::size_t k = 0; k < z.size(); ++k)
      sum += p[k] = std::exp((static_cast<double>(z[k]) - top) / temperature);
    for (double& v : p) v /= sum;
    visit(z, static_cast<std::size_t>(in.labels[i]), p, std::log(sum), top);
  }
}

double mean_nll(const Logits& in, double temperature) {
  double total = 0;
  each_row(in, temperature,
           [&](auto z, std::size_t label, const auto&, double log_sum, double top) {
             total += log_sum - (static_cast<double>(z[label]) - top) / temperature;
           });
  return total / static_cast<double>(in.labels.size());
}

}  // namespace

double nll(const Logits& logits, double temperature) {
  check(logits, temperature);
  return mean_nll(logits, temperature);
}

double brier(const Logits& logits, double temperature) {
  check(logits, temperature);
  double total = 0;
  each_row(logits, temperature, [&](auto, std::size_t label, const auto& p, double, double) {
    for (std::size_t k = 0; k < p.size(); ++k) {
      const double miss = p[k] - (k == label ? 1 : 0);
      total += miss * miss;
    }
  });
  return total / static_cast<double>(logits.labels.size());
}

Temperature fit_temperature(const Logits& logits) {
  check(logits, 1);
  if (logits.classes == 1) return {};  // it is certain at any
  constexpr double kMost = 100;
  // d NLL / d(1/T), rising in 1/T.
  const auto slope = [&](double inverse) {
    double total = 0;
    each_row(logits, 1 / inverse,
             [&](auto z, std::size_t label, const auto& p, double, double top) {
               double expected = 0;
               for (std::size_t k = 0; k < p.size(); ++k)
                 expected += p[k] * (static_cast<double>(z[k]) - top);
               total += expected - (static_cast<double>(z[label]) - top);
             });
    return total;
  };
  const auto at = [&](double t, bool edge) { return Temperature{t, mean_nll(logits, t), edge}; };
  double lo = -std::log(kMost), hi = std::log(kMost);  // of log(1/T)
  if (slope(std::exp(lo)) >= 0) return at(kMost, true);
  if (slope(std::exp(hi)) <= 0) return at(1 / kMost, true);
  while (hi - lo > 1e-12) {
    const double mid = (lo + hi) / 2;
    (slope(std::exp(mid)) < 0 ? lo : hi) = mid;
  }
  return at(std::exp(-(lo + hi) / 2), false);
}

std::vector<Forecast> top_label(const Logits& logits, double temperature) {
  check(logits, temperature);
  std::vector<Forecast> out;
  out.reserve(logits.labels.size());
  each_row(logits, temperature, [&](auto z, std::size_t label, const auto& p, double, double) {
    const auto best = static_cast<std::size_t>(std::max_element(z.begin(), z.end()) - z.begin());
    out.push_back({p[best], best == label});
  });
  return out;
}

std::optional<Reliability> reliability(std::vector<Forecast> forecasts, int bins) {
  base::require(bins >= 1, "[calibration] ", bins, " bins: 1 or more");
  const std::size_t n = forecasts.size();
  if (n < 2) return std::nullopt;
  for (const Forecast& f : forecasts)
    base::require(f.p >= 0 && f.p <= 1, "[calibration] probability ", f.p, " outside [0, 1]");
  std::sort(forecasts.begin(), forecasts.end(),
            [](const Forecast& a, const Forecast& b) { return a.p < b.p; });
  // A bin ends where its share of the mass does, moved on past ties and to 2 forecasts at least.
  std::vector<std::size_t> ends;
  std::size_t start = 0;
  for (std::size_t i = 1; i <= n; ++i) {
    const std::size_t due = (ends.size() + 1) * n / static_cast<std::size_t>(bins);
    if (i < n && (i < due || i < start + 2 || forecasts[i].p == forecasts[i - 1].p)) continue;
    ends.push_back(start = i);
  }
  if (ends.size() > 1 && ends.back() - ends[ends.size() - 2] < 2) ends.erase(ends.end() - 2);

  Reliability out;
  start = 0;
  for (const std::size_t end : ends) {
    ReliabilityBin bin;
    bin.count = static_cast<double>(end - start);
    for (; start < end; ++start) {
      bin.mean_p += forecasts[start].p / bin.count;
      bin.hit_rate += forecasts[start].hit / bin.count;
    }
    const double share = bin.count / static_cast<double>(n);
    const double gap = std::abs(bin.mean_p - bin.hit_rate);
    const double variance = bin.hit_rate * (1 - bin.hit_rate) / (bin.count - 1);
    const double s = std::sqrt(std::max(variance, 0.0)), z = s > 0 ? gap / s : 0;
    // E|N(gap, s²)| − gap, the folded normal's mean (Leone et al. 1961, Technometrics 3:543).
    const double added = 2 * (s * normal_pdf(z) - gap * normal_cdf(-z));
    out.ece += share * gap;
    out.ece_debiased += share * (gap - (s > 0 ? added : 0));
    out.squared_debiased += share * (gap * gap - variance);
    out.bins.push_back(bin);
  }
  return out;
}

double gaussian_nll(const Gaussian& forecast, double y) {
  const double z = (y - forecast.mean) / forecast.sd;
  return std::log(2 * std::numbers::pi) / 2 + std::log(forecast.sd) + z * z / 2;
}

double gaussian_crps(const Gaussian& forecast, double y) {
  if (forecast.sd == 0) return std::abs(y - forecast.mean);
  const double z = (y - forecast.mean) / forecast.sd;
  return forecast.sd * (z * (2 * normal_cdf(z) - 1) + 2 * normal_pdf(z) - std::numbers::inv_sqrtpi);
}

Interval central_interval(const Gaussian& forecast, double level) {
  const double half = normal_quantile((1 + level) / 2) * forecast.sd;
  return {forecast.mean - half, forecast.mean + half};
}

double coverage(std::span<const Interval> intervals, std::span<const double> truths) {
  base::require(!truths.empty() && intervals.size() == truths.size(), "[coverage] ",
                intervals.size(), " intervals for ", truths.size(), " truths");
  std::size_t inside = 0;
  for (std::size_t i = 0; i < truths.size(); ++i)
    inside += intervals[i].lo <= truths[i] && truths[i] <= intervals[i].hi;
  return static_cast<double>(inside) / static_cast<double>(truths.size());
}

}  // namespace lab
