#include "data/text/corpus.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <new>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/text/tokens.h"
#include "data/tokenizer/tokenizer.h"

namespace data {

using base::concat;
using base::Error;
using base::require;

namespace {

constexpr std::size_t kIdsAtOnce = 1 << 16;  // ids

/// Hands the ids to `part`, some at a time, as 32-bit numbers.
template <class F>
void for_each_part(TokenSpan ids, const F& part) {
  std::vector<std::int32_t> some(std::min(kIdsAtOnce, ids.size()));
  for (std::size_t at = 0; at < ids.size(); at += some.size()) {
    const std::size_t count = std::min(some.size(), ids.size() - at);
    ids.copy(at, count, some.data());
    part(std::span(some).first(count));
  }
}

/// Error unless a split holds a window of block_size inputs and the target behind the last.
void require_window(const Corpus& corpus, const Tokens& ids, std::int64_t block_size,
                    std::string_view split, std::string_view source) {
  // Not block_size + 1, which could overflow.
  require(static_cast<std::int64_t>(ids.size()) > block_size, source, ": the ", split,
          " split has ", ids.size(), " ", corpus.tokenizer, ids.size() == 1 ? " token" : " tokens",
          ", block size ", block_size, " needs at least ", block_size,
          " + 1; use a longer text or a smaller --block-size");
}

/// Why split `b` must differ from `a`, and the way out.
std::string judged(std::string_view a, std::string_view b) {
  return concat("; test it on data that was not used for ", a == "val" ? "tuning" : "training",
                ": give another file, or leave out ", b, " to hold out the end of the text");
}

/// Error if two splits have the same contents, packed or not.
template <class Whole>
void require_different(const Whole& a, std::string_view a_is, const Whole& b, std::string_view b_is,
                       const std::string& file) {
  require(b.size() == 0 || !(a == b), b_is, " '", file, "' has the same contents as ", a_is,
          judged(a_is, b_is));
}

void require_different_files(const std::string& a, std::string_view a_is, const std::string& b,
                             std::string_view b_is) {
  const std::string shared = shared_file(a, b);
  require(shared.empty(), b_is, " '", b, "' has a file in common with ", a_is, ": ", shared,
          judged(a_is, b_is));
}

/// Where the splits end that are cut off `n`: training, then validation.
struct Cuts {
  std::size_t train, val;
};
Cuts cuts(std::size_t n, double val_share, double test_share) {
  const auto at = [&](double rest) {
    return static_cast<std::size_t>(std::floor(static_cast<double>(n) * (1 - rest)));
  };
  const std::size_t test = test_share > 0 ? at(0 + test_share) : n;
  return {val_share > 0 ? at(test_share + val_share) : test, test};
}

/// Where of the text's first characters the last one ends.
std::size_t bytes_of(std::string_view text, std::size_t characters) {
  std::size_t at = 0;
  for (std::size_t n = 0; n < characters; ++n) next_code_point(text, at);
  return at;
}

/// A split as text: of which documents it is a part, and from where on.
struct TextPart {
  const Documents* of;
  std::size_t begin;
  std::string_view text;
};
struct Texts {
  std::array<Documents, 3> read;  // text, val, test
  std::array<TextPart, 3> parts;  // train, val, test
};

void read_texts(const TextSplits& splits, bool bytes, double val_share, double test_share,
                Texts& out) {
  auto& read = out.read;
  auto &text = read[0], &val = read[1], &test = read[2];
  text = read_documents(splits.text);
  if (!splits.val.empty()) val = read_documents(splits.val);
  if (!splits.test.empty()) test = read_documents(splits.test);
  require_different(text.text, "text", val.text, "val", splits.val);
  require_different(text.text, "text", test.text, "test", splits.test);
  require_different(val.text, "val", test.text, "test", splits.test);
  const std::string_view all = text.text;
  const std::size_t n =
      bytes ? all.size() : text.naming_files(0, [&] { return require_utf8(all, splits.text); });
  Cuts at = cuts(n, val_share, test_share);
  if (!bytes && n != all.size()) at = {bytes_of(all, at.train), bytes_of(all, at.val)};
  const auto part = [&](std::size_t from, std::size_t to) {
    return TextPart{&text, from, all.substr(from, to - from)};
  };
  out.parts = {part(0, at.train),
               splits.val.empty() ? part(at.train, at.val) : TextPart{&val, 0, val.text},
               splits.test.empty() ? part(at.val, all.size()) : TextPart{&test, 0, test.text}};
}

void load_texts(Corpus& corpus, const TextSplits& splits, const std::array<std::string, 3>& names,
                const TokenizerChoice& choice, double val_share, double test_share) {
  require(!choice.kind->numbers, "tokenizer=", corpus.tokenizer,
          " reads token ids: ", base::quote(splits.text),
          " is text; give a .bin, or another tokenizer");
  try {
    Texts t;
    read_texts(splits, corpus.tokenizer == "byte", val_share, test_share, t);
    std::array<Source, 3> sources;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const TextPart& part = t.parts[i];
      if (corpus.tokenizer != "byte" && part.of != t.read.data())
        part.of->naming_files(part.begin, [&] { require_utf8(part.text, names[i]); });
      sources[i] = {part.text, names[i]};
    }
    corpus.codec = choice.kind->make(choice.argument, sources);
    const std::array<Tokens*, 3> ids = {&corpus.train, &corpus.val.ids, &corpus.test.ids};
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const TextPart& part = t.parts[i];
      *ids[i] = part.of->naming_files(
          part.begin, [&] { return encode_text(*corpus.codec, part.text, names[i]); });
    }
  } catch (const std::bad_alloc&) {
    throw Error(
        concat("'", splits.text, "' does not fit in memory as tokens; train on a part of it"));
  }
}

