#include "data/text/corpus.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "data/tokenizer/tokenizer.h"
#include "engine/rng.h"
#include "train/tasks/language_modelling.h"

namespace {

using data::Corpus;
using data::load_text;
using data::Source;
using data::TokenizerPtr;
namespace fs = std::filesystem;

/// A folder of its own for each test, removed afterwards.
class CorpusFiles : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = fs::temp_directory_path() /
              ("isodrop_" + std::string(test->name()) + "_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& content) {
    const fs::path path = folder_ / name;
    std::ofstream(path, std::ios::binary) << content;
    return path.string();
  }
  fs::path folder_;
};

/// The message of the Error `f` throws; every part must be in it, and it must be one line.
template <class F>
void expect_error(F&& f, const std::vector<std::string>& parts) {
  try {
    f();
  } catch (const base::Error& error) {
    const std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : parts)
      EXPECT_NE(message.find(part), std::string::npos) << "no '" << part << "' in: " << message;
    return;
  }
  FAIL() << "no base::Error; expected " << parts.front();
}

std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> out;
  for (std::size_t at = 0; at < text.size();) {
    out.push_back(base::next_code_point(text, at));
    if (out.back() == base::kInvalidUtf8) break;
  }
  return out;
}

TEST(Utf8, DecodesTheEdgesOfEveryLength) {
  const std::vector<std::pair<std::string, char32_t>> cases{
      {std::string(1, '\0'), 0},     {"\x7F", 0x7F},           {"\xC2\x80", 0x80},
      {"\xDF\xBF", 0x7FF},           {"\xE0\xA0\x80", 0x800},  {"\xED\x9F\xBF", 0xD7FF},
      {"\xEE\x80\x80", 0xE000},      {"\xEF\xBF\xBF", 0xFFFF}, {"\xF0\x90\x80\x80", 0x10000},
      {"\xF4\x8F\xBF\xBF", 0x10FFFF}};
  for (const auto& [bytes, value] : cases)
    EXPECT_EQ(code_points(bytes), std::vector<char32_t>{value})
        << static_cast<std::uint32_t>(value);
}

TEST(Utf8, RefusesWhatIsNotUtf8AndStaysThere) {
  for (const std::string bytes : {"\x80",
                                  "\xBF",
                                  "\xC0\x80",
                                  "\xC1\xBF",
                                  "\xE0\x80\x80",
                                  "\xE0\x9F\xBF",
                                  "\xF0\x80\x80\x80",
                                  "\xF0\x8F\xBF\xBF",
                                  "\xED\xA0\x80",
                                  "\xED\xBF\xBF",
                                  "\xF4\x90\x80\x80",
                                  "\xF5\x80\x80\x80",
                                  "\xF8\x88\x80\x80\x80",
                                  "\xFF",
                                  "\xC2",
                                  "\xE2\x82",
                                  "\xF0\x9F\x98",
                                  "\xC2\x41",
                                  "\xE2\x82\x41",
                                  "\xF0\x9F\x98\x41"}) {
    std::size_t at = 2;
    EXPECT_EQ(base::next_code_point("ab" + bytes, at), base::kInvalidUtf8);
    EXPECT_EQ(at, 2u);
  }
}

