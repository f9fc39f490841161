// Added tokens of a byte-level BPE.
#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"
#include "data/tokenizer/byte_bpe.h"

namespace data {
namespace {

namespace fs = std::filesystem;
using base::quote;
using base::require;

/// The special tokens, in the order in which new ones get their ids.
constexpr const char* kSpecial[] = {"bos_token", "eos_token", "unk_token", "sep_token",
                                    "pad_token", "cls_token", "mask_token"};
constexpr const char* kFurther = "additional_special_tokens";
/// transformers' tokenizers that read a vocab.json with GPT-2's pattern, with or without "Fast".
constexpr std::string_view kClasses[] = {"GPT2Tokenizer", "RobertaTokenizer", "BartTokenizer",
                                         "CodeGenTokenizer", "PreTrainedTokenizer"};

base::Json object_in(const fs::path& path) {
  std::error_code none;  // what is not there says nothing
  if (!fs::exists(path, none)) return base::Json::object();
  base::Json json = base::parse_json(read_bpe_file(path.string()), path.string(), kGpt2Kind);
  require(json.is_object(), path.string(), ": is not a JSON object; ", kGpt2Kind);
  return json;
}

/// A token is a string or an object with its `content`.
std::string content_of(const base::Json& token, const std::string& source) {
  if (token.is_string()) return token.get<std::string>();
  require(token.is_object() && token.contains("content") && token["content"].is_string(), source,
          ": the token ", quote(token.dump()), " has no content; ", kGpt2Kind);
  const std::string content = token["content"];
  for (const char* key : {"lstrip", "rstrip", "single_word"})
    require(!token.contains(key) || token[key].is_null() || token[key] == false, source,
            ": the added token ", quote(content), " has ", key, ", which is not read here; ",
            kGpt2Kind);
  return content;
}

base::Json number(const std::string& text, const std::string& source) {
  std::uint64_t id = 0;
  require(base::parse_number(text, id) == std::errc{}, source, ": ", quote(text),
          " in added_tokens_decoder is not an id; ", kGpt2Kind);
  return id;
}

void sort_by_id(std::vector<AddedToken>& tokens) {
  std::sort(tokens.begin(), tokens.end(), [](const AddedToken& a, const AddedToken& b) {
    return a.id.get<std::uint64_t>() < b.id.get<std::uint64_t>();
  });
}

/// The files must be of a tokenizer that makes of a text what this one does.
void check_kind(const base::Json& config, const std::string& source) {
  const base::Json given = config.value("tokenizer_class", base::Json("GPT2Tokenizer"));
  const std::string name = given.is_string() ? given.get<std::string>() : given.dump();
  std::string_view bare = name;
  if (bare.ends_with("Fast")) bare.remove_suffix(4);
  require(std::find(std::begin(kClasses), std::end(kClasses), bare) != std::end(kClasses), source,
          ": tokenizer_class is ", quote(name), ", which splits text differently; ", kGpt2Kind);
  const base::Json prefix = config.value("add_prefix_space", base::Json(false));
  require(prefix.is_null() || prefix == false, source,
          ": it puts a blank before every text (add_prefix_space); ", kGpt2Kind);
}

}  // namespace

std::string read_bpe_file(const std::string& path) {
  return base::read_file(path, kMostBpeBytes, "check the path", base::Whose::kFolder);
}

std::vector<AddedToken> added_tokens_of(const base::Json& tokenizer, const std::string& source) {
  const base::Json list = tokenizer.value("added_tokens", base::Json::array());
  require(list.is_array(), source, ": added_tokens is not a list; ", kGpt2Kind);
  std::vector<AddedToken> out;
  for (const base::Json& token : list) {
    require(token.is_object() && token.contains("id") && token["id"].is_number_unsigned(), source,
            ": an added token has no content, or no id; ", kGpt2Kind);
    out.push_back({content_of(token, source), token["id"]});
  }
  sort_by_id(out);
  return out;
}

std::vector<AddedToken> added_tokens_beside(const fs::path& folder) {
  const fs::path config_file = folder / "tokenizer_config.json",
                 map_file = folder / "special_tokens_map.json",
                 added_file = folder / "added_tokens.json", one_file = folder / "tokenizer.json";
  const base::Json config = object_in(config_file);
  check_kind(config, config_file.string());
  std::vector<AddedToken> out;
  base::Json map = base::Json::object();
  if (const auto listed = config.find("added_tokens_decoder"); listed != config.end()) {
    require(listed->is_object(), config_file.string(), ": added_tokens_decoder is not an object; ",
            kGpt2Kind);
    for (const auto& [id, token] : listed->items())
      out.push_back({content_of(token, config_file.string()), number(id, config_file.string())});
  } else {
    map = object_in(map_file);
    const base::Json added = object_in(added_file);
    for (const auto& [content, id] : added.items()) {
      require(id.is_number_unsigned(), added_file.string(), ": the id ", quote(id.dump()), " of ",
              quote(content), " is not a whole number; ", kGpt2Kind);
      out.push_back({content, id});
    }
    for (AddedToken& token : added_tokens_of(object_in(one_file), one_file.string()))
      out.push_back(std::move(token));
  }
  sort_by_id(out);
  const auto name = [&](const base::Json& token, const fs::path& file) {
    if (!token.is_null()) out.push_back({content_of(token, file.string()), nullptr});
  };
  for (const char* key : kSpecial) {
    if (map.contains(key))
      name(map[key], map_file);
    else if (config.contains(key))
      name(config[key], config_file);
  }
  const auto names = [&](const base::Json& json, const fs::path& file) {
    const base::Json further = json.value(kFurther, base::Json(nullptr));
    require(further.is_null() || further.is_array(), file.string(), ": ", kFurther,
            " is not a list; ", kGpt2Kind);
    for (const base::Json& token : further) name(token, file);
  };
  names(config, config_file);
  names(map, map_file);
  return out;
}

}  // namespace data
