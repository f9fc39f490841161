#include "train/tasks/load_corpus.h"

#include <algorithm>

#include "base/hash.h"
#include "data/synthetic/synthetic.h"
#include "engine/rng.h"
#include "train/config/architecture.h"

namespace train {
namespace {

constexpr std::uint64_t kLanguage = 1;             // one language for everybody
constexpr std::int64_t kTrainTokens = 1 << 20;     // at least
constexpr std::int64_t kMaxTrainTokens = 1 << 28;  // beyond it, crops of this much are fresh enough
constexpr std::int64_t kValTokens = 1 << 14, kTestTokens = 1 << 15;

}  // namespace

std::int64_t fresh_tokens(const Settings& s) {
  if (s.unique_tokens > 0) return s.unique_tokens;
  const Budget budget = Budget::parse(s.budget);
  if (budget.kind == Budget::Kind::kSeconds || budget.kind == Budget::Kind::kEpochs)
    return kTrainTokens;
  const double step = static_cast<double>(s.batch * s.block_size);
  const double flops = step * models::flops_per_token(gpt_config(s, data::synthetic_vocabulary()));
  const double tokens = 2 * step * static_cast<double>(budget.steps_for(step, flops, 1));
  return std::clamp(static_cast<std::int64_t>(std::min(1e15, tokens)), kTrainTokens,
                    kMaxTrainTokens);
}

data::Corpus load_corpus(const Settings& s) {
  if (!s.text.empty()) {
    return data::load_text({s.text, s.val, s.test, s.val_fraction, s.test_fraction, s.bin_type},
                           s.tokenizer, s.block_size);
  }
  // Languages of seeds are none that the fixed one could be.
  const bool seeded = s.language == "seeded";
  data::Corpus corpus = data::make_synthetic(
      {seeded ? ~s.seed : kLanguage, s.seed, std::max(fresh_tokens(s), s.block_size + 1),
       std::max(kValTokens, s.block_size + 1), std::max(kTestTokens, s.block_size + 1)},
      s.block_size);
  // Which language it is follows from the seed, as the texts do.
  if (seeded)
    corpus.hash = base::Hash().add("one per seed").add(data::language_hash(kLanguage)).hex();
  return corpus;
}

data::Corpus random_corpus(const Settings& settings) {
  data::Corpus corpus;
  corpus.name = "random tokens";
  corpus.vocab = preset_of(settings).vocabulary;
  engine::Sequence random(engine::stream_key(1, engine::Stream::kData), 0);
  const auto drawn = [&](std::int64_t n) {
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(n));
    for (std::int32_t& t : tokens)
      t = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(corpus.vocab)));
    return tokens;
  };
  corpus.train = drawn(16 * settings.block_size + 100'000);
  corpus.val.ids = drawn(settings.block_size + 1);
  corpus.hash = data::hash_corpus(corpus);
  return corpus;
}

}  // namespace train
