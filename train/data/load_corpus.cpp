#include "train/data/load_corpus.h"

#include <algorithm>

#include "train/data/synthetic.h"

namespace train {
namespace {

constexpr std::uint64_t kCorpusSeed = 1;           // one language for everybody
constexpr std::int64_t kTrainTokens = 1 << 20;     // at least
constexpr std::int64_t kMaxTrainTokens = 1 << 28;  // beyond it, crops of this much are fresh enough
constexpr std::int64_t kValTokens = 1 << 15;

}  // namespace

Corpus load_corpus(const Settings& s, std::int64_t fresh_tokens) {
  if (!s.text.empty()) {
    const auto val = s.val.empty() ? std::nullopt : std::optional(s.val);
    const TokenizerKind kind = s.tokenizer == "byte" ? TokenizerKind::kByte : TokenizerKind::kChar;
    return load_text(s.text, val, kind, s.block_size, s.val_fraction);
  }
  return make_synthetic(kCorpusSeed, std::clamp(fresh_tokens, kTrainTokens, kMaxTrainTokens),
                        std::max(kValTokens, s.block_size + 1), s.block_size);
}

std::int64_t synthetic_vocabulary() {
  static const std::int64_t vocab = make_synthetic(kCorpusSeed, 4096, 4096, 8).vocab;
  return vocab;
}

}  // namespace train
