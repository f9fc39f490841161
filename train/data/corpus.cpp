#include "train/data/corpus.h"

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <new>
#include <system_error>

#include "engine/error.h"
#include "train/hash.h"

namespace train {

using engine::concat;
using engine::Error;
using engine::require;

namespace {

namespace fs = std::filesystem;

void require_readable_kind(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  require(status.type() != fs::file_type::not_found, "no such file: '", path,
          "'; check the path, or leave it out to use the built-in corpus");
  require(!error, "cannot open '", path, "': ", error.message());
  require(status.type() != fs::file_type::directory, "'", path,
          "' is a folder; give a text file inside it");
  require(status.type() == fs::file_type::regular || status.type() == fs::file_type::fifo, "'",
          path, "' is a device or socket; give a text file");
}

/// Error unless a split holds a window of block_size inputs and the target behind the last.
void require_window(const Corpus& corpus, const std::vector<std::int32_t>& ids,
                    std::int64_t block_size, std::string_view split, std::string_view source) {
  // Not block_size + 1, which could overflow.
  require(static_cast<std::int64_t>(ids.size()) > block_size, source, ": the ", split,
          " split has ", ids.size(), " ", corpus.tokenizer, " tokens, block size ", block_size,
          " needs at least ", block_size, " + 1; use a longer text or a smaller --block-size");
}

double bytes_per_token(const std::vector<std::int32_t>& ids, const Tokenizer& codec) {
  std::size_t bytes = 0;
  for (const std::int32_t id : ids) bytes += codec.pieces()[static_cast<std::size_t>(id)].size();
  return static_cast<double>(bytes) / static_cast<double>(ids.size());
}

void require_different_files(const std::string& a, std::string_view a_is, const std::string& b,
                             std::string_view b_is) {
  std::error_code none;  // what is not there is refused when it is read
  require(a.empty() || b.empty() || !fs::equivalent(a, b, none), b_is, " '", b,
          "' is the same file as ", a_is, ": what is judged must not be what was ",
          a_is == "val" ? "chosen on" : "trained on", "; give another file, or leave ", b_is,
          " out to hold out the end of the text");
}

/// Cuts the last `share` of all `n` tokens off.
std::vector<std::int32_t> cut(std::vector<std::int32_t>& ids, std::size_t n, double before,
                              double share) {
  const auto at = [&](double rest) {
    return static_cast<std::size_t>(std::floor(static_cast<double>(n) * (1 - rest)));
  };
  const std::size_t begin = at(before + share);
  std::vector<std::int32_t> out(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end());
  ids.resize(begin);
  return out;
}

}  // namespace

std::string read_text(const std::string& path, std::int64_t max_bytes) {
  require_readable_kind(path);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                             &std::fclose);
  require(file != nullptr, "cannot open '", path, "': ", std::strerror(errno),
          "; check its permissions");
  // Read to the end rather than trust the size in the directory: a pipe has none, a file may grow.
  std::string text;
  std::array<char, std::size_t{1} << 16> chunk;
  for (std::size_t got = 1; got > 0;) {
    errno = 0;
    got = std::fread(chunk.data(), 1, chunk.size(), file.get());
    require(!std::ferror(file.get()), "cannot read '", path, "': ", std::strerror(errno));
    require(static_cast<std::int64_t>(text.size() + got) <= max_bytes, "'", path,
            "' is larger than ", max_bytes, " bytes; train on a part of it (head -c ", max_bytes,
            ")");
    try {
      text.append(chunk.data(), got);
    } catch (const std::bad_alloc&) {
      throw Error(concat("'", path, "' does not fit in memory; train on a part of it"));
    }
  }
  require(!text.empty(), "'", path, "' is empty; give a file with text in it");
  return text;
}

std::string hash_corpus(const Corpus& corpus) {
  Hash hash;
  hash.add(corpus.tokenizer);
  for (const std::string& piece : corpus.codec.pieces()) hash.add(piece);
  return hash.add(corpus.train).add(corpus.val.ids).add(corpus.test.ids).hex();
}

Corpus load_text(const TextSplits& splits, TokenizerKind kind, std::int64_t block_size) {
  const double val_share = splits.val.empty() ? splits.val_fraction : 0;
  const double test_share = splits.test.empty() ? splits.test_fraction : 0;
  require(splits.val_fraction > 0 && splits.val_fraction < 1, "validation share ",
          splits.val_fraction, " is outside (0, 1); 0.1 holds out a tenth");
  require(test_share >= 0 && val_share + test_share < 1, "validation share ", val_share,
          " and test share ", test_share,
          " leave nothing to train on; give --val-fraction and --test-fraction below 1 in all");
  require_different_files(splits.text, "text", splits.val, "val");
  require_different_files(splits.text, "text", splits.test, "test");
  require_different_files(splits.val, "val", splits.test, "test");
  const auto text_of = [](const std::string& path) {
    return path.empty() ? std::string() : read_text(path);
  };
  const std::array<std::string, 3> texts{read_text(splits.text), text_of(splits.val),
                                         text_of(splits.test)};
  const auto source_of = [&](const std::string& path) -> const std::string& {
    return path.empty() ? splits.text : path;
  };
  const std::array<Source, 3> sources{Source{texts[0], splits.text},
                                      Source{texts[1], source_of(splits.val)},
                                      Source{texts[2], source_of(splits.test)}};
  Corpus corpus;
  corpus.name = splits.text;
  corpus.tokenizer = tokenizer_name(kind);
  try {
    corpus.codec = Tokenizer(kind, sources);
    corpus.train = corpus.codec.encode(texts[0], splits.text);
    const std::size_t n = corpus.train.size();
    if (test_share > 0) corpus.test.ids = cut(corpus.train, n, 0, test_share);
    if (val_share > 0) corpus.val.ids = cut(corpus.train, n, test_share, val_share);
    if (!splits.val.empty()) corpus.val.ids = corpus.codec.encode(texts[1], splits.val);
    if (!splits.test.empty()) corpus.test.ids = corpus.codec.encode(texts[2], splits.test);
  } catch (const std::bad_alloc&) {
    throw Error(
        concat("'", splits.text, "' does not fit in memory as tokens; train on a part of it"));
  }
  corpus.vocab = corpus.codec.vocab();
  require_window(corpus, corpus.train, block_size, "training", splits.text);
  require_window(corpus, corpus.val.ids, block_size, "validation", sources[1].name);
  require(corpus.val.ids != corpus.test.ids, "validation and test (", sources[1].name, ", ",
          sources[2].name, ") are the same text; give another one");
  corpus.val.bytes_per_token = bytes_per_token(corpus.val.ids, corpus.codec);
  if (!splits.test.empty() || test_share > 0) {
    require_window(corpus, corpus.test.ids, block_size, "test", sources[2].name);
    corpus.test.bytes_per_token = bytes_per_token(corpus.test.ids, corpus.codec);
  }
  corpus.hash = hash_corpus(corpus);
  return corpus;
}

}  // namespace train
