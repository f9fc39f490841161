// The files of a byte-level BPE. Nothing in them is trusted.
#include <algorithm>
#include <filesystem>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "data/tokenizer/byte_bpe.h"

namespace data {
namespace {

namespace fs = std::filesystem;
using base::quote;
using base::require;

/// Collects what the files say and holds it against itself.
class Builder {
 public:
  explicit Builder(std::string source) : source_(std::move(source)) {}

  /// {"symbol": id, ...}
  void vocabulary(const base::Json& json) {
    require(json.is_object() && !json.empty(), source_,
            ": the vocabulary is not an object of ids; ", kGpt2Kind);
    files_.symbols.resize(json.size());
    for (const auto& [symbol, id] : json.items()) place(symbol, id, json.size());
  }

  /// A token beside the vocabulary, or of it, that is never cut.
  void special(const AddedToken& token) {
    require(!token.content.empty(), source_, ": a special token is empty; leave it out");
    if (!ids_.contains(token.content)) {
      files_.symbols.emplace_back();
      const std::size_t vocab = files_.symbols.size();
      place(token.content, token.id.is_null() ? base::Json(vocab - 1) : token.id, vocab);
    }
    const std::int32_t number = ids_.at(token.content);
    require(token.id.is_null() || token.id == number, source_, ": the special token ",
            quote(token.content), " has two ids, ", number, " and ", token.id.dump(),
            "; make them one");
    if (std::find(files_.special.begin(), files_.special.end(), number) == files_.special.end())
      files_.special.push_back(number);
  }
  bool has(std::string_view symbol) const { return ids_.contains(std::string(symbol)); }

  void merge(const std::string& a, const std::string& b, std::size_t number) {
    const auto id = [&](const std::string& symbol) {
      const auto at = ids_.find(symbol);
      require(at != ids_.end(), source_, ": merge ", number, " (", quote(a + " " + b),
              "): ", quote(symbol), " is not in the vocabulary; the files are of two tokenizers");
      return at->second;
    };
    const std::pair<std::int32_t, std::int32_t> pair{id(a), id(b)};
    require(merges_.insert(pair).second, source_, ": merge ", number, " (", quote(a + " " + b),
            ") is repeated; leave one out");
    files_.merges.push_back(pair);
    files_.merged.push_back(id(a + b));
  }
  /// "a b"
  void merge_line(std::string_view line, std::size_t number) {
    const auto blank = line.find(' ');
    require(blank != line.npos && blank > 0 && blank + 1 < line.size() &&
                line.find(' ', blank + 1) == line.npos,
            source_, ": merge ", number, " (", quote(line),
            ") is not two symbols with a blank between; ", kGpt2Kind);
    merge(std::string(line.substr(0, blank)), std::string(line.substr(blank + 1)), number);
  }

  BpeFiles done() {
    std::sort(files_.special.begin(), files_.special.end());
    std::set<std::int32_t> merged(files_.special.begin(), files_.special.end());
    std::string bytes;
    for (std::size_t id = 0; id < files_.symbols.size(); ++id)
      require(
          merged.contains(static_cast<std::int32_t>(id)) || symbol_bytes(files_.symbols[id], bytes),
          source_, ": the symbol ", quote(files_.symbols[id]),
          " is not of the byte-level alphabet; ", kGpt2Kind);
    return std::move(files_);
  }

 private:
  void place(const std::string& symbol, const base::Json& id, std::size_t vocab) {
    require(id.is_number_unsigned() && id.get<std::uint64_t>() < vocab, source_, ": the id ",
            quote(id.dump()), " of ", quote(symbol), " is outside [0, ", vocab,
            "): ids must be numbered without gaps");
    const auto number = id.get<std::size_t>();
    require(files_.symbols[number].empty() && !symbol.empty(), source_, ": the id ", number,
            " is repeated or has no symbol; give each symbol its own id");
    files_.symbols[number] = symbol;
    ids_.emplace(symbol, static_cast<std::int32_t>(number));
  }

