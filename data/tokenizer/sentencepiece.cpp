// Subwords of SentencePiece. Nothing else sees the library.
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <unordered_map>

#include "base/error.h"
#include "base/parallel.h"
#include "base/text.h"
#include "data/tokenizer/text_cuts.h"
#include "data/tokenizer/tokenizer.h"

namespace data {
namespace {

using base::concat;
using base::Error;
using base::require;

// Bytes of a line that are encoded at once, if it may be cut.
constexpr std::size_t kSegment = 1 << 16;
// What a thread takes at a time, in whole lines, and how many of those are out: their ids are held
// twice.
constexpr std::size_t kShare = 1 << 16;
constexpr std::int64_t kShares = 256;
// Beyond it every second, third … sentence: the trainer holds all of them several times over.
constexpr std::size_t kMostTrainingBytes = std::size_t{200} << 20;

class Sentences final : public sentencepiece::SentenceIterator {
 public:
  explicit Sentences(std::span<const std::string_view> all) : all_(all) { read(); }
  bool done() const override { return at_ >= all_.size(); }
  void Next() override { ++at_, read(); }
  const std::string& value() const override { return value_; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  void read() {
    if (!done()) value_ = all_[at_];
  }
  std::span<const std::string_view> all_;
  std::size_t at_ = 0;
  std::string value_;
};

/// The library's message, without the place in its sources: "… [condition] words".
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
    for (int id = 0; id < vocab; ++id) {
      pieces_.push_back(piece(id));
      if (!processor_.IsByte(id)) characters_.add(pieces_.back());
    }
    characters_.done();
    for (const int id : bytes_)
      require(id >= 0, source,
              ": has no token for every byte, so text would be lost; train it with "
              "--byte_fallback=true, or with 'isodrop tokenize train'");
    as_bytes_ = {kSpace};
    for (const std::string_view c : {"\n", " "})
      if (!characters_.contain(static_cast<unsigned char>(c[0]))) as_bytes_.push_back(c);
    // Some models put a blank before every text. A character of no piece keeps it apart from ours.
    prefixed_ = spell(ask("a")) != "a";
    for (const char c : std::string_view("\n\1\2\3\4\5\6\7"))
      if (prefixed_ && lead_.empty() && !characters_.contain(static_cast<unsigned char>(c)))
        lead_ = c;
    require(prefixed_ == !lead_.empty(), source,
            ": puts a blank before every text, and control characters are in its pieces; train it "
            "with --add_dummy_prefix=false");
    if (prefixed_) lead_ids_ = ask(lead_);
    const std::string probe = characters_.contain(' ') ? "It is  A test. " : "ItisAtest.";
    require(
        spell(ask(lead_ + probe)) == spell(lead_ids_) + probe, source,
        ": changes text before it splits it, so that it would not come back unchanged; train it with "
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
    std::vector<std::size_t> ends;  // of the shares
    for (std::size_t begin = 0; begin < text.size();) {
      ends = {begin};
      while (ends.back() < text.size() && std::ssize(ends) <= kShares)
        ends.push_back(share_end(text, ends.back()));
      const std::int64_t count = std::ssize(ends) - 1;
      std::vector<std::vector<std::int32_t>> ids(static_cast<std::size_t>(count));
      std::vector<std::string> wrong(ids.size());
      base::parallel_chunks(count, 1, [&](std::int64_t, std::int64_t first, std::int64_t) {
        const auto i = static_cast<std::size_t>(first);
        try {
          encode_lines(text, ends[i], ends[i + 1], source, ids[i]);
        } catch (const Error& error) {
          wrong[i] = error.what();  // the first in the text is the one to say, whichever came first
        }
      });
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (!wrong[i].empty()) throw Error(wrong[i]);
        out.insert(out.end(), ids[i].begin(), ids[i].end());
      }
      begin = ends.back();
    }
    return out;
  }

