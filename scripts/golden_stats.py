#!/usr/bin/env python3
"""Writes tests/lab/stats_golden.h, the reference values of tests/lab/stats_test.cpp.

    python3 -m venv venv && venv/bin/pip install scipy && venv/bin/python scripts/golden_stats.py

Tests and quantiles are scipy's. Powers are integrals over the distribution of the standard deviation
instead of scipy's noncentral t, a second way to the same numbers. Needed only to remake the values.
"""
import pathlib
import subprocess

import numpy as np
import scipy
from scipy import integrate, stats

DATA = [
    [-0.05, 0.0],
    [0.0123, -0.0041, 0.0307, 0.0188, 0.0025],
    [-1.0712, -1.0544, -1.1023, -1.0871, -1.0399],
    [0.0011, -0.0009, 0.0004, -0.0016, 0.0002, 0.0007, -0.0003, 0.0012],
    [1e-9, 3e-9, -2e-9],
]
ALPHAS = [0.05, 0.0125]
MARGIN = 0.01
# n, diff, sd, margin, alpha
POWERS = [
    (2, 0.03, 0.01, 0.05, 0.05),
    (3, 0.03, 0.01, 0.05, 0.05),
    (4, 0.0, 0.01, 0.0185, 0.05),
    (5, 0.02, 0.012, 0.03, 0.05),
    (5, 0.02, 0.012, 0.03, 0.00625),
    (8, 0.004, 0.005, 0.01, 0.025),
    (12, -0.003, 0.007, 0.01, 0.05),
    (34, 0.5, 1.0, 0.9, 0.05),
    (200, 0.002, 0.05, 0.0125, 0.025),
    (5, 1.0, 0.012, 1.2, 0.00625),
    (3, 1.0, 0.04, 1.5, 0.0005),
    (2, 1.0, 0.02, 1.1, 0.0125),
    (3, 1.0, 0.005, 1.5, 0.0005),
]


def over_sd(n, conditional, limit=np.inf):
    """E[conditional(s/sigma)] where (n - 1)(s/sigma)^2 is chi-square with n - 1 degrees."""
    dof = n - 1
    density = lambda r: stats.chi.pdf(r * np.sqrt(dof), dof) * np.sqrt(dof)
    top = min(limit, stats.chi.isf(1e-14, dof) / np.sqrt(dof))
    points = np.linspace(0, top, 41)
    return sum(integrate.quad(lambda r: density(r) * conditional(r), a, b, epsabs=1e-14, limit=200)[0]
               for a, b in zip(points, points[1:]))


def difference_power(n, diff, sd, alpha):
    t, ncp = stats.t.isf(alpha / 2, n - 1), diff * np.sqrt(n) / sd
    return over_sd(n, lambda r: stats.norm.sf(t * r - ncp) + stats.norm.cdf(-t * r - ncp))


def equivalence_power(n, diff, sd, margin, alpha):
    t, se = stats.t.isf(alpha, n - 1), sd / np.sqrt(n)
    inside = lambda r: (stats.norm.cdf((margin - diff) / se - t * r)
                        - stats.norm.cdf(t * r - (margin + diff) / se))
    return over_sd(n, inside, limit=margin / (t * se))


def pairs_for_80_percent(effect):
    """Pairs that show a difference of `effect` standard deviations at alpha 0.05."""
    return next(n for n in range(2, 1000) if difference_power(n, effect, 1, 0.05) >= 0.8)


def main():
    assert [pairs_for_80_percent(d) for d in (0.2, 0.5, 0.8)] == [199, 34, 15]
    out = ["// Made by scripts/golden_stats.py with scipy %s: change it there." % scipy.__version__,
           "#pragma once", "#include <vector>", "",
           "struct StatsGoldenTest {", "  std::vector<double> x;",
           "  double alpha, mean, sd, lo, hi, p, p_equivalent, sd_lo80, sd_hi80;", "};",
           "struct StatsGoldenPower {", "  int n;",
           "  double diff, sd, margin, alpha, difference, equivalence;", "};", "",
           "// The margin of p_equivalent.",
           "inline constexpr double kStatsGoldenMargin = %r;" % MARGIN, "",
           "inline const std::vector<StatsGoldenTest> kStatsGoldenTests = {"]
    for x in DATA:
        for alpha in ALPHAS:
            n, m, s = len(x), np.mean(x), np.std(x, ddof=1)
            lo, hi = stats.t.interval(1 - alpha, n - 1, loc=m, scale=stats.sem(x))
            p = stats.ttest_1samp(x, 0).pvalue
            pe = max(stats.ttest_1samp(x, -MARGIN, alternative="greater").pvalue,
                     stats.ttest_1samp(x, MARGIN, alternative="less").pvalue)
            dof = n - 1
            row = [alpha, m, s, lo, hi, p, pe, s * np.sqrt(dof / stats.chi2.isf(0.1, dof)),
                   s * np.sqrt(dof / stats.chi2.ppf(0.1, dof))]
            out.append("    {{%s}, %s}," % (", ".join(repr(v) for v in x),
                                            ", ".join("%.15g" % v for v in row)))
    out += ["};", "", "inline const std::vector<StatsGoldenPower> kStatsGoldenPowers = {"]
    for n, diff, sd, margin, alpha in POWERS:
        row = [diff, sd, margin, alpha, difference_power(n, diff, sd, alpha),
               equivalence_power(n, diff, sd, margin, alpha)]
        out.append("    {%d, %s}," % (n, ", ".join("%.12g" % v for v in row)))
    out += ["};", ""]
    path = pathlib.Path(__file__).resolve().parent.parent / "tests" / "lab" / "stats_golden.h"
    path.write_text("\n".join(out))
    subprocess.run(["clang-format", "-i", str(path)], check=True)


if __name__ == "__main__":
    main()
