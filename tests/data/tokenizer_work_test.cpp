// Encoding searches a text a number of times that does not grow with its lines. Time says so only
// roughly (benchmarks/bench_tokenizers asks it), so what is counted here are the bytes that memchr
// goes over, by which every search in a string does its work: it is replaced for this executable.
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "data/tokenizer/text_cuts.h"
#include "data/tokenizer/tokenizer.h"

namespace {
std::atomic<std::uint64_t> searched{0};
}

// By its name in the linker's eyes: the C++ library declares it twice.
extern "C" void* counted_memchr(const void* text, int byte, std::size_t n) __asm__("memchr");
extern "C" __attribute__((used)) void* counted_memchr(const void* text, int byte, std::size_t n) {
  const auto* at = static_cast<const unsigned char*>(text);
  const auto* end = at + n;
  while (at != end && *at != static_cast<unsigned char>(byte)) ++at;
  searched += static_cast<std::uint64_t>(at - static_cast<const unsigned char*>(text));
  return at == end ? nullptr : const_cast<unsigned char*>(at);
}

namespace train {
namespace {

const std::string kGolden = ISODROP_SOURCE_DIR "/tests/golden/";

std::string lines(int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += "line " + std::to_string(i % 7) + " by line\n";
  return out;
}

std::uint64_t work(const data::Tokenizer& tokenizer, const std::string& text) {
  searched = 0;
  (void)tokenizer.encode(text);
  return searched;
}

TEST(TokenizerWork, GrowsAsTheLinesDo) {
  // Within what one thread takes at a time, where cutting the text into such parts is no help.
  const std::string n = lines(1000), twice = lines(2000);
  const data::Source source{twice, "text"};
  const std::multimap<std::string_view, std::string> arguments = {
      {"char", ""},
      {"byte", ""},
      {"sp", "280"},
      {"sp", kGolden + "sp/lines.model"},
      {"sp", kGolden + "sp/lines_prefix.model"},
      {"sp", kGolden + "sp/no_blank.model"},
      {"gpt2", kGolden + "bpe"}};
  for (const data::TokenizerKind& kind : data::tokenizer_kinds()) {
    if (kind.numbers) continue;
    const auto [first, last] = arguments.equal_range(kind.name);
    EXPECT_NE(first, last) << kind.name << " is not asked";
    for (auto it = first; it != last; ++it) {
      const data::TokenizerPtr tokenizer = kind.make(it->second, {&source, 1});
      const std::uint64_t once = work(*tokenizer, n), all = work(*tokenizer, twice);
      EXPECT_LE(2 * all, 5 * once) << kind.name << " " << it->second << ": " << once << ", " << all;
      EXPECT_LE(once, 20 * n.size()) << kind.name << " " << it->second;
      EXPECT_EQ(once > 0, kind.name == "sp" || kind.name == "gpt2")
          << "these search, the others do not";
    }
  }
}

TEST(Occurrences, AreFoundInOrderAndSearchedForOnce) {
  const std::string text = lines(1000) + "<e>" + lines(10) + "<e>x";
  data::Occurrences marks(text, {"\n", "<e>", "<e>x", "none"});
  std::vector<std::size_t> found(5);
  for (std::size_t at = 0;;) {
    const auto [begin, which] = marks.next(at);
    ++found[which];
    if (begin == text.size()) break;
    ASSERT_EQ(text.substr(begin, marks.sought(which).size()), marks.sought(which));
    at = begin + marks.sought(which).size();
  }
  EXPECT_EQ(found, (std::vector<std::size_t>{1010, 1, 1, 0, 1})) << "the longer of two";
  EXPECT_LE(marks.scanned(), 4 * text.size() + 10);
  EXPECT_GE(marks.scanned(), 2 * text.size());
}

}  // namespace
}  // namespace train
