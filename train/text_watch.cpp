#include "train/text_watch.h"

#include "data/tokenizer/tokenizer.h"
#include "train/sampling.h"

namespace train {

TextWatch::TextWatch(Trainer& trainer, const data::Tokenizer& tokenizer, std::int64_t tokens,
                     Sink& told)
    : tokenizer_(tokenizer),
      opening_(opening(tokenizer)),
      decoder_(trainer.params(), trainer.planned().config),
      tokens_(tokens),
      told_(told) {
  if (opening_.empty()) opening_ = {0};
  decoder_.allocate();
}

void TextWatch::progress(const Progress& p) {
  if (!p.val_loss) return;
  std::vector<std::int32_t> ids;
  generate(decoder_, opening_, tokens_, default_keep(decoder_.limit()), {}, 0,
           [&](const Sampled& s) { ids.push_back(s.token); });
  told_.text({p.step, base::replaced_utf8(tokenizer_.decode(ids))});
}

}  // namespace train
