#include "train/data/load_corpus.h"

#include <algorithm>

#include "train/architecture.h"
#include "train/data/synthetic.h"

namespace train {
namespace {

constexpr std::uint64_t kCorpusSeed = 1;           // one language for everybody
constexpr std::int64_t kTrainTokens = 1 << 20;     // at least
constexpr std::int64_t kMaxTrainTokens = 1 << 28;  // beyond it, crops of this much are fresh enough
constexpr std::int64_t kValTokens = 1 << 15;

}  // namespace

std::int64_t fresh_tokens(const Settings& s) {
  if (s.corpus_tokens > 0) return s.corpus_tokens;
  if (s.unique_tokens > 0) return std::max(kTrainTokens, 2 * s.unique_tokens);
  const Budget budget = run_budget(s);
  if (budget.kind == Budget::Kind::kSeconds || budget.kind == Budget::Kind::kEpochs)
    return kTrainTokens;
  const double step = static_cast<double>(s.batch * s.block_size);
  const double flops = step * models::flops_per_token(gpt_config(s, synthetic_vocabulary()));
  const double tokens = step * static_cast<double>(budget.steps_for(step, flops, 1));
  return std::clamp(static_cast<std::int64_t>(std::min(1e15, tokens)), kTrainTokens,
                    kMaxTrainTokens);
}

Corpus load_corpus(const Settings& s) {
  if (!s.text.empty()) {
    const auto val = s.val.empty() ? std::nullopt : std::optional(s.val);
    const TokenizerKind kind = s.tokenizer == "byte" ? TokenizerKind::kByte : TokenizerKind::kChar;
    return load_text(s.text, val, kind, s.block_size, s.val_fraction);
  }
  return make_synthetic(kCorpusSeed, fresh_tokens(s), std::max(kValTokens, s.block_size + 1),
                        s.block_size);
}

}  // namespace train