TEST(Utf8, WhatIsNoneIsReplacedByteByByte) {
  EXPECT_EQ(base::replaced_utf8(""), "");
  EXPECT_EQ(base::replaced_utf8("a\xC3\xA9\n"), "a\xC3\xA9\n");
  EXPECT_EQ(base::replaced_utf8("\xFF"
                                "b\xE2\x98"),
            "\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(TokenizerTest, CharactersAreSortedByCodePointAcrossSources) {
  const std::array<Source, 2> sources{Source{"zé a", "one"}, Source{"😀b", "two"}};
  const TokenizerPtr tokenizer = data::char_tokenizer(sources);
  EXPECT_EQ(tokenizer->pieces(), (std::vector<std::string>{" ", "a", "b", "z", "é", "😀"}));
  EXPECT_EQ(tokenizer->encode("b😀é"), (std::vector<std::int32_t>{2, 5, 4}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(sources[0].text)), sources[0].text);
  const std::vector<std::int32_t> beyond{6}, below{-1};
  expect_error([&] { tokenizer->decode(beyond); }, {"token 6", "[0, 6)"});
  expect_error([&] { tokenizer->decode(below); }, {"token -1"});
}

TEST(TokenizerTest, BytesTakeAnything) {
  const std::string text("\xFF\x00\xC3z", 4);
  const std::array<Source, 1> sources{Source{text, "raw"}};
  const TokenizerPtr tokenizer = data::byte_tokenizer(sources);
  EXPECT_EQ(tokenizer->encode(text), (std::vector<std::int32_t>{3, 0, 2, 1}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(TokenizerTest, UnknownSymbolsAreNamedWithTheirOffset) {
  const std::array<Source, 1> sources{Source{"abc é", "corpus"}};
  const TokenizerPtr chars = data::char_tokenizer(sources);
  expect_error([&] { (void)chars->encode("aéx", "the prompt"); },
               {"the prompt", "'x' (U+78)", "offset 3"});
  expect_error([&] { (void)chars->encode("ab€"); }, {"'€' (U+20AC)", "offset 2"});
  expect_error([&] { (void)chars->encode("a\n"); }, {"U+A at"});
  expect_error([&] { (void)chars->encode("a\xC3"); }, {"not UTF-8", "offset 1"});
  const TokenizerPtr bytes = data::byte_tokenizer(sources);
  expect_error([&] { (void)bytes->encode("a\xFE"); }, {"byte 0xFE", "offset 1"});
  expect_error([&] { (void)data::byte_tokenizer({})->encode("a"); }, {"0x61"});
}

TEST_F(CorpusFiles, SplitsAtTheLastTenth) {
  std::string text;
  for (int i = 0; i < 105; ++i) text += static_cast<char>('a' + i % 26);
  const Corpus corpus = load_text({write("text", text), "", "", 0.1, 0}, "byte", 4);
  EXPECT_EQ(corpus.train.size(), 94u);  // floor(94.5)
  EXPECT_EQ(corpus.val.ids.size(), 11u);
  EXPECT_EQ(corpus.decode(corpus.train) + corpus.decode(corpus.val.ids), text);
  EXPECT_EQ(corpus.vocab, 26);
  EXPECT_EQ(corpus.tokenizer, "byte");
  EXPECT_EQ(corpus.val.bytes_per_token, 1.0);
  EXPECT_FALSE(corpus.bayes_loss || corpus.bayes_loss_window);
  const Corpus half = load_text({corpus.name, "", "", 0.5, 0}, "byte", 4);
  EXPECT_EQ(half.train.size(), 52u);
}

TEST_F(CorpusFiles, SplitsAndCountsCharactersNotBytes) {
  std::string text = "abcdefghijklmnopqr";
  for (int i = 0; i < 12; ++i) text += i % 3 == 0 ? "é" : "€";  // 4 · 2 + 8 · 3 bytes
  const Corpus corpus = load_text({write("text", text), "", "", 0.4, 0}, "char", 2);
  EXPECT_EQ(corpus.train.size(), 18u);
  EXPECT_EQ(corpus.val.ids.size(), 12u);
  EXPECT_EQ(corpus.vocab, 20);
  EXPECT_DOUBLE_EQ(*corpus.val.bytes_per_token, 32.0 / 12.0);
}

TEST_F(CorpusFiles, ValidationFileSharesTheVocabulary) {
  const std::string text = write("text", "bcbcbcbc"), val = write("val", "abdabd");
  const Corpus corpus = load_text({text, val, "", 0.1, 0}, "char", 3);
  EXPECT_EQ(corpus.vocab, 4);
  EXPECT_EQ(corpus.decode(corpus.train), "bcbcbcbc");
  EXPECT_EQ(corpus.decode(corpus.val.ids), "abdabd");
  EXPECT_EQ(corpus.encode("dca"), (std::vector<std::int32_t>{3, 2, 0}));
}

TEST_F(CorpusFiles, HashSeesContentSplitAndTokenizerButNotTheName) {
  const std::string a = write("a", "abcdefghijklmnopqrstuvwxyz"),
                    b = write("b", data::read_text(a));
  const std::string c = write("c", "abcdefghijklmnopqrstuvwxzy"), d = write("d", "abcdez");
  const auto hash = [&](const std::string& path, const std::string& val = "",
                        const std::string& kind = "char", double share = 0.2, double test = 0) {
    return load_text({path, val, "", share, test}, kind, 1).hash;
  };
  EXPECT_EQ(hash(a), hash(b));
  EXPECT_NE(hash(a), hash(c));
  EXPECT_NE(hash(a), hash(a, d));
  EXPECT_NE(hash(a), hash(a, "", "byte"));
  EXPECT_NE(hash(a), hash(a, "", "char", 0.3));
  EXPECT_NE(hash(a), hash(a, "", "char", 0.2, 0.1));
  EXPECT_EQ(
      hash(a),
      "561d2fee6b4b3dc1626311b370622df3");  // also of Python's xxhash: length and bytes of each
}

TEST_F(CorpusFiles, MistakesAreNamed) {
  const auto load = [](const std::string& path, const std::string& val = "",
                       const std::string& kind = "char", std::int64_t T = 8, double share = 0.1,
                       double test = 0) {
    return [=] { (void)load_text({path, val, "", share, test}, kind, T); };
  };
  const std::string good = write("good", std::string(100, 'a')), empty = write("empty", "");
  const std::string none = (folder_ / "none").string();
  expect_error(load(none), {"no such file", none});
  expect_error(load(good + "/x"), {good + "/x"});
  expect_error(load(good, none), {"no such file", none});
  expect_error(load(empty), {"empty", empty});
  expect_error(load(good, empty), {"empty", empty});
  expect_error(load("/dev/null"), {"device", "/dev/null"});
  expect_error(load(""), {"no such file"});
  // A regular file whose first page cannot be read, for root neither.
  if (fs::exists("/proc/self/mem")) expect_error(load("/proc/self/mem"), {"cannot read"});
  if (geteuid() != 0) {
    fs::permissions(good, fs::perms::none);
    expect_error(load(good), {"cannot open", "ermission"});
    fs::permissions(good, fs::perms::owner_all);
  }
  expect_error([&] { (void)data::read_text(good, 99); }, {good, "99 bytes"});
  EXPECT_EQ(data::read_text(good, 100).size(), 100u);
  expect_error(load(write("bad", "abc\xE2\x82z" + std::string(100, 'a'))),
               {"not UTF-8", "offset 3", "/bad", "--tokenizer byte"});
  expect_error(load(good, write("badval", std::string(50, 'a') + "\xC3")),
               {"not UTF-8", "offset 50", "/badval"});
  expect_error(load(good, {}, "char", 8, 0.0), {"validation share 0", "(0, 1)"});
  expect_error(load(good, {}, "char", 8, 1.0), {"validation share 1"});
  expect_error(load(good, {}, "char", 8, 0.5, 0.5),
               {"0.5", "leave nothing to train on", "--test-fraction"});
  expect_error(load(good, good), {"val '" + good + "' has a file in common with text"});
}

TEST_F(CorpusFiles, ASplitMustHoldOneWindow) {
  const auto load = [&](std::size_t train, std::size_t val, std::int64_t T) {
    return load_text(
        {write("t", std::string(train, 'a')), write("v", std::string(val, 'b')), "", 0.1, 0},
        "byte", T);
  };
  EXPECT_NO_THROW(load(9, 9, 8));
  expect_error([&] { load(8, 9, 8); }, {"/t", "training split has 8", "block size 8"});
  expect_error([&] { load(9, 8, 8); }, {"/v", "validation split has 8", "block size 8"});
  expect_error([&] { load(9, 9, std::numeric_limits<std::int64_t>::max()); }, {"training split"});
}

TEST_F(CorpusFiles, CutsTestOffTheEndAndValidationBeforeIt) {
  std::string text;
  for (int i = 0; i < 105; ++i) text += static_cast<char>('a' + i % 26);
  const std::string path = write("text", text), other = write("other", std::string(50, 'z'));
  const Corpus corpus = load_text({path}, "byte", 4);
  EXPECT_EQ(corpus.train.size(), 84u);
  EXPECT_EQ(corpus.val.ids.size(), 10u);  // to floor(94.5)
  EXPECT_EQ(corpus.test.ids.size(), 11u);
  EXPECT_EQ(
      corpus.decode(corpus.train) + corpus.decode(corpus.val.ids) + corpus.decode(corpus.test.ids),
      text);
  EXPECT_FALSE(corpus.own_texts);
  const Corpus tested = load_text({path, "", other}, "byte", 4);
  EXPECT_EQ(tested.train.size(), 94u);
  EXPECT_EQ(tested.val.ids.size(), 11u) << "the end, as there is no test split to cut";
  EXPECT_EQ(tested.decode(tested.test.ids), std::string(50, 'z'));
  const Corpus validated = load_text({path, other, ""}, "byte", 4);
  EXPECT_EQ(validated.train.size(), 94u);
  EXPECT_EQ(validated.test.ids.size(), 11u);
  EXPECT_TRUE(load_text({path, "", "", 0.1, 0}, "byte", 4).test.ids.empty());
}

TEST_F(CorpusFiles, WhatIsJudgedIsNotWhatWasChosenOn) {
  const std::string text = write("text", std::string(100, 'a')), one = write("one", "aaaaaaaaaa"),
                    same = write("same", "aaaaaaaaaa");
  const auto load = [&](const std::string& val, const std::string& test) {
    return [=, this] { (void)load_text({text, val, test}, "byte", 4); };
  };
  expect_error(load(one, one), {"test", one, "a file in common with val", "used for tuning"});
  expect_error(load(one, same), {"test", one, same, "a copy of", "used for tuning"});
  expect_error(load("", text), {"test", "a file in common with text", "used for training"});
  expect_error(load(write("copy", std::string(100, 'a')), ""),
               {"val", "/copy', a copy of '" + text, "used for training", "leave out val"});
  fs::create_hard_link(text, folder_ / "hard");
  expect_error(load("", (folder_ / "hard").string()), {"test", "/hard', a copy of '" + text});
  // In other files, or packed: the same contents.
  fs::create_directory(folder_ / "parts");
  write("parts/1.jsonl", "{\"text\":\"" + std::string(100, 'a') + "\"}\n");
  expect_error(load((folder_ / "parts").string(), ""), {"val", "same contents as text"});
  expect_error(load("", (folder_ / "parts").string()), {"test", "same contents as text"});
  write("parts/1.jsonl", "{\"text\":\"aaaaaaaaaa\"}\n");
  expect_error(load(one, (folder_ / "parts").string()), {"test", "same contents as val"});
  const std::string tail = write("tail", std::string(80, 'b') + std::string(20, 'a'));
  expect_error([&] { (void)load_text({tail}, "byte", 4); }, {"validation and test", "same text"});
  expect_error(load("", write("short", "aaaa")), {"/short", "test split has 4", "block size 4"});
}

TEST_F(CorpusFiles, HowMuchOfAHeldOutTextIsTrainedOn) {
  std::string text, fresh;
  engine::Sequence random(engine::stream_key(3, engine::Stream::kSample), 5);
  for (int i = 0; i < 20'000; ++i) text += static_cast<char>('a' + random.below(26));
  for (int i = 0; i < 6'400; ++i) fresh += static_cast<char>('a' + random.below(26));
  const std::string path = write("text", text);
  const auto share = [&](const std::string& val, const char* tokenizer = "char") {
    const Corpus c = load_text({path, write("val", val), "", 0.1, 0}, tokenizer, 8);
    return data::share_in_training(c, c.val).value_or(-1);
  };
  EXPECT_EQ(share(fresh), 0);
  EXPECT_EQ(share(text.substr(777, 6'400)), 1);
  EXPECT_EQ(share(text.substr(20'000 - 64) + fresh), 1.0 / 101) << "the very end, once";
  // 50 windows of 100: those that lie in either half alone.
  for (const char* tokenizer : {"char", "byte", "gpt2:" ISODROP_SOURCE_DIR "/tests/golden/bpe"})
    EXPECT_NEAR(share(fresh.substr(0, 3'200) + text.substr(5, 3'200), tokenizer), 0.5, 0.01)
        << tokenizer;
  EXPECT_EQ(share(text.substr(1, 63)), -1) << "no window";
  std::string off = text.substr(0, 64);
  off.back() = off.back() == 'a' ? 'b' : 'a';
  EXPECT_EQ(share(off), 0) << "to the byte";

  const train::LanguageModelling task(
      load_text({path, write("val", text.substr(5, 3'200)), "", 0.1, 0}, "char", 8));
  EXPECT_EQ(task.notes(),
            (std::vector<std::string>{"100 % of the validation text is in the training text"}));
  const auto said = task.describe({});
  EXPECT_EQ(said.facts["val_in_train"], 1);
  EXPECT_TRUE(said.facts["test_in_train"].is_null());
  EXPECT_NE(said.sentence.find("100 % of the validation text"), std::string::npos);
}

TEST(CorpusTest, TinyshakespeareIsAsInNanoGpt) {
  const std::string path = ISODROP_SOURCE_DIR "/../shared/data/tinyshakespeare.txt";
  if (!fs::exists(path)) GTEST_SKIP() << "no " << path;
  for (const char* kind : {"char", "byte"}) {
    const Corpus corpus = load_text({path, "", "", 0.1, 0}, kind, 256);
    EXPECT_EQ(corpus.vocab, 65);
    EXPECT_EQ(corpus.train.size(), 1003854u);
    EXPECT_EQ(corpus.val.ids.size(), 111540u);
    // "First Citizen:" by nanoGPT's meta.pkl.
    EXPECT_EQ(corpus.encode("First"), (std::vector<std::int32_t>{18, 47, 56, 57, 58}));
  }
}

}  // namespace
