// SentencePiece models from elsewhere: the ids of the library itself, whatever their pieces have in
// them, and a blank in every model that is trained here.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "data/tokenizer/text_cuts.h"
#include "data/tokenizer/tokenizer.h"
#include "tests/expect_error.h"

namespace train {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<std::int32_t>;

const std::string kGoldenSp = ISODROP_SOURCE_DIR "/tests/golden/sp/";

data::TokenizerPtr golden_model(const std::string& name) {
  return data::sentencepiece_tokenizer(base::read_file(kGoldenSp + name + ".model", 1 << 24), name);
}

std::string repeated(const std::string& text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(SentencePieceGolden, SaysWhatTheLibrarySays) {
  const Json models = Json::parse(base::read_file(kGoldenSp + "cases.json", 1 << 24))["models"];
  EXPECT_EQ(models.size(), 5U);
  for (const auto& [name, said] : models.items()) {
    const data::TokenizerPtr tokenizer = golden_model(name);
    for (const Json& c : said["cases"])
      EXPECT_EQ(tokenizer->encode(c["text"].get<std::string>()), c["ids"].get<Ids>())
          << name << ": " << c["text"];
    // Longer than what is encoded at once, so cut, and cut where the ids stay what they are.
    for (const Json& c : said["long"]) {
      const std::string text = repeated(c["text"], c["times"]);
      const Ids ids = tokenizer->encode(text);
      EXPECT_EQ(ids.size(), c["count"]) << name << ": " << c["text"];
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < ids.size(); ++i)
        sum += (i + 1) * static_cast<std::uint64_t>(ids[i]);
      EXPECT_EQ(sum % (std::uint64_t{1} << 61), c["checksum"]) << name << ": " << c["text"];
      EXPECT_EQ(tokenizer->decode(ids), text) << name;
    }
  }
}

TEST(SentencePieceGolden, AModelWithoutABlankGivesBlanksBackAsBytes) {
  const data::TokenizerPtr tokenizer = golden_model("no_blank");
  const std::string text = "道 可  道\n \xE2\x96\x81 ";
  const Ids ids = tokenizer->encode(text);
  EXPECT_EQ(tokenizer->decode(ids), text);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), tokenizer->encode(" ").at(0)), 5);
}

// Chinese, Japanese, DNA: no blank, or too few for the share of characters that get a piece.
TEST(SentencePiece, ABlankIsAlwaysAPiece) {
  const std::string lines = repeated("道可道非常道名可名非常名\n", 400),
                    dna = repeated("ACGTTGCAACGT\nGATTACA\n", 200);
  for (const std::string& text : {lines, dna, lines + "道 可\n"}) {
    const std::string model = data::train_sentencepiece(text, 275, "text");
    const data::TokenizerPtr tokenizer = data::sentencepiece_tokenizer(model, "text");
    EXPECT_EQ(data::train_sentencepiece(text, 275, "text"), model);
    EXPECT_EQ(tokenizer->vocab(), 275);
    EXPECT_EQ(tokenizer->encode(" ").size(), 1U);
    EXPECT_GT(tokenizer->encode(" ").at(0), 256) << "not its byte";
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text + "a b")), text + "a b");
    EXPECT_LT(tokenizer->encode(text).size(), text.size() / 3);
  }
}

TEST(SentencePieceGolden, TheFirstPlaceThatDoesNotComeBackIsNamed) {
  const data::TokenizerPtr tokenizer = golden_model("changes");
  const std::string lines = repeated("again and again, line by line\n", 2600), wrong = "\uFB01ve\n";
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(lines)), lines);
  // Threads take parts of this text; what they say does not depend on which is first.
  EXPECT_ERROR(tokenizer->encode(lines + wrong + lines + "x" + wrong, "t.txt"),
               "t.txt: the tokenizer does not give back '\uFB01ve' at byte offset 78000;");
}

TEST(TextCuts, NoPieceGoesOverThem) {
  data::PieceCharacters pieces;
  for (const char* piece : {"ab", "b c", "d", "\n\n", "\u00E9\u20AC", "\xE2"}) pieces.add(piece);
  pieces.done();
  EXPECT_TRUE(pieces.contain('d'));
  EXPECT_FALSE(pieces.contain('e'));
  const std::string text = "ab cda\n\nb\u00E9\u20ACd";
  std::string apart;
  for (std::size_t at = 0; at <= text.size(); ++at)
    if (at == text.size() || (text[at] & '\xC0') != '\x80')
      apart += pieces.apart(text, at) ? '1' : '0';
  EXPECT_EQ(apart, "1000111011011") << "before every character, and at the end";
  const auto all = [](std::size_t) { return true; };
  const auto none = [](std::size_t) { return false; };
  EXPECT_EQ(data::part_end("aaaa bbbb", 6, false, all), 4U);
  EXPECT_EQ(data::part_end("aaaa bbbb", 6, false, none), 9U);
  EXPECT_EQ(data::part_end("aaaa bbbb", 6, true, none), 6U);
  EXPECT_EQ(data::part_end("aaaaaaaa bbbb", 6, false, all), 8U);
}

}  // namespace
}  // namespace train
