#include "train/tokenizer/sentencepiece.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <array>
#include <charconv>
#include <unordered_map>

#include "engine/error.h"
#include "engine/suggest.h"

namespace train {
namespace {

using engine::concat;
using engine::Error;
using engine::require;

constexpr std::string_view kSpace = "\xE2\x96\x81";    // U+2581, which stands for a blank in pieces
constexpr std::string_view kUnknown = "\xE2\x96\x85";  // U+2585, which the trainer has a use for
constexpr std::size_t kSentence =
    4000;  // bytes: the trainer counts characters of a word in 16 bits
constexpr std::size_t kSegment = 1 << 16;  // bytes that are encoded at once, where there is a blank
// Beyond it every second, third … sentence: the trainer holds all of them several times over.
constexpr std::size_t kMostTrainingBytes = std::size_t{200} << 20;

/// Where a part of `text` ends that has at most about `most` bytes: before a blank behind something
/// else, which no piece goes over, or failing that and where `anywhere`, between two characters.
std::size_t part_end(std::string_view text, std::size_t most, bool anywhere) {
  if (text.size() <= most) return text.size();
  const auto cut = [&](std::size_t i) { return text[i] == ' ' && text[i - 1] != ' '; };
  for (std::size_t i = most; i > most / 2; --i)
    if (cut(i)) return i;
  if (anywhere) {
    std::size_t i = most;
    while (i > 1 && (static_cast<unsigned char>(text[i]) & 0xC0u) == 0x80u) --i;
    return i;
  }
  for (std::size_t i = most; i < text.size(); ++i)
    if (cut(i)) return i;
  return text.size();
}

/// Calls `part` with what stands between line ends, tabs and what else the trainer would skip a
/// whole sentence for.
template <class F>
void for_each_sentence(std::string_view text, const F& part) {
  while (!text.empty()) {
    std::size_t end = text.find_first_of(std::string_view("\n\t\r\0\xE2", 5)), skip = 1;
    while (end != text.npos && text[end] == '\xE2' && text.substr(end, 3) != kSpace &&
           text.substr(end, 3) != kUnknown)
      end = text.find_first_of(std::string_view("\n\t\r\0\xE2", 5), end + 1);
    if (end == text.npos)
      end = text.size(), skip = 0;
    else if (text[end] == '\xE2')
      skip = 3;
    for (std::string_view rest = text.substr(0, end); !rest.empty();) {
      const std::size_t n = part_end(rest, kSentence, true);
      part(rest.substr(0, n));
      rest.remove_prefix(n);
    }
    text.remove_prefix(end + skip);
  }
}

class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(std::vector<std::string_view> all) : all_(std::move(all)) { read(); }
  bool done() const override { return at_ >= all_.size(); }
  void Next() override { ++at_, read(); }
  const std::string& value() const override { return value_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  void read() {
    if (!done()) value_ = all_[at_];
  }
  std::vector<std::string_view> all_;
  std::size_t at_ = 0;
  std::string value_;
};

/// What the library says, without the place in its sources: "… [condition] words".
std::string words_of(const sentencepiece::util::Status& status) {
  std::string text = status.ToString();
  if (const auto at = text.rfind("] "); at != text.npos) text = text.substr(at + 2);
  return text.empty() ? "it gives no reason" : text;
}

class SentencePiece final : public Tokenizer {
 public:
  SentencePiece(std::string model, const std::string& source) : model_(std::move(model)) {
    const auto loaded = processor_.LoadFromSerializedProto(model_);
    require(loaded.ok(), source, ": not a SentencePiece model (", words_of(loaded),
            "); 'isodrop tokenize train' makes one");
    const int vocab = processor_.GetPieceSize();
    bytes_.fill(-1);
    for (int id = 0; id < vocab; ++id) pieces_.push_back(piece(id));
    for (const int id : bytes_)
      require(id >= 0, source,
              ": has no token for every byte, so text would be lost; train it with "
              "--byte_fallback=true, or with 'isodrop tokenize train'");
    // Some models put a blank before every text. What follows a line end goes without.
    prefixed_ = spell(ask("a")) != "a";
    if (prefixed_) lead_ = ask("\n");
    const std::string probe = "It is  A test. ";
    require(prefixed_ ? spell(ask("\n" + probe)) == " \n" + probe : spell(ask(probe)) == probe,
            source,
            ": changes text before it cuts it, so that it would not come back; train it with "
            "--normalization_rule_name=identity --remove_extra_whitespaces=false, or with 'isodrop "
            "tokenize train'");
  }

  std::string_view name() const override { return "sp"; }
  std::int64_t vocab() const override { return static_cast<std::int64_t>(pieces_.size()); }
  const std::vector<std::string>& pieces() const override { return pieces_; }
  std::string definition() const override { return model_; }

