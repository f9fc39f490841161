// Files of tokenizers and texts, thousands of times a little wrong: each is an error, or what it
// gives is sound. Never a crash.
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "base/files.h"
#include "data/text/corpus.h"
#include "data/text/tokens.h"
#include "data/tokenizer/byte_bpe.h"
#include "data/tokenizer/tokenizer.h"
#include "tests/slow/mutator.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"

namespace train {
namespace {

using tests::mutate;
using tests::TempFolder;

const std::string kGolden = ISODROP_SOURCE_DIR "/tests/golden/bpe";
const std::string kHostile = "Dropout is 0.1,\n  and <|endoftext|> Grüße \xE2\x96\x81 of 0.2\t!\n";

/// What a tokenizer that was let in must hold.
void expect_sound(const data::Tokenizer& tokenizer) {
  ASSERT_EQ(static_cast<std::size_t>(tokenizer.vocab()), tokenizer.pieces().size());
  EXPECT_EQ(tokenizer.decode(tokenizer.encode(kHostile)), kHostile);
}

TEST(TokenizerMutation, TokenizerJson) {
  mutate(base::read_file(kGolden + "/tokenizer.json", 1 << 24), 3000, 300,
         [](const std::string& text) {
           expect_sound(*byte_bpe_tokenizer(data::parse_bpe_json(text, "tokenizer.json")));
         });
}

TEST(TokenizerMutation, VocabularyAndMerges) {
  const TempFolder folder;
  for (const std::string changed : {"vocab.json", "merges.txt"}) {
    for (const char* name : {"vocab.json", "merges.txt"})
      folder.write(name, base::read_file(kGolden + "/" + name, 1 << 24));
    mutate(folder.read(changed), 800, 300, [&](const std::string& text) {
      folder.write(changed, text);
      expect_sound(*byte_bpe_tokenizer(data::read_bpe(folder.path().string())));
    });
  }
}

TEST(TokenizerMutation, SentencePieceModel) {
  const std::string model = data::train_sentencepiece(tests::small_text(20'000), 290, "text");
  mutate(model, 6000, 200, [](const std::string& bytes) {
    expect_sound(*data::sentencepiece_tokenizer(bytes, "m.model"));
  });
}

TEST(TokenizerMutation, Ids) {
  const TempFolder folder;
  std::string bytes(1024, '\0');
  const std::array<std::int32_t, 3> head{20240520, 1, 400};
  std::memcpy(bytes.data(), head.data(), sizeof head);
  for (int i = 0; i < 400; ++i) bytes += {static_cast<char>(i % 50), '\0'};
  const std::string path = (folder.path() / "a.bin").string();
  mutate(bytes, 1500, 300, [&](const std::string& text) {
    folder.write("a.bin", text);
    const data::Corpus corpus = data::load_text({path}, "ids:50", 8);
    for (const std::int32_t id : corpus.train) ASSERT_TRUE(id >= 0 && id < 50);
  });
}

TEST(TokenizerMutation, LinesAndArchives) {
  const TempFolder folder;
  std::string lines;
  for (int i = 0; i < 30; ++i) lines += "{\"id\": 7, \"text\": \"Gr\\u00fc\\u00dfe, 1\\n2\"}\n";
  std::string packed(ZSTD_compressBound(lines.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), lines.data(), lines.size(), 3));
  z_stream s{};
  std::string gz(4096, '\0');
  deflateInit2(&s, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  s.next_in = reinterpret_cast<Bytef*>(lines.data());
  s.avail_in = static_cast<uInt>(lines.size());
  s.next_out = reinterpret_cast<Bytef*>(gz.data());
  s.avail_out = static_cast<uInt>(gz.size());
  deflate(&s, Z_FINISH);
  gz.resize(s.total_out);
  deflateEnd(&s);
  for (const auto& [name, valid] : {std::pair<std::string, std::string>{"a.jsonl", lines},
                                    {"a.jsonl.zst", packed},
                                    {"a.jsonl.gz", gz}})
    mutate(valid, 800, 200, [&, path = (folder.path() / name).string()](const std::string& text) {
      folder.write(name, text);
      EXPECT_NE(data::read_text(path, 1 << 20), "");
    });
}

}  // namespace
}  // namespace train