void load_ids(Corpus& corpus, const TextSplits& splits, const TokenizerChoice& choice,
              double val_share, double test_share) {
  for (const std::string& path : {splits.text, splits.val, splits.test})
    require(path.empty() || is_token_file(path), "'", path, "' is text and '", splits.text,
            "' token ids; give all splits as .bin, or all as text");
  const bool plain = choice.kind->name == "char";
  require(plain || choice.kind->numbers || !choice.argument.empty(), "tokenizer=", corpus.tokenizer,
          ": '", splits.text,
          "' holds token ids; give --tokenizer ids, or the sp:FILE.model or gpt2:FOLDER that they "
          "are of");
  require(
      corpus.tokenizer != "sp" ||
          choice.argument.find_first_not_of("0123456789") != std::string::npos,
      "tokenizer=sp:", choice.argument, ": '", splits.text,
      "' holds token ids, not text to train a tokenizer on; give the sp:FILE.model that made them");
  const auto ids_of = [&](const std::string& path) {
    return path.empty() ? Tokens() : map_tokens(path, splits.bin_type);
  };
  const Tokens all = ids_of(splits.text), val = ids_of(splits.val), test = ids_of(splits.test);
  require_different(all, "text", val, "val", splits.val);
  require_different(all, "text", test, "test", splits.test);
  require_different(val, "val", test, "test", splits.test);
  const Cuts at = cuts(all.size(), val_share, test_share);
  corpus.train = all.part(0, at.train);
  corpus.val.ids = splits.val.empty() ? all.part(at.train, at.val - at.train) : val;
  corpus.test.ids = splits.test.empty() ? all.part(at.val, all.size() - at.val) : test;
  corpus.codec = plain ? number_tokenizer(kMostIds) : choice.kind->make(choice.argument, {});
  corpus.tokenizer = corpus.codec->name();
}

/// The hash before the vocabulary is known, and the highest id.
struct Scan {
  base::Hash hash;
  std::uint32_t highest = 0;  // negative ids count as the highest
};
Scan scan(const Corpus& corpus) {
  Scan s;
  s.hash.add(corpus.tokenizer);
  for (const std::string& piece : corpus.pieces()) s.hash.add(piece);
  for (const Tokens* ids : {&corpus.train, &corpus.val.ids, &corpus.test.ids}) {
    s.hash.begin(ids->size() * sizeof(std::int32_t));
    for_each_part(*ids, [&](std::span<const std::int32_t> part) {
      s.hash.part(std::as_bytes(part));
      for (const std::int32_t id : part)
        s.highest = std::max(s.highest, static_cast<std::uint32_t>(id));
    });
  }
  return s;
}

std::string finish(base::Hash& hash, const Corpus& corpus) {
  // char and byte are in their pieces; their hashes are older than other tokenizers.
  if (corpus.codec && corpus.pieces().empty()) hash.add(std::to_string(corpus.vocab));
  if (corpus.codec && !corpus.codec->definition().empty()) hash.add(corpus.codec->definition());
  return hash.hex();
}

}  // namespace