  std::string source_;
  BpeFiles files_;
  std::unordered_map<std::string, std::int32_t> ids_;
  std::set<std::pair<std::int32_t, std::int32_t>> merges_;
};

BpeFiles read_pair(const fs::path& vocab, const fs::path& merges) {
  const std::string text = read_bpe_file(vocab.string());
  Builder builder(vocab.parent_path().string());
  builder.vocabulary(base::parse_json(text, vocab.string(), kGpt2Kind));
  const std::string lines = read_bpe_file(merges.string());
  std::size_t number = 0;
  for (std::string_view rest = lines; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    const bool head = ++number == 1 && line.starts_with("#version");
    if (!head && !line.empty()) builder.merge_line(line, number);
  }
  for (const AddedToken& token : added_tokens_beside(vocab.parent_path())) builder.special(token);
  if (builder.has(kEndOfText)) builder.special({std::string(kEndOfText), nullptr});
  return builder.done();
}

Builder read_json_text(const std::string& text, const std::string& source) {
  const base::Json json = base::parse_json(text, source, kGpt2Kind);
  const auto need = [&](bool ok, const auto&... why) {
    require(ok, source, ": ", why..., "; ", kGpt2Kind);
  };
  const auto off = [](const base::Json& object, const char* key) {
    return !object.contains(key) || object[key].is_null() || object[key] == false ||
           object[key] == "" || object[key] == 0;
  };
  need(json.is_object() && json.contains("model") && json["model"].is_object(),
       "not a tokenizer.json (no object 'model')");
  const base::Json& model = json["model"];
  // Older files, GPT-2's own among them, have no type: of the kinds of models BPE alone has merges.
  const base::Json type =
      model.value("type", model.contains("merges") ? base::Json("BPE") : base::Json(nullptr));
  need(type == "BPE", "the model is ", type.is_null() ? "of no type" : type.dump(), ", not BPE");
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix",
                          "byte_fallback", "ignore_merges"})
    need(off(model, key), "the model has ", key, ", which is not read here");
  need(off(json, "normalizer"), "it has a normalizer, so text would not come back");
  const base::Json pre = json.value("pre_tokenizer", base::Json(nullptr));
  need(pre.is_object() && pre.contains("type") && pre["type"] == "ByteLevel" &&
           (!pre.contains("use_regex") || pre["use_regex"] == true),
       "its pre_tokenizer is not ByteLevel with GPT-2's pattern");
  need(off(pre, "add_prefix_space"), "it puts a blank before every text (add_prefix_space)");
  need(model.contains("vocab") && model.contains("merges") && model["merges"].is_array(),
       "the model has no vocab, or no list of merges");
  Builder builder(source);
  builder.vocabulary(model["vocab"]);
  std::size_t number = 0;
  for (const base::Json& merge : model["merges"]) {
    ++number;
    if (merge.is_string()) {
      builder.merge_line(merge.get_ref<const std::string&>(), number);
    } else {
      need(merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string(),
           "merge ", number, " is neither a string nor two of them");
      builder.merge(merge[0], merge[1], number);
    }
  }
  for (const AddedToken& token : added_tokens_of(json, source)) builder.special(token);
  return builder;
}

}  // namespace

BpeFiles parse_bpe_json(const std::string& text, const std::string& source) {
  return read_json_text(text, source).done();
}

BpeFiles read_bpe(const std::string& path) {
  const fs::path at = path;
  std::error_code none;  // what is not there is refused when it is read
  if (!fs::is_directory(at, none)) return parse_bpe_json(read_bpe_file(path), path);
  const bool pair = fs::exists(at / "vocab.json", none);
  if (pair || fs::exists(at / "merges.txt", none))
    return read_pair(at / "vocab.json", at / "merges.txt");
  const fs::path json = at / "tokenizer.json";
  require(fs::exists(json, none), quote(path),
          ": holds neither vocab.json with merges.txt nor tokenizer.json; give the folder of a "
          "GPT-2 tokenizer");
  Builder builder = read_json_text(read_bpe_file(json.string()), json.string());
  for (const AddedToken& token : added_tokens_beside(at)) builder.special(token);
  return builder.done();
}

std::string bpe_json(const BpeFiles& files) {
  base::Json vocab = base::Json::object(), merges = base::Json::array(),
             added = base::Json::array();
  // Keys of an ordered object are sought one by one when they are put in by [].
  for (std::size_t id = 0; id < files.symbols.size(); ++id)
    vocab.get_ref<base::Json::object_t&>().push_back({files.symbols[id], id});
  const auto symbol = [&](std::int32_t id) { return files.symbols[static_cast<std::size_t>(id)]; };
  for (const auto& [a, b] : files.merges) merges.push_back(symbol(a) + " " + symbol(b));
  for (const std::int32_t id : files.special)
    added.push_back({{"id", id},
                     {"content", symbol(id)},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  const base::Json level = {{"type", "ByteLevel"},
                            {"add_prefix_space", false},
                            {"trim_offsets", true},
                            {"use_regex", true}};
  const base::Json json = {{"version", "1.0"},
                           {"truncation", nullptr},
                           {"padding", nullptr},
                           {"added_tokens", std::move(added)},
                           {"normalizer", nullptr},
                           {"pre_tokenizer", level},
                           {"post_processor", nullptr},
                           {"decoder", level},
                           {"model",
                            {{"type", "BPE"},
                             {"dropout", nullptr},
                             {"unk_token", nullptr},
                             {"continuing_subword_prefix", nullptr},
                             {"end_of_word_suffix", nullptr},
                             {"fuse_unk", false},
                             {"byte_fallback", false},
                             {"vocab", std::move(vocab)},
                             {"merges", std::move(merges)}}}};
  return json.dump() + "\n";
}

}  // namespace data
