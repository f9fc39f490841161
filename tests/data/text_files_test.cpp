// Text as it lies around, and ids in files that are mapped.
#include "data/text/text_files.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <cstring>

#include "data/text/batches.h"
#include "data/text/corpus.h"
#include "data/text/tokens.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"

namespace train {
namespace {

using std::string_literals::operator""s;
using tests::TempFolder;
const std::string kEnd(data::kEndOfText);

std::string gzip(const std::string& text) {
  std::string out(compressBound(text.size()) + 64, '\0');
  z_stream s{};
  deflateInit2(&s, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  s.avail_in = static_cast<uInt>(text.size());
  s.next_out = reinterpret_cast<Bytef*>(out.data());
  s.avail_out = static_cast<uInt>(out.size());
  deflate(&s, Z_FINISH);
  out.resize(s.total_out);
  deflateEnd(&s);
  return out;
}
std::string zstandard(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

class TextFiles : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder.path() / name).string(); }
  std::string write(const std::string& name, const std::string& text) const {
    return folder.write(name, text).string();
  }
  std::string bin(const std::string& name, const std::vector<std::uint16_t>& ids,
                  const std::vector<std::int32_t>& head = {}) const {
    std::string bytes(head.empty() ? 0 : 1024, '\0');
    if (!head.empty()) std::memcpy(bytes.data(), head.data(), head.size() * 4);
    bytes.append(reinterpret_cast<const char*>(ids.data()), ids.size() * 2);
    return write(name, bytes);
  }
  const TempFolder folder;
};

TEST_F(TextFiles, WhatDoesNotFitInMemoryIsRefusedBeforeItIsRead) {
  const data::Memory little = [] { return std::size_t{3 << 20}; };
  const std::string text(2 << 20, 'a'), more(4 << 20, 'b');
  EXPECT_EQ(data::read_text(write("a.txt", text), data::kMostTextBytes, little).size(),
            text.size());
  EXPECT_EQ(data::read_text(write("a.txt.gz", gzip(text)), data::kMostTextBytes, little).size(),
            text.size());
  for (const std::string& path : {write("b.txt", more), write("b.txt.gz", gzip(more))})
    EXPECT_ERROR(data::read_text(path, data::kMostTextBytes, little),
                 path + "' does not fit in memory: ");
  write("d/a.txt", text);
  write("d/b.txt", text);
  EXPECT_ERROR(data::read_text(at("d"), data::kMostTextBytes, little),
               "takes 5 MB more, and 3 are free; train on a part of it");
  // Ids take four bytes each.
  const auto codec = data::load_text({write("c.txt", tests::small_text(200))}, "char", 4).codec;
  const auto bytes = data::load_text({at("c.txt")}, "byte", 4).codec;
  const std::string known = tests::small_text(700'000), longer = known + known;
  for (const auto& of : {codec, bytes}) {
    EXPECT_EQ(data::encode_text(*of, known, "c", little).size(), known.size());
    EXPECT_ERROR(data::encode_text(*of, longer, "c", little),
                 "'c' does not fit in memory: it takes 6 MB");
  }
  const data::Memory unknown = [] { return std::size_t{0}; };
  EXPECT_EQ(data::read_text(at("b.txt"), data::kMostTextBytes, unknown).size(), more.size());
}

TEST_F(TextFiles, PackedTextIsTheText) {
  const std::string text = tests::small_text(300'000), more = tests::small_text(70'000, 2);
  EXPECT_EQ(data::read_text(write("a.txt.gz", gzip(text))), text);
  EXPECT_EQ(data::read_text(write("a.txt.zst", zstandard(text))), text);
  EXPECT_EQ(data::read_text(write("b.gz", gzip(text) + gzip(more))), text + more) << "members";
  EXPECT_EQ(data::read_text(write("b.zst", zstandard(text) + zstandard(more))), text + more)
      << "frames";
  EXPECT_ERROR(data::read_text(write("c.gz", text)), "is not a gzip file, or is damaged");
  EXPECT_ERROR(data::read_text(write("c.zst", text)), "is not a Zstandard file, or is damaged");
  for (const char* name : {"d.gz", "d.zst"}) {
    const std::string whole = std::string(name) == "d.gz" ? gzip(text) : zstandard(text);
    for (const std::size_t size : {whole.size() - 1, whole.size() / 2, std::size_t{3}})
      EXPECT_ERROR(data::read_text(write(name, whole.substr(0, size))), "is cut off");
    EXPECT_ERROR(data::read_text(write(name, "")), "is cut off");
  }
  EXPECT_ERROR(data::read_text(write("e.gz", gzip(""))), "is empty");
}

// gzip takes zeros behind a member, as tapes leave them; bgzip writes members, the last one empty.
TEST_F(TextFiles, PaddingAndEmptyMembersAreNoText) {
  const std::string text = tests::small_text(100'000), more = tests::small_text(500, 2);
  const std::string zeros(70'000, '\0');
  EXPECT_EQ(data::read_text(write("a.gz", gzip(text) + zeros)), text);
  EXPECT_EQ(data::read_text(write("a.gz", gzip(text) + zeros + gzip(more) + "\0"s)), text + more);
  EXPECT_EQ(data::read_text(write("a.bgz", gzip(text) + gzip(more) + gzip(""))), text + more);
  EXPECT_ERROR(data::read_text(write("a.gz", gzip(text) + zeros + "what is this?")),
               "or is damaged");
  EXPECT_ERROR(data::read_text(write("a.gz", zeros)), "or is damaged");
  const std::string skippable = "\x50\x2a\x4d\x18\x03\0\0\0abc"s;  // RFC 8878, 3.1.2
  EXPECT_EQ(data::read_text(write(
                "a.zstd", skippable + zstandard(text) + skippable + zstandard(more) + skippable)),
            text + more);
}

TEST_F(TextFiles, EndingsMayBeInCapitals) {
  const std::string line = "{\"text\":\"one\"}\n";
  for (const char* name : {"a.ndjson", "a.JSONL", "a.NdJson"})
    EXPECT_EQ(data::read_text(write(name, line)), "one") << name;
  for (const char* name : {"b.jsonl.GZ", "b.NDJSON.gz"})
    EXPECT_EQ(data::read_text(write(name, gzip(line))), "one") << name;
  EXPECT_EQ(data::read_text(write("b.txt.ZST", zstandard("plain"))), "plain");
  EXPECT_TRUE(data::is_token_file("A.BIN"));
  EXPECT_FALSE(data::is_token_file("binary"));
  EXPECT_ERROR(data::read_text(write("c.bin.gz", gzip("abcd"))),
               "c.bin.gz' holds token ids, not text");
  for (const char* name : {"d.xz", "d.TXT.BZ2", "d.zip", "d.parquet", "d.tar.gz", "d.tgz"})
    EXPECT_ERROR(data::read_text(write(name, "text")), "files are not supported; unpack it");
}

// Of a joined text an offset alone leads nowhere.
TEST_F(TextFiles, AMistakeIsToldByItsOwnFileAndOffset) {
  write("d/a.txt", "first");
  write("d/b.txt",
        "se\xFF"
        "cond");
  write("d/c.jsonl", "{\"text\":\"three\"}\n\n{\"text\":\"fo\u00fcr\"}\n");
  const auto where = [&](std::size_t offset) {
    const data::Documents all = data::read_documents(at("d"));
    return tests::error_of([&] {
      all.naming_files(1, [&] { throw data::BadText("d", "odd", offset - 1, "; mend it"); });
    });
  };
  const std::size_t second = 5 + kEnd.size(), third = second + 7 + kEnd.size(),
                    fourth = third + 5 + kEnd.size();
  EXPECT_EQ(where(1), at("d/a.txt") + ": odd at byte offset 1; mend it");
  EXPECT_EQ(where(second), at("d/b.txt") + ": odd at byte offset 0; mend it");
  EXPECT_EQ(where(third - kEnd.size() - 1), at("d/b.txt") + ": odd at byte offset 6; mend it");
  EXPECT_EQ(where(third + 2), at("d/c.jsonl:1") + ": odd at byte offset 2; mend it");
  EXPECT_EQ(where(fourth), at("d/c.jsonl:3") + ": odd at byte offset 0; mend it");
  EXPECT_EQ(tests::error_of([&] { data::load_text({at("d")}, "char", 4); }),
            at("d/b.txt") +
                ": not UTF-8 at byte offset 2; convert it to UTF-8 or use --tokenizer "
                "byte");
  const std::string good = write("good.txt", std::string(100, 'a') + "b");
  EXPECT_ERROR(data::load_text({good, at("d")}, "char", 4), "d/b.txt: not UTF-8 at byte offset 2");
  EXPECT_ERROR(data::load_text({good, at("d")}, "gpt2:" ISODROP_SOURCE_DIR "/tests/golden/bpe", 4),
               "d/b.txt: not UTF-8 at byte offset 2");
}

TEST_F(TextFiles, DocumentsAreJoinedByWhatIsAskedFor) {
  write("d/a.txt", "one");
  write("d/b.txt", "two" + kEnd);
  write("d/c.txt", "three");
  EXPECT_EQ(data::read_documents(at("d"), "").text, "onetwo" + kEnd + "three");
  EXPECT_EQ(data::read_documents(at("d"), "|").text, "one|two" + kEnd + "three") << "once";
}

TEST_F(TextFiles, ABombIsNotUnpackedToItsEnd) {
  const std::string zeros(50 << 20, '\0');
  EXPECT_ERROR(data::read_text(write("bomb.gz", gzip(zeros)), 1 << 20),
               "larger than 1048576 bytes");
  EXPECT_ERROR(data::read_text(write("bomb.zst", zstandard(zeros)), 1 << 20),
               "larger than 1048576");
  EXPECT_ERROR(data::read_text(write("bomb.jsonl.zst", zstandard(zeros)), 1 << 20),
               "line 1 is larger");
}

TEST_F(TextFiles, LinesOfJsonAreDocuments) {
  const std::string lines = R"({"text":"one\nline"})"
                            "\n\n"
                            R"({"id":3,"text":""})"
                            "\n"
                            R"({"text":"tw\u00f6","meta":[1]})";
  EXPECT_EQ(data::read_text(write("a.jsonl", lines)), "one\nline" + kEnd + "twö");
  EXPECT_EQ(data::read_text(write("a.jsonl.zst", zstandard(lines + "\n"))),
            "one\nline" + kEnd + "twö");
  std::string long_line = R"({"text":")" + std::string(200'000, 'x') +
                          R"("})"
                          "\n";
  EXPECT_EQ(data::read_text(write("b.jsonl", long_line + lines)),
            std::string(200'000, 'x') + kEnd + "one\nline" + kEnd + "twö");
  EXPECT_ERROR(data::read_text(write("c.jsonl", "{\"text\":\"a\"}\n{\"txt\":1}\n")),
               "c.jsonl:2: no string");
  EXPECT_ERROR(data::read_text(write("c.jsonl", "{\"text\":\"a\"}\n{\"text\":3}\n")),
               "c.jsonl:2: no string");
  EXPECT_ERROR(data::read_text(write("c.jsonl", "\n[1\n")), "c.jsonl:2: not valid JSON");
  EXPECT_ERROR(data::read_text(write("c.jsonl", "{\"text\":\"\xFF\"}\n")),
               "c.jsonl:1: not valid JSON");
  EXPECT_ERROR(data::read_text(write("c.jsonl", "\n")), "is empty");
}

TEST_F(TextFiles, FoldersAndPatternsAreSortedDocuments) {
  write("d/b.txt", "second");
  write("d/a.txt", "first" + kEnd + "\n");
  write("d/sub/c.jsonl", "{\"text\":\"third\"}\n{\"text\":\"fourth\"}\n");
  write("d/.hidden", "no");
  write("d/.git/x", "no");
  EXPECT_EQ(data::read_text(at("d")),
            "first" + kEnd + "\nsecond" + kEnd + "third" + kEnd + "fourth");
  EXPECT_EQ(data::read_text(at("d/[ab].txt")), "first" + kEnd + "\nsecond");
  EXPECT_ERROR(data::read_text(at("d/*.md")), "no file matches");
  write("odd[1].txt", "a name with brackets");
  EXPECT_EQ(data::read_text(at("odd[1].txt")), "a name with brackets");
  std::filesystem::create_directories(folder.path() / "empty");
  EXPECT_ERROR(data::read_text(at("empty")), "the folder has no files");
  write("d/x.bin", "ab");
  EXPECT_ERROR(data::read_text(at("d")), "x.bin' holds token ids");
  EXPECT_EQ(data::shared_file(at("d"), at("d/sub/c.jsonl")), "'" + at("d/sub/c.jsonl") + "'");
  EXPECT_EQ(data::shared_file(at("d/*.txt"), at("d/../d/a.txt")), "'" + at("d/../d/a.txt") + "'");
  EXPECT_EQ(data::shared_file(at("d/*.txt"), at("d/sub")), "");
  EXPECT_EQ(data::shared_file(at("d/*.txt"), ""), "");
  write("e/x.txt", "third");
  write("e/y.txt", "sec0nd");
  EXPECT_EQ(data::shared_file(at("d/*.txt"), at("e")), "") << "of one length";
  write("e/z.txt", "second");
  EXPECT_EQ(data::shared_file(at("d/*.txt"), at("e")),
            "'" + at("e/z.txt") + "', a copy of '" + at("d/b.txt") + "'");
}

TEST_F(TextFiles, IdsAreMapped) {
  const std::vector<std::uint16_t> ids = {5, 65535, 0, 7, 8};
  const auto all = [](const data::Tokens& t) {
    return std::vector<std::int32_t>(t.begin(), t.end());
  };
  const std::vector<std::int32_t> want = {5, 65535, 0, 7, 8};
  EXPECT_EQ(all(data::map_tokens(bin("nano.bin", ids))), want);
  EXPECT_EQ(all(data::map_tokens(bin("llm.bin", ids, {20240520, 1, 5}))), want);
  EXPECT_EQ(all(data::map_tokens(bin("wide.bin", {1, 0, 2, 1}, {20240801, 7, 2}))),
            (std::vector<std::int32_t>{1, 2 + 65536}));
  EXPECT_EQ(data::map_tokens(at("nano.bin")).bytes(), 0U);
  EXPECT_ERROR(data::map_tokens(bin("x.bin", ids, {20240520, 1, 6})),
               "header says 6 ids of 2 bytes");
  EXPECT_ERROR(data::map_tokens(bin("x.bin", ids, {20240520, 1, -1})), "header says -1");
  EXPECT_ERROR(data::map_tokens(bin("x.bin", ids, {20240520, 2, 5})), "header has version 2");
  EXPECT_ERROR(data::map_tokens(bin("x.bin", ids, {20240522, 1, 5})), "multiple-choice questions");
  EXPECT_ERROR(data::map_tokens(write("x.bin", "abc")), "not a whole number");
  EXPECT_ERROR(data::map_tokens(write("x.bin", "")), "is empty");
  EXPECT_ERROR(data::map_tokens(at("none.bin")), "no such file");
  EXPECT_ERROR(data::map_tokens(folder.path().string()), "not a file that can be mapped");
}

TEST_F(TextFiles, WiderIdsThanTheyAreReadAsAreRefused) {
  std::vector<std::int32_t> small, large;
  std::vector<std::int64_t> longs;
  std::vector<std::uint16_t> narrow;
  for (int i = 0; i < 1000; ++i) {
    small.push_back(i * 7919 % 600 + 1);
    large.push_back(i * 7919 % 128'000);
    longs.push_back(i % 7);
    narrow.push_back(static_cast<std::uint16_t>(i * 7919 % 50257));
  }
  const auto raw = [&](const std::string& name, const auto& ids) {
    return write(name, {reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof ids[0]});
  };
  const auto all = [](const data::Tokens& t) {
    return std::vector<std::int32_t>(t.begin(), t.end());
  };
  for (const auto& ids : {small, large}) {
    const std::string path = raw("wide.bin", ids);
    EXPECT_ERROR(data::map_tokens(path), "looks like 32-bit ids");
    EXPECT_ERROR(data::load_text({path}, "ids", 8), "give --bin-type uint32, or --bin-type uint16");
    EXPECT_EQ(all(data::map_tokens(path, "uint32")), ids);
    EXPECT_EQ(data::map_tokens(path, "uint16").size(), 2 * ids.size());
  }
  EXPECT_ERROR(data::map_tokens(raw("long.bin", longs)), "looks like 64-bit ids");
  EXPECT_ERROR(data::map_tokens(at("long.bin"), "uint32"), "looks like 64-bit ids");
  EXPECT_EQ(data::map_tokens(raw("narrow.bin", narrow)).size(), 1000U);
  EXPECT_ERROR(data::map_tokens(write("odd.bin", "abcdef"), "uint32"),
               "not a whole number of 32-bit ids");
  EXPECT_ERROR(data::map_tokens(write("np.bin", "\x93NUMPY\1\0v\0"s)), "is a NumPy .npy file");
  EXPECT_ERROR(data::map_tokens(bin("h.bin", {5, 6}, {20240520, 1, 2}), "uint32"),
               "its header says uint16, --bin-type uint32");
  EXPECT_EQ(data::map_tokens(at("h.bin"), "uint16").size(), 2U);
  // Few symbols, and all of them small, are no sign of anything.
  for (std::size_t i = 0; i < narrow.size(); ++i) narrow[i] = i % 2 == 0 ? 3 : 1;
  EXPECT_EQ(data::map_tokens(raw("narrow.bin", narrow)).size(), 1000U);
  narrow.assign(1000, 0);
  EXPECT_EQ(data::map_tokens(raw("narrow.bin", narrow)).size(), 1000U);
  EXPECT_EQ(data::load_text({raw("wide.bin", small), "", "", 0.1, 0.1, "uint32"}, "ids", 8).hash,
            data::load_text({write("n.bin", data::token_file(small))}, "ids", 8).hash)
      << "one identity, however they are stored";
}

TEST_F(TextFiles, IdsAreWrittenAsWideAsTheyMustBe) {
  const auto back = [&](const std::vector<std::int32_t>& ids, std::size_t bytes) {
    const std::string path = write("w.bin", data::token_file(ids));
    EXPECT_EQ(std::filesystem::file_size(path), bytes);
    const data::Tokens t = data::map_tokens(path);
    EXPECT_EQ(std::vector<std::int32_t>(t.begin(), t.end()), ids);
  };
  back({5, 65535, 0}, 6);
  back({5, 65536, 0}, 1024 + 12);
}

TEST_F(TextFiles, IdsMakeTheSameBatchesHoweverTheyAreStored) {
  std::vector<std::uint16_t> narrow;
  for (int i = 0; i < 500; ++i) narrow.push_back(static_cast<std::uint16_t>(i * i % 251));
  const std::vector<std::int32_t> wide(narrow.begin(), narrow.end());
  const data::Tokens mapped = data::map_tokens(bin("a.bin", narrow));
  for (const std::optional<std::int64_t> unique : {std::optional<std::int64_t>(), {490}}) {
    data::Batches a(mapped, 16, 4, 3, unique), b(wide, 16, 4, 3, unique);
    for (std::uint64_t step = 0; step < 20; ++step) {
      std::vector<std::int32_t> x(64), y(64), u(64), v(64);
      a.fill(step, 0, 4, x.data(), y.data());
      b.fill(step, 0, 4, u.data(), v.data());
      EXPECT_EQ(x, u);
      EXPECT_EQ(y, v);
    }
  }
  std::vector<std::int32_t> x(32), y(32), u(32), v(32);
  EXPECT_EQ(data::fill_eval(mapped, 16, 30, 2, x.data(), y.data()),
            data::fill_eval(wide, 16, 30, 2, u.data(), v.data()));
  EXPECT_EQ(x, u);
  EXPECT_EQ(y, v);
}

TEST_F(TextFiles, ACorpusOfIds) {
  std::vector<std::uint16_t> ids;
  for (int i = 0; i < 1000; ++i) ids.push_back(static_cast<std::uint16_t>(i % 41));
  const std::string raw = bin("a.bin", ids), headed = bin("b.bin", ids, {20240520, 1, 1000});
  const data::Corpus corpus = data::load_text({raw}, "ids", 8);
  EXPECT_EQ(corpus.vocab, 41);
  EXPECT_EQ(corpus.train.size(), 800U);
  EXPECT_EQ(corpus.val.ids.size(), 100U);
  EXPECT_EQ(corpus.test.ids[0], 900 % 41);
  EXPECT_FALSE(corpus.val.bytes_per_token || corpus.test.bytes_per_token);
  EXPECT_EQ(data::load_text({headed}, "ids", 8).hash, corpus.hash);
  EXPECT_EQ(data::load_text({raw}, "char", 8).hash, corpus.hash) << "it cannot be characters";
  EXPECT_EQ(data::load_text({raw}, "ids:41", 8).hash, corpus.hash);
  EXPECT_NE(data::load_text({raw}, "ids:50", 8).hash, corpus.hash);
  EXPECT_ERROR(data::load_text({raw}, "ids:40", 8), "the id 40 is outside the vocabulary [0, 40)");
  EXPECT_ERROR(data::load_text({raw}, "byte", 8), "holds token ids");
  EXPECT_ERROR(data::load_text({raw}, "sp:300", 8), "not text to train a tokenizer on");
  EXPECT_ERROR(data::load_text({raw, write("v.txt", "text")}, "ids", 8), "v.txt' is text");
  EXPECT_ERROR(data::load_text({write("t.txt", tests::small_text(200))}, "ids", 8),
               "reads token ids");
  const std::string gpt2 = "gpt2:" ISODROP_SOURCE_DIR "/tests/golden/bpe";
  const data::Corpus known = data::load_text({raw}, gpt2, 8);
  EXPECT_EQ(known.vocab, 600);
  std::size_t bytes = 0;
  for (const std::int32_t id : known.val.ids)
    bytes += known.pieces()[static_cast<std::size_t>(id)].size();
  EXPECT_DOUBLE_EQ(*known.val.bytes_per_token, static_cast<double>(bytes) / 100);
  EXPECT_ERROR(data::load_text({bin("c.bin", {1, 2, 3, 4, 5, 6, 7, 8, 9, 600})}, gpt2, 0),
               "the id 600 is outside the vocabulary [0, 600)");
}

// Tokenizers are judged on the same text, and what one is trained on is the training split alone.
TEST_F(TextFiles, SubwordsAreCutWhereCharactersAre) {
  const std::string text = tests::small_text(4000) + "é" + tests::small_text(4000, 3);
  const std::string path = write("t.txt", text);
  const data::Corpus chars = data::load_text({path}, "char", 8),
                     sp = data::load_text({path}, "sp:290", 8);
  EXPECT_EQ(sp.decode(sp.train), chars.decode(chars.train));
  EXPECT_EQ(sp.decode(sp.val.ids), chars.decode(chars.val.ids));
  EXPECT_EQ(sp.decode(sp.test.ids), chars.decode(chars.test.ids));
  EXPECT_DOUBLE_EQ(*sp.test.bytes_per_token * static_cast<double>(sp.test.ids.size()),
                   *chars.test.bytes_per_token * static_cast<double>(chars.test.ids.size()));
  EXPECT_EQ(data::load_text({path}, "sp:290", 8).hash, sp.hash);
  const std::string tail =
      write("u.txt", text.substr(0, text.size() - 100) + std::string(100, 'q'));
  EXPECT_EQ(data::load_text({tail}, "sp:290", 8).codec->definition(), sp.codec->definition());
  const std::string head = write("v.txt", std::string(100, 'q') + text.substr(100));
  EXPECT_NE(data::load_text({head}, "sp:290", 8).codec->definition(), sp.codec->definition());
  const std::string model = write("m.model", sp.codec->definition());
  EXPECT_EQ(data::load_text({path}, "sp:" + model, 8).hash, sp.hash)
      << "one identity, however made";
}

}  // namespace
}  // namespace train