const std::vector<std::string>& Corpus::pieces() const {
  static const std::vector<std::string> none;
  return codec ? codec->pieces() : none;
}

Tokens encode_text(const Tokenizer& codec, std::string_view text, const std::string& name,
                   Memory memory) {
  // Exact for bytes and characters; other tokens rarely have fewer than the four bytes of an id.
  double tokens = static_cast<double>(text.size()) / sizeof(std::int32_t);
  if (codec.name() == "byte")
    tokens = static_cast<double>(text.size());
  else if (codec.name() == "char")
    tokens = static_cast<double>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  require_room(name, tokens * sizeof(std::int32_t), memory);
  return codec.encode(text, name);
}

std::optional<double> bytes_per_token(TokenSpan ids, const Tokenizer& codec) {
  if (codec.pieces().empty()) return {};
  std::size_t bytes = 0;
  for_each_part(ids, [&](std::span<const std::int32_t> part) {
    for (const std::int32_t id : part) bytes += codec.pieces()[static_cast<std::size_t>(id)].size();
  });
  return static_cast<double>(bytes) / static_cast<double>(ids.size());
}

void complete(Corpus& corpus) {
  Scan s = scan(corpus);
  if (corpus.codec->vocab() == kMostIds && s.highest < kMostIds)
    corpus.codec = number_tokenizer(std::int64_t{s.highest} + 1);
  corpus.vocab = corpus.codec->vocab();
  require(s.highest < corpus.vocab, "'", corpus.name, "': the id ", s.highest,
          " is outside the vocabulary [0, ", corpus.vocab, ") of tokenizer ", corpus.tokenizer,
          "; give the tokenizer that made the ids, or --tokenizer ids");
  corpus.val.bytes_per_token = bytes_per_token(corpus.val.ids, *corpus.codec);
  if (!corpus.test.ids.empty())
    corpus.test.bytes_per_token = bytes_per_token(corpus.test.ids, *corpus.codec);
  corpus.hash = finish(s.hash, corpus);
}

std::string hash_corpus(const Corpus& corpus) {
  Scan s = scan(corpus);
  return finish(s.hash, corpus);
}

Corpus load_text(const TextSplits& splits, const std::string& tokenizer, std::int64_t block_size) {
  require_there(splits.text, "--text", ", or leave the flag out to use the built-in corpus");
  for (const auto& [flag, path] : {std::pair("--val", &splits.val), {"--test", &splits.test}})
    if (!path->empty())
      require_there(*path, flag, ", or leave the flag out to hold out the end of the text");
  const TokenizerChoice choice = parse_tokenizer(tokenizer);
  const double val_share = splits.val.empty() ? splits.val_fraction : 0;
  const double test_share = splits.test.empty() ? splits.test_fraction : 0;
  require(splits.val_fraction > 0 && splits.val_fraction < 1, "validation share ",
          splits.val_fraction, " is outside (0, 1); 0.1 holds out a tenth");
  require(
      test_share >= 0 && val_share + test_share < 1, "validation share ", val_share,
      " and test share ", test_share,
      " leave nothing to train on; the sum of --val-fraction and --test-fraction must be below 1");
  require_different_files(splits.text, "text", splits.val, "val");
  require_different_files(splits.text, "text", splits.test, "test");
  require_different_files(splits.val, "val", splits.test, "test");
  Corpus corpus;
  corpus.name = splits.text;
  corpus.tokenizer = choice.kind->name;
  const std::array<std::string, 3> names{splits.text, splits.val.empty() ? splits.text : splits.val,
                                         splits.test.empty() ? splits.text : splits.test};
  if (is_token_file(splits.text))
    load_ids(corpus, splits, choice, val_share, test_share);
  else
    load_texts(corpus, splits, names, choice, val_share, test_share);
  require_window(corpus, corpus.train, block_size, "training", splits.text);
  require_window(corpus, corpus.val.ids, block_size, "validation", names[1]);
  if (!splits.test.empty() || test_share > 0)
    require_window(corpus, corpus.test.ids, block_size, "test", names[2]);
  require(!(corpus.val.ids == corpus.test.ids), "validation and test (", names[1], ", ", names[2],
          ") are the same text; give another one");
  complete(corpus);
  return corpus;
}

}  // namespace data
