// The files beside a GPT-2 tokenizer's vocabulary, and files from before a key that has a default.
#include <gtest/gtest.h>

#include "base/files.h"
#include "data/tokenizer/byte_bpe.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"

namespace train {
namespace {

using Ids = std::vector<std::int32_t>;

const std::string kGolden = ISODROP_SOURCE_DIR "/tests/golden/bpe/";

base::Json golden(const char* name) {
  return base::Json::parse(base::read_file(kGolden + name, 1 << 24));
}

/// A folder with golden files and others.
class Folder {
 public:
  explicit Folder(const std::vector<std::string>& kept,
                  const base::Json& files = base::Json::object()) {
    for (const std::string& name : kept)
      folder_.write(name, base::read_file(kGolden + name, 1 << 24));
    for (const auto& [name, content] : files.items()) folder_.write(name, content.dump());
  }
  data::TokenizerPtr read() const {
    return data::byte_bpe_tokenizer(data::read_bpe(folder_.path().string()));
  }

 private:
  tests::TempFolder folder_;
};
const std::vector<std::string> kPair = {"vocab.json", "merges.txt"};

TEST(BpeAdded, SaysWhatTransformersSay) {
  const base::Json said = golden("added.json");
  EXPECT_GT(said["cases"].size(), 10U);
  for (const base::Json& c : said["cases"]) {
    const data::TokenizerPtr tokenizer = Folder(kPair, c["files"]).read();
    EXPECT_EQ(tokenizer->vocab(), c["vocab"]) << c["files"];
    const Ids ids = tokenizer->encode(said["text"].get<std::string>());
    EXPECT_EQ(ids, c["ids"].get<Ids>()) << c["files"];
    EXPECT_EQ(tokenizer->decode(ids), said["text"]);
    const data::TokenizerPtr kept = data::byte_bpe_tokenizer(
        data::parse_bpe_json(tokenizer->definition(), "as the run keeps it"));
    EXPECT_EQ(kept->encode(said["text"].get<std::string>()), ids) << c["files"];
  }
}

TEST(BpeAdded, StandBesideATokenizerJsonToo) {
  const data::TokenizerPtr tokenizer =
      Folder({"tokenizer.json"}, {{"added_tokens.json", {{"<|pad|>", 600}}}}).read();
  EXPECT_EQ(tokenizer->encode("a<|pad|>b"), (Ids{65, 600, 66}));
}

TEST(BpeAdded, WrongFilesAreNamed) {
  const auto refused = [](const char* file, const base::Json& content, const char* why) {
    SCOPED_TRACE(content.dump());
    EXPECT_ERROR(Folder(kPair, {{file, content}}).read(), why);
  };
  const char *config = "tokenizer_config.json", *map = "special_tokens_map.json",
             *added = "added_tokens.json";
  for (const char* file : {config, map, added, "tokenizer.json"})
    refused(file, base::Json::array({1}), file);
  refused(config, {{"tokenizer_class", "Qwen2Tokenizer"}}, "tokenizer_class is 'Qwen2Tokenizer'");
  refused(config, {{"tokenizer_class", 3}}, "tokenizer_class is '3'");
  refused(config, {{"add_prefix_space", true}}, "add_prefix_space");
  refused(config, {{"added_tokens_decoder", base::Json::array()}},
          "added_tokens_decoder is not an object");
  refused(config, {{"added_tokens_decoder", {{"6oo", "x"}}}}, "'6oo' in added_tokens_decoder");
  refused(config, {{"added_tokens_decoder", {{"600", base::Json::object()}}}}, "has no content");
  refused(config, {{"added_tokens_decoder", {{"600", {{"content", "x"}, {"rstrip", true}}}}}},
          "'x' has rstrip");
  refused(config, {{"pad_token", 5}}, "the token '5' has no content");
  refused(config, {{"additional_special_tokens", "x"}}, "additional_special_tokens is not a list");
  refused(map, {{"mask_token", {{"content", "<mask>"}, {"lstrip", true}}}}, "'<mask>' has lstrip");
  refused(map, {{"pad_token", ""}}, "a special token is empty");
  refused(added, {{"<|pad|>", 601}}, "'601' of '<|pad|>' is outside [0, 601)");
  refused(added, {{"<|pad|>", 5}}, "the id 5 is repeated");
  refused(added, {{"<|pad|>", "600"}}, "is not a whole number");
  refused(added, {{"a", 600}}, "'a' has two ids, 65 and 600");
  for (const char* name : {"GPT2Tokenizer", "GPT2TokenizerFast", "PreTrainedTokenizerFast"})
    EXPECT_EQ(Folder(kPair, {{config, {{"tokenizer_class", name}}}}).read()->vocab(), 600);
}

// GPT-2's own tokenizer.json is such a file.
TEST(ByteBpe, KeysWithADefaultMayBeLeftOut) {
  const base::Json whole = golden("tokenizer.json");
  const std::string text = "a b<|endoftext|>the rate of dropout";
  const auto read = [](const base::Json& json) {
    return data::byte_bpe_tokenizer(data::parse_bpe_json(json.dump(), "t.json"));
  };
  const Ids ids = read(whole)->encode(text);
  for (const char* key : {"type", "dropout", "unk_token", "continuing_subword_prefix",
                          "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges"}) {
    base::Json json = whole;
    EXPECT_EQ(json["model"].erase(key), 1U) << key;
    EXPECT_EQ(read(json)->encode(text), ids) << key;
  }
  for (const char* key : {"normalizer", "post_processor", "decoder", "version", "padding"}) {
    base::Json json = whole;
    json.erase(key);
    EXPECT_EQ(read(json)->encode(text), ids) << key;
  }
  base::Json json = whole;
  json["pre_tokenizer"].erase("use_regex");
  json["model"]["dropout"] = 0.0;
  EXPECT_EQ(read(json)->encode(text), ids);
  json["model"]["dropout"] = 0.1;
  EXPECT_ERROR(read(json), "the model has dropout");
  json = whole;
  json["model"].erase("type");
  json["model"].erase("merges");
  EXPECT_ERROR(read(json), "of no type, not BPE");
}

}  // namespace
}  // namespace train
