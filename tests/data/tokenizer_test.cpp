// Subword tokenizers: what goes in comes out, the same ids as the libraries of the field, and files
// that are wrong are refused.
#include "data/tokenizer/tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "base/files.h"
#include "data/tokenizer/byte_bpe.h"
#include "engine/rng.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"

namespace train {
namespace {

using Ids = std::vector<std::int32_t>;

using Json = nlohmann::json;
using tests::TempFolder;

const std::string kGoldenBpe = ISODROP_SOURCE_DIR "/tests/golden/bpe";

Json golden_cases() {
  return Json::parse(base::read_file(kGoldenBpe + "/cases.json", 1 << 24))["cases"];
}

/// Lines, tabs, runs of blanks, other scripts, and signs that SentencePiece has a use for.
std::string prose() {
  std::string text;
  for (int i = 0; i < 60; ++i)
    text +=
        "The rate of dropout is 0.1, and that of the other  rates is\tnone;\n    indented lines "
        "are text, too: Grüße \xE2\x96\x81 \xE2\x96\x85 and dropout again.\r\n\n";
  return text;
}

const data::TokenizerPtr& small_sentencepiece() {
  static const data::TokenizerPtr made =
      data::sentencepiece_tokenizer(data::train_sentencepiece(prose(), 320, "prose"), "prose");
  return made;
}

TEST(Tokenizers, GiveBackHostileText) {
  const data::TokenizerPtr bpe = data::byte_bpe_tokenizer(data::read_bpe(kGoldenBpe));
  std::vector<std::string> texts = {prose(),
                                    std::string("\0\0a\0", 4),
                                    std::string(5000, ' '),
                                    std::string(70000, 'a') + " b",
                                    "\xE2\x96\x81",
                                    "\n\xE2\x96\x81\n \xE2\x96\x81 ",
                                    "a\xE2\x96\x81"};
  for (const Json& c : golden_cases()) texts.push_back(c["text"]);
  std::string many;  // longer than what is encoded at once, with blanks and without
  engine::Sequence random(engine::stream_key(3, engine::Stream::kSample), 1);
  while (many.size() < 200'000) many += data::utf8(static_cast<char32_t>(32 + random.below(0x500)));
  texts.push_back(many);
  for (const data::TokenizerPtr& tokenizer : {bpe, small_sentencepiece()})
    for (const std::string& text : texts) {
      const auto ids = tokenizer->encode(text);
      EXPECT_EQ(tokenizer->decode(ids), text) << tokenizer->name();
      std::size_t bytes = 0;
      for (const std::int32_t id : ids)
        bytes += tokenizer->pieces()[static_cast<std::size_t>(id)].size();
      EXPECT_EQ(bytes, text.size());
    }
}

TEST(Tokenizers, RefuseWhatIsNotUtf8) {
  for (const data::TokenizerPtr& tokenizer :
       {data::byte_bpe_tokenizer(data::read_bpe(kGoldenBpe)), small_sentencepiece()}) {
    EXPECT_ERROR(tokenizer->encode("ab\xC3", "book.txt"), "book.txt: not UTF-8 at byte offset 2");
    EXPECT_ERROR(tokenizer->decode(std::vector{-1}), "token -1 is outside");
    EXPECT_ERROR(tokenizer->decode(std::vector{100000}), "token 100000 is outside");
  }
  EXPECT_ERROR(data::number_tokenizer(5)->encode("a", "x"),
               "x: the model was trained on token ids without a tokenizer");
  EXPECT_ERROR(data::number_tokenizer(5)->decode(std::vector{1}), "it has no text");
}

TEST(ByteBpe, SaysWhatHuggingFaceSays) {
  for (const std::string& path : {kGoldenBpe, kGoldenBpe + "/tokenizer.json"}) {
    const data::TokenizerPtr tokenizer = data::byte_bpe_tokenizer(data::read_bpe(path));
    EXPECT_EQ(tokenizer->vocab(), 600);
    for (const Json& c : golden_cases())
      EXPECT_EQ(tokenizer->encode(c["text"].get<std::string>()),
                c["ids"].get<std::vector<std::int32_t>>())
          << c["text"];
  }
}

// A vocabulary of its own, small enough to be followed by hand.
TEST(ByteBpe, MergesByRankAndKnowsSpecialTokensWhereDeclared) {
  const auto json = [](const std::string& added) {
    return R"({"added_tokens":)" + added + R"(,"pre_tokenizer":{"type":"ByteLevel"},"model":{
      "type":"BPE","vocab":{"a":0,"b":1,"ab":2,"aa":3,"<":4,"e":5,">":6,"aab":7},
      "merges":["a b",["a","a"],"a ab"]}})";
  };
  const auto ids = [&](const std::string& text, const std::string& added = "[]") {
    return data::byte_bpe_tokenizer(data::parse_bpe_json(json(added), "t"))->encode(text);
  };
  EXPECT_EQ(ids("aab"), (Ids{7}));
  EXPECT_EQ(ids("aaab"), (Ids{3, 2})) << "a b first, then the leftmost a a";
  EXPECT_EQ(ids("aaa"), (Ids{3, 0}));
  EXPECT_EQ(ids("a<e>b"), (Ids{0, 4, 5, 6, 1}));
  const std::string special = R"([{"id":8,"content":"<e>","special":true}])";
  EXPECT_EQ(ids("a<e>b<e>", special), (Ids{0, 8, 1, 8}));
  EXPECT_EQ(ids("a<<e>ab", special), (Ids{0, 4, 8, 2})) << "nothing is merged over it";
  const std::string two = R"([{"id":9,"content":"<e>b"},{"id":8,"content":"<e>"}])";
  EXPECT_EQ(ids("<e><e>b", two), (Ids{8, 9})) << "the longer of two";
  EXPECT_ERROR(ids("c"), "no token for the byte 99 at byte offset 0");
}

