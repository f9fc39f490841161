// One token per byte or character, and ids without a tokenizer.
#include <sstream>

#include "base/error.h"
#include "data/tokenizer/tokenizer.h"

namespace data {
namespace {

constexpr std::size_t kBytes = 256, kCodePoints = 0x110000;

class Symbols final : public Tokenizer {
 public:
  Symbols(bool bytes, std::span<const Source> texts) : bytes_(bytes) {
    const std::size_t symbols = bytes ? kBytes : kCodePoints;
    ids_.assign(symbols, -1);
    for (const Source& source : texts)
      for (std::size_t at = 0; at < source.text.size();) ids_[next_symbol(source, at)] = 0;
    for (char32_t symbol = 0; symbol < symbols; ++symbol) {
      if (ids_[symbol] < 0) continue;
      ids_[symbol] = static_cast<std::int32_t>(pieces_.size());
      pieces_.push_back(bytes ? std::string{static_cast<char>(symbol)} : utf8(symbol));
    }
  }

  std::string_view name() const override { return bytes_ ? "byte" : "char"; }
  std::int64_t vocab() const override { return static_cast<std::int64_t>(pieces_.size()); }
  const std::vector<std::string>& pieces() const override { return pieces_; }

  std::vector<std::int32_t> encode(std::string_view text, std::string_view name) const override {
    const Source source{text, name};
    std::vector<std::int32_t> out;
    out.reserve(source.text.size());
    for (std::size_t at = 0; at < source.text.size();) {
      const std::size_t begin = at;
      const char32_t symbol = next_symbol(source, at);
      const std::int32_t id = ids_[symbol];
      if (id < 0) refuse(source, begin, at, symbol);
      out.push_back(id);
    }
    return out;
  }

 private:
  char32_t next_symbol(const Source& source, std::size_t& at) const {
    if (bytes_) return static_cast<unsigned char>(source.text[at++]);
    const char32_t symbol = next_code_point(source.text, at);
    if (symbol == kInvalidUtf8) refuse_utf8(source.name, at);
    return symbol;
  }

  [[noreturn]] void refuse(const Source& source, std::size_t begin, std::size_t end,
                           char32_t symbol) const {
    // A control character or half a sequence would garble the terminal: give its number instead.
    const bool printable = symbol > 0x20 && (symbol < 0x7F || (symbol > 0x9F && end - begin > 1));
    std::ostringstream number;
    number << (bytes_ ? "byte 0x" : "U+") << std::hex << std::uppercase
           << static_cast<std::uint32_t>(symbol);
    throw BadText(source.name,
                  printable ? base::concat("'", source.text.substr(begin, end - begin), "' (",
                                           number.str(), ")")
                            : number.str(),
                  begin, " does not occur in the corpus the vocabulary comes from; leave it out");
  }

  bool bytes_;
  std::vector<std::string> pieces_;
  std::vector<std::int32_t> ids_;  // symbol -> id, -1: not in the vocabulary
};

class Numbers final : public Tokenizer {
 public:
  explicit Numbers(std::int64_t vocab) : vocab_(vocab) {}
  std::string_view name() const override { return "ids"; }
  std::int64_t vocab() const override { return vocab_; }
  const std::vector<std::string>& pieces() const override { return none_; }
  std::vector<std::int32_t> encode(std::string_view, std::string_view source) const override {
    throw base::Error(base::concat(
        source,
        ": the model was trained on token ids without a tokenizer; give a .bin file of ids, or train with --tokenizer gpt2:FOLDER or sp:FILE.model"));
  }

 private:
  std::int64_t vocab_;
  std::vector<std::string> none_;
};

}  // namespace

TokenizerPtr char_tokenizer(std::span<const Source> texts) {
  return std::make_shared<Symbols>(false, texts);
}
TokenizerPtr byte_tokenizer(std::span<const Source> texts) {
  return std::make_shared<Symbols>(true, texts);
}
TokenizerPtr number_tokenizer(std::int64_t vocab) { return std::make_shared<Numbers>(vocab); }

}  // namespace data
