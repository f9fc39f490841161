#!/usr/bin/env python3
"""Writes tests/lab/stats_studies_golden.h: reference values of the statistics behind studies.

    python3 -m venv venv && venv/bin/pip install scipy statsmodels scikit-learn
    venv/bin/python scripts/golden_studies.py

Variance components come from statsmodels' two-way analysis of variance, tests from scipy, intervals
from roots of those tests, scores from scikit-learn and numerical integrals, and distributions of
resamples from all resamples if they can be counted. Needed only to remake the values.
"""
import itertools
import pathlib
import subprocess

import numpy as np
import pandas
import scipy
import sklearn
import sklearn.metrics
import statsmodels
import statsmodels.api as sm
from scipy import integrate, optimize, stats
from statsmodels.formula.api import ols

ALPHA = 0.05
random = np.random.default_rng(13)


def numbers(*shape, scale=1.0, steps=1024):
    """Normal numbers that are exact in float32."""
    return np.round(random.normal(size=shape) * scale * steps) / steps


def crossed_table(n, w, seed, window, rest):
    return (numbers(n, 1, scale=seed) + numbers(1, w, scale=window) + numbers(n, w, scale=rest) + 0.25)


def crossed(d):
    n, w = d.shape
    frame = pandas.DataFrame({"d": d.ravel(), "s": np.repeat(range(n), w), "k": np.tile(range(w), n)})
    table = sm.stats.anova_lm(ols("d ~ C(s) + C(k)", frame).fit())
    ms_s, ms_w, ms_e = table["mean_sq"]
    dof_s, dof_w, dof_e = table["df"]
    window = max(ms_w - ms_e, 0)
    spread = ms_s**2 / dof_s + (ms_w**2 / dof_w + ms_e**2 / dof_e if window else 0)
    dof = max((ms_s + window)**2 / spread, dof_s)
    se = np.sqrt((ms_s + window) / (n * w))
    lo, hi = stats.t.interval(1 - ALPHA, dof, loc=d.mean(), scale=se)
    return [max(ms_s - ms_e, 0) / w, window / n, ms_e, d.mean(), se, dof, lo, hi,
            stats.sem(d.mean(axis=1))]


def crossed_t(d):
    """t* of 100000 resamples of rows and columns, by index."""
    n, w = d.shape

    def parts(x):
        row, column, grand = x.mean(1), x.mean(0), x.mean()
        ms_s = w * row.var(ddof=1)
        ms_w = n * column.var(ddof=1)
        ms_e = ((x - row[:, None] - column + grand)**2).sum() / ((n - 1) * (w - 1))
        return grand, np.sqrt((ms_s + max(ms_w - ms_e, 0)) / (n * w))

    mean, se = parts(d)
    t = []
    while len(t) < 100000:
        m, s = parts(d[np.ix_(random.integers(n, size=n), random.integers(w, size=w))])
        if s > 1e-12:
            t.append((m - mean) / s)
    return mean, se, np.array(t)


def bracket(values, p, slack):
    """Values that the p-quantile of a resampled estimate must lie between."""
    return np.quantile(values, max(p - slack, 0)), np.quantile(values, min(p + slack, 1))


def studentized(mean, se, t, slack):
    lo, hi = bracket(t, ALPHA / 2, slack), bracket(t, 1 - ALPHA / 2, slack)
    return [mean - hi[1] * se, mean - hi[0] * se, mean - lo[1] * se, mean - lo[0] * se]


def bootstrap_t(x):
    """All 6^6 resamples of six numbers."""
    t = []
    for drawn in itertools.product(x, repeat=len(x)):
        s = np.std(drawn, ddof=1)
        if s > 1e-12:
            t.append((np.mean(drawn) - x.mean()) / (s / np.sqrt(len(x))))
    return studentized(x.mean(), stats.sem(x), np.array(t), 0.003)


def pitman_morgan(x, y):
    p = lambda ratio: stats.pearsonr(x / np.sqrt(ratio) + y, x / np.sqrt(ratio) - y).pvalue
    observed = x.var() / y.var()
    lo = optimize.brentq(lambda r: p(r) - ALPHA, observed * 1e-6, observed)
    hi = optimize.brentq(lambda r: p(r) - ALPHA, observed, observed * 1e6)
    return [observed, lo, hi, p(1)]


