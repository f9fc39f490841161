// Small-sample statistics of paired differences: interval, test, equivalence, power. Pure
// functions; what cannot be known from the data is std::nullopt, never NaN.
#pragma once
#include <optional>
#include <span>
#include <vector>

namespace lab {

struct Interval {
  double lo = 0, hi = 0;
  bool operator==(const Interval&) const = default;
};

/// Mean and standard deviation (divisor n − 1) of n ≥ 2 finite numbers.
///
/// sd = 0 (all numbers the same) is a real case: two arms that compute the same bits differ by
/// exactly 0 in every seed. The functions below then take their limits for sd → 0 at a fixed mean:
/// the interval is the point, p is 0 for a mean other than 0 and 1 for a mean of 0.
struct Sample {
  int n = 0;
  double mean = 0, sd = 0;
};

/// The mean of x; nullopt when x is empty or the mean isn't finite.
std::optional<double> mean(std::span<const double> x);

/// √(Σ(xᵢ − x̄)² / (n − 1)); nullopt when n < 2 or it isn't finite. Exactly 0 when all are equal.
std::optional<double> sd(std::span<const double> x);

/// mean() and sd() together; nullopt when either isn't known.
std::optional<Sample> summarize(std::span<const double> x);

/// armᵢ − baselineᵢ. REQUIRES: equal lengths, finite values (a diverged run has no loss to pair).
std::vector<double> differences(std::span<const double> arm, std::span<const double> baseline);

/// x̄ ± t(1 − α/2; n − 1) · sd/√n, which covers the mean with probability 1 − α (Student 1908).
/// REQUIRES: 0 < alpha < 1.
Interval t_interval(const Sample& x, double alpha = 0.05);

/// Two-sided p of the paired t test of "the mean is 0": P(|T| ≥ |x̄|√n/sd), T ~ t(n − 1).
double t_test(const Sample& x);

/// p of "the mean lies within ±margin" by two one-sided t tests: the larger of
/// P(T ≥ (x̄ + margin)√n/sd) and P(T ≤ (x̄ − margin)√n/sd) (Schuirmann 1987, J. Pharmacokinet.
/// Biopharm. 15:657). Below α exactly when the 1 − 2α interval lies inside ±margin.
double equivalence_test(const Sample& x, double margin);

/// Holm's step-down adjusted p values in the order given (Holm 1979, Scand. J. Stat. 6:65): with
/// p₍₁₎ ≤ … ≤ p₍ₘ₎, p̃₍ᵢ₎ = max over j ≤ i of min(1, (m − j + 1) p₍ⱼ₎). A p that isn't known stays
/// so, but counts in m as if it were 1: leaving it out would reward an arm for failing.
std::vector<std::optional<double>> holm(std::span<const std::optional<double>> p);

/// The interval that covers σ with probability `level`: sd·√((n − 1)/χ²(1 ∓ (1 − level)/2; n − 1)).
Interval sd_interval(const Sample& x, double level);

/// Power of the two-sided t test at level alpha on n pairs whose differences are N(diff, sd²):
/// P(|T| > t(1 − α/2; n − 1)), T noncentral t with n − 1 degrees of freedom and noncentrality
/// diff·√n/sd (Johnson, Kotz & Balakrishnan 1995, Continuous Univariate Distributions 2, ch. 31).
double t_test_power(const Sample& x, double alpha);

/// Power of equivalence_test() at level alpha under the same model: a bivariate noncentral t
/// probability (Owen 1965, Biometrika 52:437), here integrated over the sd that will be observed.
/// With se = sd/√n, t = t(1 − α; n − 1) and r = √(χ²/(n − 1)), E over r < margin/(t·se) of
/// Φ((margin − diff)/se − t·r) − Φ(t·r − (margin + diff)/se); within 1e-7.
double equivalence_power(const Sample& x, double margin, double alpha);

// Estimates: a mean with its standard error and degrees of freedom, of paired seeds, of seeds
// crossed with windows, of a regression. Interval, test and equivalence are the same for all.

/// (mean − truth)/se is taken as Student's t with `dof` degrees of freedom, which need not be
/// whole. se = 0 is a real case, see Sample, and has the same limits.
struct Estimate {
  double mean = 0, se = 0, dof = 1;
};

/// x̄, sd/√n and n − 1.
Estimate estimate(const Sample& x);

/// mean ± t(1 − α/2; dof) · se. REQUIRES: 0 < alpha < 1.
Interval t_interval(const Estimate& x, double alpha = 0.05);

/// Two-sided p of "the mean is 0".
double t_test(const Estimate& x);

/// p of "the mean lies within ±margin" by two one-sided tests, see stats.h.
double equivalence_test(const Estimate& x, double margin);

/// Intervals of m arms that cover all of their means at once with probability ≥ 1 − α, whatever the
/// dependence between the arms (Bonferroni): each is the t interval at level 1 − α/m.
///
/// Bonferroni and not Holm: intervals that agree with Holm's tests end at 0 for every arm that he
/// rejects, as long as he does not reject all (Strassburger & Bretz 2008, Stat. Med. 27:4914, for
/// one-sided ones), which hides the size of the very effects that were found. These keep both ends,
/// and agree one way: an interval without 0 has p̃ ≤ m·p < α by Holm. Where Holm rejects and the
/// interval holds 0 (α/m ≤ p < α/(m − i + 1)), the report must let both stand. An arm that isn't
/// known stays so and counts in m, as in holm().
std::vector<std::optional<Interval>> simultaneous_intervals(
    std::span<const std::optional<Estimate>> arms, double alpha = 0.05);

// The probabilities that the statistics here need.

/// P(T ≥ t), T Student's t with `dof` degrees of freedom; t may be infinite.
double student_tail(double dof, double t);

/// The t that is exceeded with probability `tail`.
double student_critical(double dof, double tail);

/// Φ(z) and its density, of the standard normal.
double normal_cdf(double z);
double normal_pdf(double z);

/// The z with Φ(z) = p. REQUIRES: 0 < p < 1.
double normal_quantile(double p);

}  // namespace lab