// "b c" was offered before "a b" took its b: what a merge leaves behind is no neighbour any more.
TEST(ByteBpe, WhatWasMergedIsNoNeighbour) {
  const auto bpe = data::byte_bpe_tokenizer(data::parse_bpe_json(
      R"({"pre_tokenizer":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{"a":0,"b":1,"c":2,
      "d":3,"e":4,"ab":5,"bc":6,"de":7,"cde":8},"merges":["a b","b c","d e","c de"]}})",
      "t"));
  EXPECT_EQ(bpe->encode("abcde"), (std::vector<std::int32_t>{5, 8}));
}

TEST(ByteBpe, IsKeptAsWhatItWas) {
  const data::BpeFiles files = data::read_bpe(kGoldenBpe);
  const std::string json = data::bpe_json(files);
  EXPECT_EQ(data::bpe_json(data::parse_bpe_json(json, "again")), json);
  EXPECT_EQ(data::bpe_json(data::read_bpe(kGoldenBpe + "/tokenizer.json")), json)
      << "one identity, however read";
  EXPECT_EQ(data::byte_bpe_tokenizer(files)->definition(), json);
}

TEST(ByteBpe, WrongFilesAreNamed) {
  const TempFolder folder;
  const auto said = [&](const std::string& vocab, const std::string& merges) {
    folder.write("t/vocab.json", vocab);
    folder.write("t/merges.txt", merges);
    return tests::error_of([&] { (void)data::read_bpe((folder.path() / "t").string()); });
  };
  const auto expect = [&](const std::string& vocab, const std::string& merges, const char* part) {
    const std::string text = said(vocab, merges);
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  EXPECT_EQ(said(R"({"a":0,"b":1,"ab":2})", "#version: 0.2\na b\r\n"), "");
  EXPECT_EQ(said(R"({"#":0,"##":1})", "# #\n"), "");
  expect("[]", "", "not an object of ids");
  expect("{", "", "vocab.json: not valid JSON");
  expect(R"({"a":0,"a":1})", "", "is repeated");
  expect(R"({"a":0,"b":0})", "", "the id 0 is repeated");
  expect(R"({"a":0,"b":2})", "", "'2' of 'b' is outside [0, 2)");
  expect(R"({"a":-1})", "", "'-1' of 'a' is outside");
  expect(R"({"a":"0"})", "", "is outside");
  expect(R"({"":0})", "", "has no symbol");
  expect(R"({"a b":0})", "", "not of the byte-level alphabet");
  expect(R"({"a":0,"b":1})", "a b", "merge 1 ('a b'): 'ab' is not in the vocabulary");
  expect(R"({"a":0,"b":1,"ab":2})", "a b\na b", "merge 2 ('a b') is repeated");
  expect(R"({"a":0})", "\na", "merge 2 ('a') is not two symbols");
  expect(R"({"a":0})", "a  a", "is not two symbols");
  std::filesystem::remove(folder.path() / "t/merges.txt");
  EXPECT_ERROR(data::read_bpe((folder.path() / "t").string()), "no such file");
  EXPECT_ERROR(data::read_bpe(folder.path().string()), "holds neither vocab.json");
  EXPECT_ERROR(data::read_bpe("none.json"), "no such file: 'none.json'");
  for (
      const auto& [json, part] : std::map<std::string, std::string>{
          {"1", "no object 'model'"},
          {R"({"model":{"type":"WordPiece"}})", "not BPE"},
          {R"({"model":{"type":"BPE","byte_fallback":true}})", "byte_fallback"},
          {R"({"model":{"type":"BPE"},"normalizer":{"type":"NFC"}})", "normalizer"},
          {R"({"model":{"type":"BPE"}})", "not ByteLevel"},
          {R"({"model":{"type":"BPE"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true}})",
           "add_prefix_space"},
          {R"({"model":{"type":"BPE"},"pre_tokenizer":{"type":"ByteLevel"}})", "no vocab"},
          {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[1]},"pre_tokenizer":{"type":"ByteLevel"}})",
           "merge 1 is neither"},
          {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"ByteLevel"},
               "added_tokens":[{"id":7,"content":"x"}]})",
           "outside [0, 2)"},
          {R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]},"pre_tokenizer":{"type":"ByteLevel"},
               "added_tokens":[{"id":1,"content":"x","lstrip":true}]})",
           "lstrip"}})
    EXPECT_ERROR(data::parse_bpe_json(json, "t.json"), part);
}