def crossing(x, d):
    """Zero of the mean, and of its one-sided bounds, of straight lines between the points."""
    at = lambda u: np.array([np.interp(u, x, row) for row in d])
    t = stats.t.isf(ALPHA / 2, len(d) - 1)
    bound = lambda u, sign: at(u).mean() + sign * t * stats.sem(at(u))
    return [optimize.brentq(bound, x[0], x[-1], args=(sign,)) for sign in (0, -1, 1)]


def equivalent_bootstrap(shares, first, arm):
    """log2 of the equivalents of all resamples of the seeds; the curve falls."""
    found = []
    for drawn in itertools.product(range(len(arm)), repeat=len(arm)):
        curve, loss = first[list(drawn)].mean(0), arm[list(drawn)].mean()
        found.append(np.interp(-loss, -curve, np.log2(shares), left=-np.inf, right=np.inf))
    lo, hi = bracket(found, ALPHA / 2, 0.004), bracket(found, 1 - ALPHA / 2, 0.004)
    return [*lo, *hi]


def softmax(z, t=1.0):
    return scipy.special.softmax(z / t, axis=1)


def temperature(z, labels):
    loss = lambda t: sklearn.metrics.log_loss(labels, softmax(z, t), labels=range(z.shape[1]))
    best = optimize.minimize_scalar(lambda u: loss(np.exp(u)), bounds=(-4, 4), method="bounded",
                                    options={"xatol": 1e-10})
    return [np.exp(best.x), best.fun]


def reliability(p, hit, bins):
    order = np.argsort(p, kind="stable")
    gap, variance, folded = [], [], []
    for part in np.array_split(order, bins):
        h = hit[part].mean()
        gap.append(abs(p[part].mean() - h))
        variance.append(h * (1 - h) / (len(part) - 1))
        s = np.sqrt(variance[-1])
        folded.append(stats.foldnorm.mean(gap[-1] / s, scale=s) if s > 0 else gap[-1])
    gap, variance, folded = map(np.array, (gap, variance, folded))
    return [gap.mean(), (2 * gap - folded).mean(), (gap**2 - variance).mean()]


def crps(mean, sd, y):
    below = integrate.quad(lambda x: stats.norm.cdf(x, mean, sd)**2, mean - 12 * sd, y, epsabs=1e-13)[0]
    above = integrate.quad(lambda x: stats.norm.sf(x, mean, sd)**2, y, mean + 12 * sd, epsabs=1e-13)[0]
    return [below + above, -stats.norm.logpdf(y, mean, sd)]


# --- output -----------------------------------------------------------------------------------


def cpp(value):
    if isinstance(value, (list, tuple, np.ndarray)):
        return "{" + ", ".join(map(cpp, np.asarray(value, dtype=object).ravel())) + "}"
    return "%.15g" % value


