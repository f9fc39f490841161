#include "data/tokenizer/pre_tokens.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include "base/error.h"

namespace data {
namespace {

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

}  // namespace

struct PreTokens::Pattern {
  Pattern() {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kPattern.data()), kPattern.size(),
                         PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, nullptr);
    base::require(code != nullptr, "PCRE2 does not take GPT-2's pattern at ", offset, ": ",
                  words_of(error));
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // where it has no JIT, it is slower
  }
  ~Pattern() { pcre2_code_free(code); }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  pcre2_code* code = nullptr;
};

PreTokens::PreTokens() : pattern_(std::make_shared<Pattern>()) {}

void PreTokens::cut(std::string_view text,
                    const std::function<void(std::string_view)>& found) const {
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(
      pcre2_match_data_create_from_pattern(pattern_->code, nullptr), &pcre2_match_data_free);
  for (std::size_t at = 0; at < text.size();) {
    const int count = pcre2_match(pattern_->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), at, PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    base::require(count > 0, "PCRE2 at byte ", at, " of a text: ", words_of(count));
    const PCRE2_SIZE end = pcre2_get_ovector_pointer(match.get())[1];
    found(text.substr(at, end - at));
    at = end;
  }
}

}  // namespace data
