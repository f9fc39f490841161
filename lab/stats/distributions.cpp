#include "lab/stats/distributions.h"

#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numbers>

namespace lab {

namespace bm = boost::math;

double student_tail(double dof, double t) {
  if (std::isinf(t)) return t > 0 ? 0.0 : 1.0;
  return bm::cdf(bm::complement(bm::students_t(dof), t));
}

double student_critical(double dof, double tail) {
  return bm::quantile(bm::complement(bm::students_t(dof), tail));
}

double normal_cdf(double z) { return std::erfc(-z / std::sqrt(2.0)) / 2; }

double normal_pdf(double z) {
  return std::exp(-z * z / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

double normal_quantile(double p) { return bm::quantile(bm::normal(), p); }

}  // namespace lab