def main():
    out = ["// Made by scripts/golden_studies.py with scipy %s, statsmodels %s and scikit-learn %s:"
           % (scipy.__version__, statsmodels.__version__, sklearn.__version__),
           "// change it there.", "#pragma once", "#include <vector>", "",
           "namespace golden {", "", "using Values = std::vector<double>;"]

    def table(name, members, rows, comment):
        out.extend(["", "// " + comment, "struct %s {" % name, "  Values %s;" % members, "};",
                    "inline const std::vector<%s> k%s = {" % (name, name)])
        out.extend("    {%s}," % ", ".join(map(cpp, row)) for row in rows)
        out.append("};")

    tables = [crossed_table(4, 6, 0.5, 0.3, 0.2), crossed_table(3, 5, 0, 1, 1),
              crossed_table(5, 7, 1, 0, 1), crossed_table(8, 12, 0.1, 0.2, 1)]
    # Windows, then seeds, that differ less than chance allows: negative components.
    tables += [tables[0] - 0.9 * tables[0].mean(0), tables[2] - 0.9 * tables[2].mean(1)[:, None]]
    table("Crossed", "d, seeds, want", [(d, [len(d)], crossed(d)) for d in tables],
          "var_seed, var_window, var_rest, mean, se, dof, lo, hi; sd of the seeds' means/root n.")
    table("CrossedBootstrap", "d, seeds, want", [
        (d, [len(d)], studentized(*crossed_t(d), 0.003)) for d in (tables[3], tables[1])],
          "Least and most for the lower, then for the upper end.")
    flips = [numbers(n) + 0.4 for n in (2, 5, 8, 12)] + [np.array([1., 1, 1, -1, 2, 2, 0])]
    table("SignFlip", "d, p", [(d, [stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=np.inf).pvalue]) for d in flips],
          "Exact two-sided p.")
    x = numbers(6) + 0.2
    table("BootstrapT", "x, want", [(x, bootstrap_t(x))], "As CrossedBootstrap.")
    pairs = [(numbers(n, scale=s) + y, y) for n, s in ((3, 1), (8, 1), (40, 0.5), (40, 2))
             for y in [numbers(n)]]
    table("PitmanMorgan", "x, y, want", [(x, y, pitman_morgan(x, y)) for x, y in pairs],
          "ratio, lo, hi, p.")
    shares = np.array([0.125, 0.25, 0.5, 1, 2])
    curve = lambda n: (2 + 0.4 * shares**-0.3)[None] + numbers(n, 1, scale=0.02) + numbers(
        n, 5, scale=0.01)
    rows = []
    for n, loss in ((5, 2.45), (8, 2.5)):
        first, arm = curve(n), loss + numbers(n, scale=0.02)
        rows.append((first, arm, crossing(np.log2(shares), first - arm[:, None])))
    table("Equivalent", "first, arm, want", rows, "Shares 1/8 ... 2; log2 of share, lo, hi.")
    table("EquivalentBootstrap", "first, arm, want",
          [(rows[0][0], rows[0][1], equivalent_bootstrap(shares, *rows[0][:2]))],
          "Bounds as BootstrapT, of log2 of the share.")
    design = np.column_stack([np.ones(12), numbers(12) + 5, numbers(12) * 30 + 100])
    y = design @ [1, -2, 0.05] + numbers(12)
    fit, weights = sm.OLS(y, design).fit(), [1, 5.5, 90]
    contrast = fit.t_test(weights)
    table("Ols", "x, y, coef, covariance, sigma, weights, combination",
          [(design, y, fit.params, fit.cov_params(), [np.sqrt(fit.scale)], weights,
            [contrast.effect[0], contrast.sd.item(), *contrast.conf_int(ALPHA)[0]])],
          "combination: value, se, lo, hi.")
    rows = []
    for n, classes, scale in ((40, 2, 3), (60, 5, 4), (50, 64, 0.5)):
        z = numbers(n, classes, scale=scale, steps=64)
        labels = np.array([random.choice(classes, p=row) for row in softmax(z, 2.5)])
        p = softmax(z)
        rows.append((z, labels, [sklearn.metrics.log_loss(labels, p, labels=range(classes)),
                                 ((p - np.eye(classes)[labels])**2).sum(1).mean(),
                                 *temperature(z, labels), *reliability(
                                     p.max(1), p.argmax(1) == labels, 5)]))
    table("Classes", "z, labels, want", rows,
          "nll, brier, best temperature, nll there, ece, debiased, squared (5 bins).")
    cases = [(0, 1, 0), (0.3, 2, -1.7), (5, 0.1, 5.4), (-2, 3, 9)]
    table("Normal", "forecast, want", [((m, s, y), crps(m, s, y) + list(
        stats.norm.interval(0.9, m, s))) for m, s, y in cases],
          "mean, sd, y; crps, nll, 90 % interval.")
    plans = [(0.01, 0.012, 0.05), (0.01, 0.02, 0.0125), (0.5, 1, 0.05)]
    table("Pairs", "plan, n", [(plan, [np.ceil(sm.stats.TTestPower().solve_power(
        plan[0] / plan[1], power=0.8, alpha=plan[2]))]) for plan in plans],
          "effect, sd, alpha; pairs for a power of 0.8.")
    out += ["", "}  // namespace golden", ""]
    path = pathlib.Path(__file__).resolve().parent.parent / "tests" / "lab" / "stats_studies_golden.h"
    path.write_text("\n".join(out))
    subprocess.run(["clang-format", "-i", str(path)], check=True)


if __name__ == "__main__":
    main()
