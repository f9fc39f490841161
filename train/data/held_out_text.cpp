#include "train/data/held_out_text.h"

#include <array>

#include "engine/error.h"
#include "engine/suggest.h"

namespace train {
namespace {

using engine::quote;
using engine::require;

/// A piece as LanguageModelling::encoding() writes it: a string, or a list of bytes.
std::string piece_from(const nlohmann::ordered_json& json, const std::string& folder) {
  if (json.is_string()) return json.get<std::string>();
  require(json.is_array(), folder, ": data.json: a piece is no text; train again");
  std::string piece;
  for (const auto& byte : json) {
    require(byte.is_number_unsigned() && byte < 256U, folder,
            ": data.json: a piece has a byte outside [0, 255]; train again");
    piece += static_cast<char>(byte.get<unsigned>());
  }
  return piece;
}

}  // namespace

Tokenizer tokenizer_of(const SavedRun& run) {
  const std::string folder = quote(run.folder.string());
  const auto& encoding = run.data.encoding;
  require(run.data.task == "lm", folder, ": was trained on the task ", quote(run.data.task),
          ", which has no text");
  require(encoding.contains("tokenizer") && encoding["tokenizer"].is_string() &&
              encoding.contains("pieces") && encoding["pieces"].is_array(),
          folder, ": data.json does not say how text is encoded; train again");
  const std::string name = encoding["tokenizer"];
  require(name == "byte" || name == "char", folder, ": data.json: unknown tokenizer ", quote(name),
          "; train again");
  std::vector<std::string> pieces;
  std::string all;
  for (const auto& piece : encoding["pieces"]) {
    pieces.push_back(piece_from(piece, folder));
    all += pieces.back();
  }
  // A vocabulary is the sorted symbols of its texts: of its own pieces it is itself.
  const std::array<Source, 1> source{Source{all, "data.json"}};
  Tokenizer tokenizer(name == "byte" ? TokenizerKind::kByte : TokenizerKind::kChar, source);
  require(!pieces.empty() && tokenizer.pieces() == pieces, folder,
          ": data.json: its pieces are not those of a tokenizer; train again");
  return tokenizer;
}

Corpus held_out_text(const SavedRun& run, const std::string& path) {
  const std::string text = read_text(path);
  Corpus corpus;
  corpus.name = path;
  corpus.codec = tokenizer_of(run);
  corpus.tokenizer = tokenizer_name(corpus.codec.kind());
  corpus.vocab = corpus.codec.vocab();
  corpus.val.ids = corpus.codec.encode(text, path);
  require(corpus.val.ids.size() > 1, path, ": holds ", corpus.val.ids.size(),
          " tokens; a model is asked for what follows one, so give at least 2");
  corpus.val.bytes_per_token =
      static_cast<double>(text.size()) / static_cast<double>(corpus.val.ids.size());
  corpus.test = corpus.val;
  corpus.train = corpus.val.ids;  // for shapes alone
  corpus.hash = hash_corpus(corpus);
  return corpus;
}

}  // namespace train