 private:
  /// Where a share that begins at `begin` ends: behind a line, where lines are cut as well.
  std::size_t share_end(std::string_view text, std::size_t begin) const {
    std::size_t end = begin + kShare;
    do end = end < text.size() ? text.find('\n', end) : text.npos;
    while (end != text.npos && !characters_.apart(text, ++end));
    return std::min(end, text.size());
  }

  /// The ids of text[begin, end). A line is cut off wherever no piece goes over its end.
  void encode_lines(std::string_view text, std::size_t begin, std::size_t end,
                    std::string_view source, std::vector<std::int32_t>& out) const {
    text = text.substr(0, end);
    std::vector<std::string_view> sought = as_bytes_;
    if (characters_.contain('\n')) sought.emplace_back("\n");
    Occurrences marks(text, std::move(sought));
    const auto take = [&](std::size_t to) {
      while (begin < to) {
        const std::string_view rest = text.substr(begin, to - begin);
        const std::size_t n = part_end(rest, kSegment, false,
                                       [&](std::size_t i) { return characters_.apart(rest, i); });
        add(rest.substr(0, n), begin, source, out);
        begin += n;
      }
    };
    for (std::size_t at = begin;;) {
      const auto [mark, which] = marks.next(at);
      if (mark == text.size()) return take(mark);
      at = mark + marks.sought(which).size();
      if (which < as_bytes_.size()) {
        take(mark);
        for (; begin < at; ++begin) out.push_back(bytes_[static_cast<unsigned char>(text[begin])]);
        continue;
      }
      for (const std::size_t cut : {mark, at})
        if (characters_.apart(text, cut)) take(cut);
    }
  }

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

  /// Encodes `part` and checks that it decodes to the same text.
  void add(std::string_view part, std::size_t offset, std::string_view source,
           std::vector<std::int32_t>& out) const {
    if (part.empty()) return;
    const std::vector<int> ids = prefixed_ ? ask(lead_ + std::string(part)) : ask(part);
    std::span<const int> own = ids;
    const bool led = own.size() >= lead_ids_.size() &&
                     std::equal(lead_ids_.begin(), lead_ids_.end(), own.begin());
    if (led) own = own.subspan(lead_ids_.size());
    if (!led || spell(own) != part)
      throw BadText(
          source,
          base::concat("the tokenizer does not give back ", base::quote(part.substr(0, 40))),
          offset, "; it was trained to normalize text: use one with the rule 'identity'");
    out.insert(out.end(), own.begin(), own.end());
  }

  std::string model_;
  sentencepiece::SentencePieceProcessor processor_;
  std::vector<std::string> pieces_;
  std::array<std::int32_t, 256> bytes_;  // byte -> id
  PieceCharacters characters_;
  // What is encoded as its bytes: what would come back as a blank, and what no piece has in it.
  std::vector<std::string_view> as_bytes_;
  bool prefixed_ = false;
  std::string lead_;           // put before every text if the model puts a blank there
  std::vector<int> lead_ids_;  // of that blank and it
};

/// Whether a blank has a piece. A model whose text has almost none gets none by itself.
bool knows_blanks(const std::string& model) {
  sentencepiece::SentencePieceProcessor processor;
  return processor.LoadFromSerializedProto(model).ok() &&
         !processor.IsUnknown(processor.PieceToId({kSpace.data(), kSpace.size()}));
}

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
  require(!all.empty(), source, ": has only line ends; a vocabulary needs text");
  std::unordered_map<std::string, std::string> how = {
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
  const auto make = [&] {
    Sentences sentences(all);
    const auto trained = sentencepiece::SentencePieceTrainer::Train(how, &sentences, &model);
    require(trained.ok(), source, ": cannot make a vocabulary of ", vocab,
            " from it: ", words_of(trained));
  };
  make();
  if (!knows_blanks(model)) {
    how["required_chars"] = kSpace;
    all.emplace_back(" ");  // the library ends the program over a required character of no sentence
    make();
  }
  return model;
}

TokenizerPtr sentencepiece_tokenizer(std::string model, const std::string& source) {
  return std::make_shared<SentencePiece>(std::move(model), source);
}

}  // namespace data