  std::vector<std::int32_t> encode(std::string_view text, std::string_view source) const override {
    require_utf8(text, source);
    std::vector<std::int32_t> out;
    for (std::string_view rest = text; !rest.empty();) {
      // Line ends, and the character that would come back as a blank, are their bytes.
      const std::size_t line = std::min(rest.find('\n'), rest.find(kSpace));
      std::string_view part = rest.substr(0, line);
      if (part.size() > kSegment) part = part.substr(0, part_end(part, kSegment, false));
      add(part, static_cast<std::size_t>(rest.data() - text.data()), source, out);
      rest.remove_prefix(part.size());
      if (part.size() != std::min(line, rest.size() + part.size())) continue;
      for (std::size_t n = rest.empty() ? 0 : rest[0] == '\n' ? 1 : kSpace.size(); n > 0; --n) {
        out.push_back(bytes_[static_cast<unsigned char>(rest[0])]);
        rest.remove_prefix(1);
      }
    }
    return out;
  }

 private:
  /// The bytes of a piece; none of what stands for no text.
  std::string piece(int id) {
    const std::string& text = processor_.IdToPiece(id);
    if (processor_.IsControl(id) || processor_.IsUnknown(id) || processor_.IsUnused(id)) return {};
    if (processor_.IsByte(id)) {  // "<0x0A>"
      unsigned value = 256;
      if (text.size() == 6) std::from_chars(text.data() + 3, text.data() + 5, value, 16);
      if (value >= bytes_.size()) return {};
      bytes_[value] = id;
      return {static_cast<char>(value)};
    }
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      const bool blank = std::string_view(text).substr(at, kSpace.size()) == kSpace;
      out += blank ? ' ' : text[at];
      at += blank ? kSpace.size() : 1;
    }
    return out;
  }

  std::vector<int> ask(std::string_view text) const {
    std::vector<int> ids;
    const auto asked = processor_.Encode({text.data(), text.size()}, &ids);
    require(asked.ok(), "SentencePiece: ", words_of(asked));
    return ids;
  }

  std::string spell(std::span<const int> ids) const {
    std::string out;
    for (const int id : ids) out += pieces_[static_cast<std::size_t>(id)];
    return out;
  }

  /// What the library makes of `part`, held against what it stands for.
  void add(std::string_view part, std::size_t offset, std::string_view source,
           std::vector<std::int32_t>& out) const {
    if (part.empty()) return;
    const std::vector<int> ids = ask(prefixed_ ? "\n" + std::string(part) : std::string(part));
    std::span<const int> own = ids;
    const bool led =
        own.size() >= lead_.size() && std::equal(lead_.begin(), lead_.end(), own.begin());
    if (led) own = own.subspan(lead_.size());
    if (!led || spell(own) != part)
      throw BadText(
          source,
          engine::concat("the tokenizer does not give back ", engine::quote(part.substr(0, 40))),
          offset, "; it was trained to normalise text: use one with the rule 'identity'");
    out.insert(out.end(), own.begin(), own.end());
  }

  std::string model_;
  sentencepiece::SentencePieceProcessor processor_;
  std::vector<std::string> pieces_;
  std::array<std::int32_t, 256> bytes_;  // byte -> id
  bool prefixed_ = false;
  std::vector<int> lead_;  // what the model makes of a line end alone, where it puts a blank first
};

}  // namespace

std::string train_sentencepiece(std::string_view text, std::int64_t vocab,
                                std::string_view source) {
  require_utf8(text, source);
  std::vector<std::string_view> all;
  const std::size_t every = text.size() / kMostTrainingBytes + 1;
  std::size_t count = 0;
  for_each_sentence(text, [&](std::string_view sentence) {
    if (count++ % every == 0) all.push_back(sentence);
  });
  require(!all.empty(), source, ": holds nothing but line ends; a vocabulary needs text");
  Sentences sentences(std::move(all));
  const std::unordered_map<std::string, std::string> how = {
      {"model_type", "bpe"},
      {"vocab_size", std::to_string(vocab)},
      {"normalization_rule_name", "identity"},
      {"add_dummy_prefix", "false"},
      {"remove_extra_whitespaces", "false"},
      {"allow_whitespace_only_pieces", "true"},
      {"byte_fallback", "true"},
      {"character_coverage", "0.9995"},
      {"user_defined_symbols", std::string(kEndOfText)},
      {"bos_id", "-1"},
      {"eos_id", "-1"},
      {"max_sentence_length", std::to_string(1 << 20)},
      {"shuffle_input_sentence", "false"},
      {"num_threads", "1"},
      {"minloglevel", "3"}};
  std::string model;
  const auto trained = sentencepiece::SentencePieceTrainer::Train(how, &sentences, &model);
  require(trained.ok(), source, ": no vocabulary of ", vocab,
          " can be made of it: ", words_of(trained));
  return model;
}

TokenizerPtr sentencepiece_tokenizer(std::string model, const std::string& source) {
  return std::make_shared<SentencePiece>(std::move(model), source);
}

}  // namespace train
