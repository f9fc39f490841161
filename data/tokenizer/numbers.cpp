#include "data/tokenizer/numbers.h"

#include "base/error.h"

namespace data {
namespace {

class Numbers final : public Tokenizer {
 public:
  explicit Numbers(std::int64_t vocab) : vocab_(vocab) {}
  std::string_view name() const override { return "ids"; }
  std::int64_t vocab() const override { return vocab_; }
  const std::vector<std::string>& pieces() const override { return none_; }
  std::vector<std::int32_t> encode(std::string_view, std::string_view source) const override {
    throw base::Error(base::concat(
        source,
        ": the model knows token ids alone, of no tokenizer; give a .bin file of ids, or "
        "train with --tokenizer gpt2:FOLDER or sp:FILE.model beside the .bin"));
  }

 private:
  std::int64_t vocab_;
  std::vector<std::string> none_;
};

}  // namespace

TokenizerPtr number_tokenizer(std::int64_t vocab) { return std::make_shared<Numbers>(vocab); }

}  // namespace data
