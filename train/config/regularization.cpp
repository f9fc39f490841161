#include "train/config/regularization.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "models/regularizer_grammar.h"
#include "train/config/budget.h"

namespace train {
namespace {

/// Which rate masks of 16 bits really have; nothing where it is the one asked for within 1 %.
void note_resolution(const std::string& name, double rate, std::vector<std::string>& out) {
  const double kept = std::round((1 - rate) * 65536) / 65536;
  if (kept == 1)
    out.push_back(
        fmt::format("{} is below the resolution of the masks, 1/65536: it drops nothing", name));
  else if (std::abs((1 - kept) / rate - 1) > 0.01 || std::abs(kept / (1 - rate) - 1) > 0.01)
    out.push_back(fmt::format("{} becomes {}, a multiple of the masks' resolution of 1/65536", name,
                              1 - kept));
}

bool is_noisy(const models::RegularizerSetting& s) { return s.kind->noise != nullptr; }

}  // namespace

std::vector<models::RegularizerSetting> regularizers(const Settings& s) {
  std::vector<models::RegularizerSetting> out = models::gpt2_dropout(s.dropout);
  for (models::RegularizerSetting& item : models::parse_regularizers(s.reg))
    out.push_back(std::move(item));
  models::check(out);
  return out;
}

std::vector<std::string> regularizer_notes(const Settings& s) {
  std::vector<std::string> out;
  if (s.dropout > 0) note_resolution(fmt::format("dropout={}", s.dropout), s.dropout, out);
  const auto all = regularizers(s), named = models::parse_regularizers(s.reg);
  for (const models::RegularizerSetting& item : named)
    if (is_noisy(item) && item.kind->noise->points != nullptr)
      note_resolution(fmt::format("{}:{}", item.kind->name, item.rate), item.rate, out);
  const Row* activation = find_setting("activation");
  const std::string active = activation == nullptr ? "gelu" : value_text(s, *activation);
  const auto budget = Budget::parse(s.budget).kind;
  const bool charged = budget == Budget::Kind::kFlops || budget == Budget::Kind::kSeconds;
  for (const models::RegularizerSetting& item : named) {
    if (is_noisy(item) && item.kind->noise->shifts() && active != "selu")
      out.push_back(
          fmt::format("{} keeps mean 0 and variance 1 of values that have them, as activation=selu "
                      "makes them: with {} it will not keep the moments",
                      item.kind->name, active));
    if (item.kind->passes > 1 && !charged)
      out.push_back(
          fmt::format("{} takes {} passes a step: under a budget of {} it spends {} times "
                      "the compute; a budget in flops charges it",
                      item.kind->name, item.kind->passes, s.budget, item.kind->passes));
    if (item.kind->passes > 1 && std::none_of(all.begin(), all.end(), is_noisy))
      out.push_back(
          fmt::format("{} compares passes with different masks, and nothing here draws "
                      "masks: its term is 0 at twice the FLOPs; add dropout, say",
                      item.kind->name));
  }
  return out;
}

}  // namespace train
