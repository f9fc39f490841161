// Encoding of n and of 2n lines by every kind of tokenizer: a ratio of times above 2.5 is an error.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>

#include "data/tokenizer/byte_bpe.h"
#include "data/tokenizer/tokenizer.h"

namespace {

constexpr double kMost = 2.5;
constexpr int kTimes = 9;

std::string lines(int n) {
  std::string out;
  for (int i = 0; i < n; ++i)
    out += fmt::format("line {} of a text that goes on, line by line\n", i * 7919 % 1000);
  return out;
}

/// The shortest of a few.
double seconds(const data::Tokenizer& tokenizer, const std::string& text) {
  double least = 1e300;
  for (int i = 0; i < kTimes; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    (void)tokenizer.encode(text);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    least = std::min(least, took.count());
  }
  return least;
}

/// GPT-2's kind with its bytes alone, and <|endoftext|>.
data::TokenizerPtr bytes_bpe() {
  data::BpeFiles files;
  for (int byte = 0; byte < 256; ++byte)
    files.symbols.push_back(data::byte_symbol(static_cast<unsigned char>(byte)));
  files.symbols.emplace_back(data::kEndOfText);
  files.special = {256};
  return data::byte_bpe_tokenizer(files);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  const int n = first.empty() ? 50'000 : std::atoi(argv[1]);
  if (first == "--describe" || n < 1) {
    fmt::print("tokenizers: time of n and 2n lines; bench_tokenizers [N]\n");
    return first == "--describe" || first == "--help" ? 0 : 2;
  }
  const std::string once = lines(n), twice = lines(2 * n);
  const data::Source source{once, "lines"};
  bool linear = true;
  fmt::print("{:<6} {:>12} {:>12} {:>6}\n", "", "n lines, s", "2n lines, s", "ratio");
  for (const data::TokenizerPtr& tokenizer :
       {data::char_tokenizer({&source, 1}), data::byte_tokenizer({&source, 1}), bytes_bpe(),
        data::sentencepiece_tokenizer(data::train_sentencepiece(once, 300, "lines"), "lines")}) {
    const double a = seconds(*tokenizer, once), b = seconds(*tokenizer, twice);
    linear = linear && b <= kMost * a;
    fmt::print("{:<6} {:>12.4f} {:>12.4f} {:>6.2f}\n", tokenizer->name(), a, b, b / a);
  }
  if (!linear) fmt::print("more than {} times as long for twice the lines\n", kMost);
  return linear ? 0 : 1;
}
