#include "train/storage/held_out_text.h"

#include <algorithm>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/text/tokens.h"
#include "data/tokenizer/tokenizer.h"

namespace train {
namespace {

using base::quote;
using base::require;

/// A piece as LanguageModelling::encoding() writes it: a string, or a list of bytes.
std::string piece_from(const nlohmann::ordered_json& json, const std::string& folder) {
  if (json.is_string()) return json.get<std::string>();
  require(json.is_array(), folder, ": data.json: a piece is not text; train again");
  std::string piece;
  for (const auto& byte : json) {
    require(byte.is_number_unsigned() && byte < 256U, folder,
            ": data.json: a piece has a byte outside [0, 255]; train again");
    piece += static_cast<char>(byte.get<unsigned>());
  }
  return piece;
}

/// Whether documents may have <|endoftext|> between them.
bool knows_separator(const data::Tokenizer& codec) {
  try {
    return !codec.encode(data::kEndOfText).empty();
  } catch (const data::BadText&) {
    return false;
  }
}

data::Tokens encode_file(const data::Tokenizer& codec, const std::string& path) {
  const bool separated = codec.pieces().empty() || knows_separator(codec);
  const data::Documents all =
      data::read_documents(path, separated ? data::kEndOfText : std::string_view());
  return all.naming_files(0, [&] { return data::encode_text(codec, all.text, path); });
}

}  // namespace

Settings with_own_tokenizer(const BegunRun& run, Settings settings) {
  const std::string_view file = data::parse_tokenizer(settings.tokenizer).kind->file;
  std::error_code none;  // without its own one the setting's will do
  if (settings.tokenizer == run.settings.tokenizer && !file.empty() &&
      std::filesystem::exists(run.folder / file, none))
    settings.tokenizer = base::concat(data::parse_tokenizer(settings.tokenizer).kind->name, ":",
                                      (run.folder / file).string());
  return settings;
}

data::TokenizerPtr tokenizer_of(const SavedRun& run) {
  const std::string folder = quote(run.folder.string());
  const auto& encoding = run.data.encoding;
  require(run.data.task == "lm", folder, ": was trained on the task ", quote(run.data.task),
          ", which has no text");
  const auto need = [&](bool ok) {
    require(ok, folder, ": data.json does not say how text is encoded; train again");
  };
  need(encoding.contains("tokenizer") && encoding["tokenizer"].is_string());
  const std::string name = encoding["tokenizer"];
  const auto kinds = data::tokenizer_kinds();
  const auto kind = std::find_if(kinds.begin(), kinds.end(),
                                 [&](const data::TokenizerKind& k) { return k.name == name; });
  require(kind != kinds.end(), folder, ": data.json: unknown tokenizer ", quote(name),
          "; train again");
  data::KeptTokenizer kept;
  kept.source = folder + ": data.json";
  if (!kind->file.empty()) {
    const auto file = run.folder / kind->file;
    need(encoding.contains("hash") && encoding["hash"].is_string());
    require(std::filesystem::exists(file), "no such file: ", quote(file.string()),
            "; it is part of the run: train again");
    kept.definition = base::read_whole(file, base::Whose::kFolder, data::kMostTextBytes);
    kept.source = file.string();
    require(base::Hash().add(kept.definition).hex() == encoding["hash"], kept.source,
            ": not the tokenizer that data.json describes; restore it, or train again");
  } else if (kind->numbers) {
    need(encoding.contains("vocab") && encoding["vocab"].is_number_unsigned() &&
         encoding["vocab"] > 0U && encoding["vocab"] <= static_cast<std::uint64_t>(data::kMostIds));
    kept.vocab = encoding["vocab"];
  } else {
    need(encoding.contains("pieces") && encoding["pieces"].is_array());
    for (const auto& piece : encoding["pieces"]) kept.pieces.push_back(piece_from(piece, folder));
  }
  return kind->restore(kept);
}

data::Corpus held_out_text(const SavedRun& run, const std::string& path,
                           std::string_view bin_type) {
  data::Corpus corpus;
  corpus.name = path;
  corpus.codec = tokenizer_of(run);
  corpus.tokenizer = corpus.codec->name();
  corpus.val.ids = data::is_token_file(path) ? data::map_tokens(path, bin_type)
                                             : encode_file(*corpus.codec, path);
  require(corpus.val.ids.size() > 1, path, ": holds ", corpus.val.ids.size(),
          " tokens; a model predicts the next one, so give at least 2");
  corpus.train = corpus.val.ids;  // for shapes alone
  complete(corpus);
  corpus.test = corpus.val;
  return corpus;
}

}  // namespace train
