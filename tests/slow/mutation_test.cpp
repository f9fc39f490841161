// Files from outside, thousands of times a little wrong: each is an error, or means what it says.
// Never a crash, never silently something else.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/json.h"
#include "tests/slow/mutator.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"
#include "train/config/settings.h"
#include "train/storage/safetensors.h"

namespace train {
namespace {

using tests::mutate;
using tests::TempFolder;

TEST(Mutation, Safetensors) {
  const TempFolder folder;
  engine::Params params;
  params.declare("h.0.ln_1.weight", {6}, {engine::Init::Kind::kNormal, 1});
  params.declare("wte", {4, 3}, {engine::Init::Kind::kNormal, 1});
  params.declare("h.1.ln_1.weight", {6}, {engine::Init::Kind::kNormal, 1});
  params.allocate(1);
  const auto path = folder.path() / "w.safetensors";
  write_safetensors(path, params, {{"run", "0123456789abcdef"}});
  const TensorFile valid = read_safetensors(path);
  mutate(folder.read("w.safetensors"), 6000, 850, [&](const std::string& bytes) {
    folder.write("w.safetensors", bytes);
    const TensorFile read = read_safetensors(path);
    ASSERT_EQ(read.tensors.size(), valid.tensors.size());
    for (const auto& [name, t] : valid.tensors) {
      ASSERT_TRUE(read.tensors.contains(name)) << name;
      EXPECT_EQ(read.at(name).dtype, t.dtype);
      EXPECT_EQ(read.at(name).shape, t.shape);
      EXPECT_EQ(read.at(name).bytes, t.bytes);
    }
  });
}

TEST(Mutation, Config) {
  Settings s;
  s.seed = ~std::uint64_t{0};
  s.min_lr = 1e-5;
  s.text = "a book.txt";
  s.reg = "dropout:0.1@attn/mlp+drop_path:0.1~late:0.5";
  mutate(to_json(s).dump(2), 6000, 300, [&](const std::string& text) {
    const nlohmann::json json = base::parse_json(text, "config.json", "make it again");
    const Settings read = from_json(json, "config.json");
    const nlohmann::ordered_json again = to_json(read);
    EXPECT_EQ(from_json(again, "again"), read);
    for (const auto& [key, value] : json.items()) {
      ASSERT_TRUE(again.contains(key)) << key;
      if (key == "seed") {
        EXPECT_EQ(seed_from_json(value), read.seed);
      } else if (key == "reg" || key == "budget") {  // of several spellings one is kept
        Settings spelled;
        set(spelled, key, value.get<std::string>());
        EXPECT_EQ(key == "reg" ? spelled.reg : spelled.budget, again[key]);
      } else {
        EXPECT_EQ(nlohmann::json(again[key]), value) << key;
      }
    }
  });
}

TEST(Mutation, Text) {
  const TempFolder folder;
  for (const std::string kind : {"char", "byte"})
    mutate("Grüße, 10 Bäume – 2 € für 3 😀.\n" + tests::small_text(60), 3000,
           kind == "char" ? 100 : 1, [&](const std::string& text) {
             const std::string path = folder.write("text", text).string();
             const data::Corpus corpus = data::load_text({path}, kind, 4);
             EXPECT_EQ(corpus.decode(corpus.train) + corpus.decode(corpus.val.ids) +
                           corpus.decode(corpus.test.ids),
                       text);
           });
}

}  // namespace
}  // namespace train
