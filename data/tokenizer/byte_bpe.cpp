// Nothing else sees PCRE2.
#include "data/tokenizer/byte_bpe.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <memory>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/error.h"
#include "data/tokenizer/text_cuts.h"

namespace data {
namespace {

using base::require;

// GPT-2's pattern, with Unicode's White_Space spelled out for \s: PCRE2's own has U+180E in
// addition, which the tokenizers in use do not take for a blank.
#define BLANK \
  R"(\t\n\v\f\r \x{85}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000})"
constexpr std::string_view kPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{L}\p{N})" BLANK "]+|[" BLANK "]+(?![^" BLANK
    "])|[" BLANK "]+";
#undef BLANK

std::string words_of(int error) {
  std::array<PCRE2_UCHAR, 160> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

/// What GPT-2 cuts a text into before it merges bytes: words with the blank before them, numbers,
/// signs, blanks and English contractions.
class PreTokens {
 public:
  PreTokens() {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kPattern.data()), kPattern.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, nullptr));
    require(code_ != nullptr, "PCRE2 does not take GPT-2's pattern at ", offset, ": ",
            words_of(error));
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // without a JIT it is slower
  }
  /// Calls `found` with part after part of the text, without gaps. REQUIRES: UTF-8.
  template <class Found>
  void cut(std::string_view text, const Found& found) const {
    const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(
        pcre2_match_data_create_from_pattern(code_.get(), nullptr), &pcre2_match_data_free);
    for (std::size_t at = 0; at < text.size();) {
      const int count = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                    text.size(), at, PCRE2_NO_UTF_CHECK, match.get(), nullptr);
      require(count > 0, "PCRE2 at byte ", at, " of a text: ", words_of(count));
      const PCRE2_SIZE end = pcre2_get_ovector_pointer(match.get())[1];
      found(text.substr(at, end - at));
      at = end;
    }
  }

 private:
  std::unique_ptr<pcre2_code, void (*)(pcre2_code*)> code_{nullptr, &pcre2_code_free};
};

/// Words that are remembered within one text, and how long they may be.
constexpr std::size_t kMostRemembered = 1 << 18, kLongestRemembered = 48;

std::uint64_t pair_key(std::int32_t a, std::int32_t b) {
  return std::uint64_t{static_cast<std::uint32_t>(a)} << 32 | static_cast<std::uint32_t>(b);
}

class ByteBpe final : public Tokenizer {
 public:
  explicit ByteBpe(BpeFiles files) : files_(std::move(files)) {
    bytes_.fill(-1);
    for (std::size_t id = 0; id < files_.symbols.size(); ++id) {
      const std::string& symbol = files_.symbols[id];
      const auto number = static_cast<std::int32_t>(id);
      std::string bytes = symbol;
      const bool special =
          std::find(files_.special.begin(), files_.special.end(), number) != files_.special.end();
      if (!special) {
        symbol_bytes(symbol, bytes);
        if (bytes.size() == 1) bytes_[static_cast<unsigned char>(bytes[0])] = number;
      }
      pieces_.push_back(std::move(bytes));
    }
    for (std::size_t rank = 0; rank < files_.merges.size(); ++rank) {
      const auto [a, b] = files_.merges[rank];
      merges_.emplace(pair_key(a, b), Merge{static_cast<std::int32_t>(rank), files_.merged[rank]});
    }
  }

  std::string_view name() const override { return "gpt2"; }
  std::int64_t vocab() const override { return static_cast<std::int64_t>(pieces_.size()); }
  const std::vector<std::string>& pieces() const override { return pieces_; }
  std::string definition() const override { return bpe_json(files_); }

  std::vector<std::int32_t> encode(std::string_view text, std::string_view source) const override {
    require_utf8(text, source);
    std::vector<std::int32_t> out;
    std::unordered_map<std::string_view, std::vector<std::int32_t>> remembered;
    const auto word = [&](std::string_view token) {
      if (const auto at = remembered.find(token); at != remembered.end()) {
        out.insert(out.end(), at->second.begin(), at->second.end());
        return;
      }
      const std::vector<std::int32_t> ids =
          merge(token, source, static_cast<std::size_t>(token.data() - text.data()));
      out.insert(out.end(), ids.begin(), ids.end());
      if (token.size() <= kLongestRemembered && remembered.size() < kMostRemembered)
        remembered.emplace(token, ids);
    };
    std::vector<std::string_view> special;
    for (const std::int32_t id : files_.special)
      special.push_back(pieces_[static_cast<std::size_t>(id)]);
    Occurrences specials(text, std::move(special));
    for (std::size_t at = 0; at < text.size();) {
      const auto [begin, which] = specials.next(at);
      pattern_.cut(text.substr(at, begin - at), word);
      at = begin;
      if (begin == text.size()) break;
      out.push_back(files_.special[which]);
      at += specials.sought(which).size();
    }
    return out;
  }

