// What tables make of names that come from files: terminals, Markdown and spreadsheets show them.
#include <gtest/gtest.h>

#include "base/text_table.h"

namespace lab {
namespace {

TEST(Table, ATerminalIsToldNothing) {
  const std::string text = base::text_table({{"na\x1b[2Jme", "\u202ex"}, {"a\nb", "1"}}, nullptr);
  EXPECT_EQ(text.find('\x1b'), text.npos);
  EXPECT_EQ(text, "na\\x1b[2Jme  \\u{202e}x\na\\x0ab       1\n");
}

TEST(Table, MarkdownKeepsTextAsText) {
  EXPECT_EQ(base::markdown_text("<img src=x onerror=y>"), "&lt;img src=x onerror=y>");
  EXPECT_EQ(base::markdown_text("</b><!-- <?x"), "&lt;/b>&lt;!-- &lt;?x");
  EXPECT_EQ(base::markdown_text("p < 0.05 & q &lt; &#60;"), "p < 0.05 & q &amp;lt; &amp;#60;");
  EXPECT_EQ(base::markdown_text("a\nb\x1b"), "a\\x0ab\\x1b");
  EXPECT_EQ(base::markdown_table({{"a|b", "<b>"}}), "| a\\|b | &lt;b> |\n| :-- | :-- |\n");
}

TEST(Table, SpreadsheetsGetTextThatIsNoFormula) {
  EXPECT_EQ(base::csv_field(nullptr), "");
  EXPECT_EQ(base::csv_field(-1.5), "-1.5");
  EXPECT_EQ(base::csv_field("a"), "a");
  EXPECT_EQ(base::csv_field("-1.5"), "-1.5") << "a number";
  EXPECT_EQ(base::csv_field("=1+1"), "'=1+1");
  EXPECT_EQ(base::csv_field("+x"), "'+x");
  EXPECT_EQ(base::csv_field("-x"), "'-x");
  EXPECT_EQ(base::csv_field("@x"), "'@x");
  EXPECT_EQ(base::csv_field("\tx"), "'\tx");
  EXPECT_EQ(base::csv_field("a\rb"), "\"a\rb\"");
  EXPECT_EQ(base::csv_field("a,\"b\"\n"), "\"a,\"\"b\"\"\n\"");
  EXPECT_EQ(base::csv_field("=a,b"), "\"'=a,b\"");
}

}  // namespace
}  // namespace lab
