#include <gtest/gtest.h>

#include "base/text.h"

namespace engine {
namespace {

TEST(Trim, TakesBlanksAndLineEndsFromBothEndsAlone) {
  EXPECT_EQ(base::trim(" \ta b\r\n"), "a b");
  EXPECT_EQ(base::trim("a"), "a");
  EXPECT_EQ(base::trim(" \t\r\n"), "");
  EXPECT_EQ(base::trim(""), "");
}

TEST(Printable, NothingMovesTheCursorOrTurnsTheWriting) {
  EXPECT_EQ(base::printable("abc äöü 道 × →"), "abc äöü 道 × →");
  EXPECT_EQ(base::printable("a\x1b[2J\r\n\t\x7f"), "a\\x1b[2J\\x0d\\x0a\\x09\\x7f");
  EXPECT_EQ(base::printable("a\nb\tc", "\n"),
            "a\nb\\x09"
            "c");
  EXPECT_EQ(base::printable("\u009b2J"), "\\u{9b}2J") << "CSI in one character";
  EXPECT_EQ(base::printable("\u202egpj\u2066\u200f"), "\\u{202e}gpj\\u{2066}\\u{200f}");
  EXPECT_EQ(base::printable("a\xff\xc3"), "a\\xff\\xc3");
  EXPECT_EQ(base::printable(std::string("a\0b", 3)),
            "a\\x00"
            "b");
}

TEST(Quote, CutsAtTheEndOfACharacter) {
  EXPECT_EQ(base::quote("x"), "'x'");
  EXPECT_EQ(base::quote("a\n"), "'a\\x0a'");
  const std::string a(119, 'a');
  EXPECT_EQ(base::quote(a + "b"), "'" + a + "b'");
  EXPECT_EQ(base::quote(a + "bc"), "'" + a + "b...'");
  EXPECT_EQ(base::quote(a + "äb"), "'" + a + "...'");
  EXPECT_EQ(base::quote(a.substr(1) + "äb"), "'" + a.substr(1) + "ä...'");
  EXPECT_EQ(base::quote(a.substr(1) + "道b"), "'" + a.substr(1) + "...'");
}

TEST(Counted, OneIsSingular) {
  EXPECT_EQ(base::counted(0, "run"), "0 runs");
  EXPECT_EQ(base::counted(1, "run"), "1 run");
  EXPECT_EQ(base::counted(2, "run"), "2 runs");
  EXPECT_EQ(base::grouped(1, "row"), "1 row");
  EXPECT_EQ(base::grouped(12345, "row"), "12 345 rows");
  EXPECT_EQ(base::are(0), "are");
  EXPECT_EQ(base::are(1), "is");
  EXPECT_EQ(base::are(2), "are");
}

TEST(Decimals, HugeNumbersAreWrittenShort) {
  EXPECT_EQ(base::decimals(1.25, 4), "1.2500");
  EXPECT_EQ(base::decimals(1.25, 4, true), "+1.2500");
  EXPECT_EQ(base::decimals(-1e200, 4), "-1.00e+200");
  EXPECT_EQ(base::decimals(1e200, 4, true), "+1.00e+200");
  EXPECT_EQ(base::decimals(1e9, 4), "1.00e+09");
  EXPECT_EQ(base::decimals(9e8, 1), "900000000.0");
}

TEST(ShellWord, IsReadBackAsItWas) {
  EXPECT_EQ(base::shell_word("out/a-1_b.json"), "out/a-1_b.json");
  EXPECT_EQ(base::shell_word("sp ecs"), "'sp ecs'");
  EXPECT_EQ(base::shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(base::shell_word(""), "''");
  EXPECT_EQ(base::shell_word("$(rm)"), "'$(rm)'");
}

}  // namespace
}  // namespace engine