 private:
  struct Merge {
    std::int32_t rank, id;
  };

  /// Merges the pair of lowest rank, the leftmost of equals, until there is none. O(n log n).
  std::vector<std::int32_t> merge(std::string_view token, std::string_view source,
                                  std::size_t offset) const {
    struct Symbol {
      std::int32_t id;
      std::size_t before, after;  // neighbours; kNone at the ends
    };
    constexpr std::size_t kNone = ~std::size_t{0};
    std::vector<Symbol> symbols(token.size());
    for (std::size_t i = 0; i < token.size(); ++i) {
      const std::int32_t id = bytes_[static_cast<unsigned char>(token[i])];
      if (id < 0)
        throw BadText(source,
                      base::concat("the tokenizer has no token for the byte ",
                                   int{static_cast<unsigned char>(token[i])}),
                      offset + i, "; give one whose vocabulary has all 256");
      symbols[i] = {id, i == 0 ? kNone : i - 1, i + 1 == token.size() ? kNone : i + 1};
    }
    using Pair = std::tuple<std::int32_t, std::size_t, std::int32_t, std::int32_t>;
    std::priority_queue<Pair, std::vector<Pair>, std::greater<>> queue;  // rank, left, both ids
    const auto offer = [&](std::size_t left) {
      if (left == kNone || symbols[left].after == kNone) return;
      const std::int32_t a = symbols[left].id, b = symbols[symbols[left].after].id;
      if (const auto at = merges_.find(pair_key(a, b)); at != merges_.end())
        queue.emplace(at->second.rank, left, a, b);
    };
    for (std::size_t i = 0; i < symbols.size(); ++i) offer(i);
    while (!queue.empty()) {
      const auto [rank, left, a, b] = queue.top();
      queue.pop();
      Symbol& first = symbols[left];
      // Since it was offered one of the two may have become part of another.
      if (first.id != a || first.after == kNone || symbols[first.after].id != b) continue;
      Symbol& second = symbols[first.after];
      first.id = files_.merged[static_cast<std::size_t>(rank)];
      first.after = second.after;
      second.id = -1;
      if (first.after != kNone) symbols[first.after].before = left;
      offer(first.before);
      offer(left);
    }
    std::vector<std::int32_t> ids;
    for (std::size_t i = symbols.empty() ? kNone : 0; i != kNone; i = symbols[i].after)
      ids.push_back(symbols[i].id);
    return ids;
  }

  BpeFiles files_;
  std::vector<std::string> pieces_;
  std::array<std::int32_t, 256> bytes_;  // byte -> id
  std::unordered_map<std::uint64_t, Merge> merges_;
  PreTokens pattern_;
};

/// The character of each byte in the files: itself if printable, otherwise the next from U+0100 on.
const std::array<char32_t, 256>& byte_alphabet() {
  static const std::array<char32_t, 256> table = [] {
    std::array<char32_t, 256> out{};
    char32_t other = 256;
    for (unsigned b = 0; b < 256; ++b) {
      const bool printable =
          (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF);
      out[b] = printable ? static_cast<char32_t>(b) : other++;
    }
    return out;
  }();
  return table;
}

}  // namespace

std::string byte_symbol(unsigned char byte) { return utf8(byte_alphabet()[byte]); }

bool symbol_bytes(std::string_view symbol, std::string& bytes) {
  static const std::array<int, 512> of = [] {
    std::array<int, 512> out{};
    out.fill(-1);
    for (unsigned b = 0; b < 256; ++b) out[byte_alphabet()[b]] = static_cast<int>(b);
    return out;
  }();
  std::string found;
  for (std::size_t at = 0; at < symbol.size();) {
    const char32_t c = next_code_point(symbol, at);
    if (c >= of.size() || of[c] < 0) return false;
    found += static_cast<char>(of[c]);
  }
  bytes = std::move(found);
  return true;
}

TokenizerPtr byte_bpe_tokenizer(BpeFiles files) {
  return std::make_shared<ByteBpe>(std::move(files));
}

}  // namespace data
