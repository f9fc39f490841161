// Verdicts where there is nothing to find.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lab/stats/crossed.h"
#include "lab/stats/paired.h"
#include "tests/validation/checks.h"

namespace validation {
namespace {

using lab::Rules;
using Values = std::vector<double>;

constexpr lab::Interval kAlpha = {0, 0.05};
constexpr double kMargin = 1e-9;  // nothing is equivalent, and nobody searches for more seeds
constexpr Rules kRules = {.margin = kMargin, .max_seeds = 2};

bool told(const lab::Verdict& v) {
  return v.verdict == lab::Outcome::kHelps || v.verdict == lab::Outcome::kHurts;
}

bool any_told(const std::vector<lab::PairedCell>& rows, const Rules& rules) {
  const auto verdicts = lab::judge(rows, rules);
  return std::any_of(verdicts.begin(), verdicts.end(), told);
}

/// Four seeds more after every look that told nothing, from 8 to 40: the looks that tell.
std::pair<bool, bool> looks(const std::vector<lab::PairedCell>& rows) {
  Rules rules = kRules;
  bool first = false;
  for (std::size_t n = 8; n <= 40; n += 4, ++rules.looks) {
    if (!any_told(first_seeds(rows, n), rules)) continue;
    if (rules.looks > 1) return {first, true};
    first = true;  // a look that told ends the looking; going on shows what later ones add
  }
  return {first, false};
}

std::pair<bool, bool> looks(int arms, Normals& random) {
  return looks(table(Values(std::size_t(arms), 0), {}, Text::kOwn, 40, 1, random));
}

/// "no difference" is said though the true difference is beyond the margin that is named: the
/// baseline's own sd over seeds. `own`: sd of what the arms do not share, over 1 that they share.
/// `truth`: in true sds of the baseline.
bool wrongly_none(double own, double truth, int seeds, Normals& random) {
  truth *= std::sqrt(1 + own * own);
  const Values shared = random.values(seeds, 2, 1);
  lab::PairedCell row{"1", "arm", shared, shared, 0};
  for (std::size_t i = 0; i < shared.size(); ++i) {
    row.baseline[i] += own * random.next();
    row.arm_loss[i] += truth + own * random.next();
  }
  row.margin = lab::sd(row.baseline);
  const auto verdict = lab::judge(std::vector{row}, Rules{.min_seeds = 2, .max_seeds = 2})[0];
  return verdict.verdict == lab::Outcome::kNoDifference && truth > verdict.margin;
}

/// Of five arms, the one with the lowest mean on three tuning seeds, judged on `count` seeds from
/// `from` on.
bool tuned(std::size_t from, std::size_t count, Normals& random) {
  const auto rows = table(Values(5, 0), {}, Text::kOwn, 11, 1, random);
  const auto loss = [](const lab::PairedCell& row) {
    return *lab::mean(std::span(row.arm_loss).first(3));
  };
  auto best = *std::min_element(rows.begin(), rows.end(),
                                [&](const auto& a, const auto& b) { return loss(a) < loss(b); });
  const auto keep = [&](Values& x) {
    const auto begin = x.begin() + static_cast<std::ptrdiff_t>(from);
    x = Values(begin, begin + static_cast<std::ptrdiff_t>(count));
  };
  keep(best.baseline);
  keep(best.arm_loss);
  return any_told({best}, kRules);
}

}  // namespace

std::vector<Check> false_verdicts() {
  const std::string group = "False verdicts, no effect";
  const Spread text{0.01, 0.3, 0.3};  // seeds, and windows of which 256 are read
  std::vector<Check> out;
  const auto add = [&](std::string name, std::optional<lab::Interval> wanted, auto trial) {
    out.push_back({group, std::move(name), wanted, trial});
  };
  add("helps or hurts, one arm, 8 seeds", lab::Interval{0.04, 0.06},
      [](Normals& r) { return any_told(table(Values{0}, {}, Text::kOwn, 8, 1, r), kRules); });
  add("anywhere among 8 arms on one baseline, 8 seeds", kAlpha,
      [](Normals& r) { return any_told(table(Values(8, 0), {}, Text::kOwn, 8, 1, r), kRules); });
  add("8 to 40 seeds, 9 looks: at the looks after the first", kAlpha,
      [](Normals& r) { return looks(1, r).second; });
  add("8 to 40 seeds, 9 looks: at any (bound 2α, see look_factor)", lab::Interval{0, 0.1},
      [](Normals& r) {
        const auto [first, later] = looks(1, r);
        return first || later;
      });
  add("the same among 8 arms, at any look", lab::Interval{0, 0.1}, [](Normals& r) {
    const auto [first, later] = looks(8, r);
    return first || later;
  });
  add("best of 5 on 3 tuning seeds, judged on 8 fresh ones", kAlpha,
      [](Normals& r) { return tuned(3, 8, r); });
  add("best of 5 on 3 tuning seeds, judged on the same 3", std::nullopt,
      [](Normals& r) { return tuned(0, 3, r); });
  add("each seed its own text, t over seeds", lab::Interval{0.04, 0.06},
      [=](Normals& r) { return any_told(table(Values{0}, text, Text::kOwn, 8, 256, r), kRules); });
  add("one text for all seeds, t over seeds", std::nullopt, [=](Normals& r) {
    return any_told(table(Values{0}, text, Text::kShared, 8, 256, r), kRules);
  });
  add("one text for all seeds, crossed with its windows", lab::Interval{0.03, 0.07},
      [=](Normals& r) {
        return lab::t_test(lab::crossed(differences(0, text, 8, 256, r), 8)->mean) < 0.05;
      });
  const Spread shared{0.1, 0.3, 0.6};  // 64 windows: all three matter
  add("whole verdicts, one shared text, 8 seeds × 64 windows", lab::Interval{0.03, 0.07},
      [=](Normals& r) { return any_told(crossed_table(Values{0}, shared, 8, 64, r), kRules); });
  add("the same, anywhere among 8 arms", kAlpha,
      [=](Normals& r) { return any_told(crossed_table(Values(8, 0), shared, 8, 64, r), kRules); });
  add("the same, one arm, 9 looks: at any", lab::Interval{0, 0.1}, [=](Normals& r) {
    const auto [first, later] = looks(crossed_table(Values{0}, shared, 40, 64, r));
    return first || later;
  });
  for (const auto& [own, truth] : {std::pair{0.1, 1.0}, {1.0, 1.0}, {1.0, 0.7}, {1.0, 0.5}})
    add(fmt::format(
            "\"no difference\" beyond the margin named, the baseline's sd: {:g} of the true "
            "one, own part {:g} : 1",
            truth, own),
        kAlpha, [=](Normals& r) { return wrongly_none(own, truth, 8, r); });
  add("sign flips, 8 seeds", kAlpha,
      [](Normals& r) { return *lab::sign_flip_test(r.values(8, 0, 1)) < 0.05; });
  add("\"no difference\" where the truth is on the margin, 8 seeds", kAlpha, [](Normals& r) {
    const Rules rules{.margin = 2};
    const auto verdicts = lab::judge(table(Values{2}, {}, Text::kOwn, 8, 1, r), rules);
    return verdicts[0].verdict == lab::Outcome::kNoDifference;
  });
  return out;
}

}  // namespace validation