TEST(SentencePiece, TheSameTextGivesTheSameBytes) {
  const std::string model = data::train_sentencepiece(prose(), 300, "prose");
  EXPECT_EQ(data::train_sentencepiece(prose(), 300, "other name"), model);
  EXPECT_NE(data::train_sentencepiece(prose() + "zebra zebra zebra", 300, "prose"), model);
  const data::TokenizerPtr tokenizer = data::sentencepiece_tokenizer(model, "prose");
  EXPECT_EQ(tokenizer->vocab(), 300);
  EXPECT_EQ(tokenizer->definition(), model);
  EXPECT_LT(tokenizer->encode(prose()).size(), prose().size() * 3 / 4) << "it compresses";
  EXPECT_EQ(tokenizer->encode(" \n<|endoftext|>x").size(), 4U) << "known as one token";
}

TEST(SentencePiece, NoPieceGoesOverALine) {
  for (const std::string& piece : small_sentencepiece()->pieces())
    EXPECT_TRUE(piece.size() == 1 || piece.find_first_of("\n\t\r") == std::string::npos) << piece;
}

TEST(SentencePiece, WhatCannotBeTrainedOrReadIsSaid) {
  EXPECT_ERROR(data::train_sentencepiece("ab", 400, "t.txt"),
               "t.txt: cannot make a vocabulary of 400");
  EXPECT_ERROR(data::train_sentencepiece("\n\n", 300, "t.txt"), "t.txt: has only line ends");
  EXPECT_ERROR(data::train_sentencepiece("a\xFF", 300, "t.txt"), "not UTF-8 at byte offset 1");
  EXPECT_ERROR(data::sentencepiece_tokenizer("", "m"), "m: not a SentencePiece model");
  EXPECT_ERROR(data::sentencepiece_tokenizer("no model at all", "m"),
               "m: not a SentencePiece model");
  const std::string model = small_sentencepiece()->definition();
  EXPECT_ERROR(data::sentencepiece_tokenizer(model.substr(0, model.size() / 2), "m"), "m: ");
}

TEST(Tokenizers, TheSettingHasAGrammar) {
  for (const std::string text :
       {"char", "byte", "sp:1024", "sp:a.model", "gpt2:x/y", "ids", "ids:5"})
    EXPECT_EQ(data::canonical_tokenizer(text), text);
  EXPECT_EQ(data::canonical_tokenizer("sp:01024"), "sp:1024");
  EXPECT_EQ(data::canonical_tokenizer("gpt2:a:b"), "gpt2:a:b");
  EXPECT_EQ(data::tokenizer_path("sp:1024"), "");
  EXPECT_EQ(data::tokenizer_path("sp:m.model"), "m.model");
  EXPECT_EQ(data::absolute_tokenizer("char"), "char");
  EXPECT_EQ(data::absolute_tokenizer("sp:/a/../m.model"), "sp:/m.model");
  EXPECT_ERROR(data::canonical_tokenizer("sp"), "sp:VOCAB");
  EXPECT_ERROR(data::canonical_tokenizer("gpt2"), "gpt2:FOLDER");
  EXPECT_ERROR(data::canonical_tokenizer("char:3"), "not '3'");
  EXPECT_ERROR(data::canonical_tokenizer("sp:259"), "[260, 1000000]");
  EXPECT_ERROR(data::canonical_tokenizer("sp:99999999999999999999"), "[260, 1000000]");
  EXPECT_ERROR(data::canonical_tokenizer("ids:0"), "'0' is not a vocabulary size");
  EXPECT_ERROR(data::canonical_tokenizer("bpe"), "'bpe' is unknown");
  EXPECT_ERROR(data::canonical_tokenizer("chra"), "did you mean 'char'?");
}

}  // namespace
}  // namespace train
