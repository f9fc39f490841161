#include "train/tasks/random_corpus.h"

#include "engine/rng.h"

namespace train {

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
