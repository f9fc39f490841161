// What the model says as it learns: a text of it at every evaluation, drawn from beside the run, so
// that no bit of training changes, and nothing of it is timed.
#pragma once
#include <cstdint>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "train/decoder.h"
#include "train/log/sink.h"
#include "train/trainer.h"

namespace train {

class TextWatch final : public Sink {
 public:
  /// `tokens`: drawn each time after a line end, or where the vocabulary has none after its first
  /// token, as `isodrop sample` does by default. REQUIRES: a task of text,
  /// whose `tokenizer` this is; all of them outlive this.
  TextWatch(Trainer& trainer, const data::Tokenizer& tokenizer, std::int64_t tokens, Sink& told);
  void progress(const Progress& p) override;

 private:
  const data::Tokenizer& tokenizer_;
  std::vector<std::int32_t> opening_;
  Decoder decoder_;
  std::int64_t tokens_;
  Sink& told_;
};

}  // namespace train
