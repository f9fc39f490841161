// What GPT-2 cuts a text into before it merges bytes. pre_tokens.cpp is the only file that sees
// PCRE2.
#pragma once
#include <functional>
#include <memory>
#include <string_view>

namespace data {

/// Words with the blank before them, numbers, signs, blanks and English contractions.
class PreTokens {
 public:
  PreTokens();
  /// Calls `found` with part after part of the text, without gaps. REQUIRES: UTF-8.
  void cut(std::string_view text, const std::function<void(std::string_view)>& found) const;

 private:
  struct Pattern;
  std::shared_ptr<const Pattern> pattern_;
};

}  // namespace data
