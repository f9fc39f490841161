#include "lab/study/rivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"

namespace lab {
namespace {

/// Widths of about 50 to 90 % that the heads divide.
std::string smaller(const train::Settings& base) {
  std::set<std::int64_t> widths;
  for (const double share : {0.5, 0.6, 0.7, 0.8, 0.9}) {
    const auto heads = static_cast<double>(base.n_embd) * share / static_cast<double>(base.n_head);
    const auto width = static_cast<std::int64_t>(heads + 0.5) * base.n_head;
    if (width > 0 && width < base.n_embd) widths.insert(width);
  }
  base::require(!widths.empty(), "arm 'smaller': no width below n_embd=", base.n_embd,
                " that n_head=", base.n_head, " divides; use fewer heads");
  return fmt::format("none,n_embd={}", fmt::join(widths, "|"));
}

template <const char* kText>
std::string same(const train::Settings&) {
  return kText;
}

constexpr char kNone[] = "none";
constexpr char kEarlyStop[] = "none,budget_share=0.0625|0.125|0.25|0.5|1";
// The usual decay is 0.1; on repeated data the best is about 30 times that (Kim et al. 2025,
// arXiv:2509.14786).
constexpr char kWeightDecay[] = "none,weight_decay=0.1|0.3|1|3|10";
constexpr char kDropout[] = "dropout=0.05|0.1|0.2|0.3|0.4";
constexpr char kBoth[] = "dropout=0.1|0.2|0.4,weight_decay=0.3|1|3";

constexpr Rival kRivals[] = {
    {"none", "no regularizer, the whole budget", same<kNone>},
    {"early_stop", "no regularizer, the best share of the budget", same<kEarlyStop>},
    {"weight_decay", "the best decay, from the usual 0.1 to 100 times that", same<kWeightDecay>},
    {"smaller", "a narrower model on the same budget", smaller},
    {"dropout", "the best rate", same<kDropout>},
    {"dropout+weight_decay", "the best of both together", same<kBoth>},
};

Arm named(std::string_view name, const std::string& text, const train::Settings& base) {
  Arm arm = parse_arm(text, base);
  arm.name = std::string(name);
  return arm;
}

std::vector<Level> levels(const std::vector<Arm>& arms) {
  std::vector<Level> out;
  for (const Arm& arm : arms) out.push_back({arm.name, arm.overrides, 0, arm.grid});
  return out;
}

}  // namespace

std::span<const Rival> rivals() { return kRivals; }

std::vector<std::string> rival_names() {
  std::vector<std::string> names;
  for (const Rival& rival : kRivals) names.emplace_back(rival.name);
  return names;
}

std::vector<Level> arm_levels(std::span<const std::string> texts, const train::Settings& base) {
  std::vector<Arm> arms;
  for (const std::string& text : texts) {
    const auto rival = std::find_if(std::begin(kRivals), std::end(kRivals),
                                    [&](const Rival& r) { return r.name == base::trim(text); });
    arms.push_back(rival == std::end(kRivals) ? parse_arm(text, base)
                                              : named(rival->name, rival->arm(base), base));
  }
  require_own_names(arms);
  return levels(arms);
}

std::vector<Level> default_arms(const train::Settings& base) {
  return levels({named("none", "none,budget_share=0.25|0.5|1", base),
                 named("dropout", "dropout=0.05|0.1|0.2", base)});
}

}  // namespace lab
