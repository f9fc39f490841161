// The few probabilities that the statistics here ask for.
#pragma once

namespace lab {

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
