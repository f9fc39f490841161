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

std::int64_t size(const std::vector<std::int32_t>& tokens) {
  return static_cast<std::int64_t>(tokens.size());
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

void require_window(const Corpus& corpus, std::int64_t block_size, std::string_view train_source,
                    std::string_view val_source) {
  require(block_size >= 1, "block size ", block_size, ": a window needs at least 1 token");
  const auto check = [&](std::int64_t tokens, std::string_view split, std::string_view source) {
    // Not block_size + 1, which could overflow.
    require(tokens > block_size, source, ": the ", split, " split has ", tokens, " ",
            corpus.tokenizer, " tokens, block size ", block_size, " needs at least ", block_size,
            " + 1; use a longer text or a smaller --block-size");
  };
  check(size(corpus.train), "training", train_source);
  check(size(corpus.val), "validation", val_source);
}

std::string hash_corpus(const Corpus& corpus) {
  Hash hash;
  hash.add(corpus.tokenizer);
  for (const std::string& piece : corpus.codec.pieces()) hash.add(piece);
  return hash.add(corpus.train).add(corpus.val).hex();
}

Corpus load_text(const std::string& text_path, const std::optional<std::string>& val_path,
                 TokenizerKind kind, std::int64_t block_size, double val_fraction) {
  require(val_path || (val_fraction > 0 && val_fraction < 1), "validation share ", val_fraction,
          " is outside (0, 1); 0.1 holds out the last tenth");
  const std::string text = read_text(text_path);
  const std::string val_text = val_path ? read_text(*val_path) : std::string();
  const std::array<Source, 2> sources{Source{text, text_path},
                                      Source{val_text, val_path ? *val_path : text_path}};
  Corpus corpus;
  corpus.name = text_path;
  corpus.tokenizer = tokenizer_name(kind);
  try {
    corpus.codec = Tokenizer(kind, sources);
    corpus.train = corpus.codec.encode(text, text_path);
    if (val_path) {
      corpus.val = corpus.codec.encode(val_text, *val_path);
    } else {
      const auto split = static_cast<std::ptrdiff_t>(
          std::floor(static_cast<double>(corpus.train.size()) * (1 - val_fraction)));
      corpus.val.assign(corpus.train.begin() + split, corpus.train.end());
      corpus.train.resize(static_cast<std::size_t>(split));
    }
  } catch (const std::bad_alloc&) {
    throw Error(
        concat("'", text_path, "' does not fit in memory as tokens; train on a part of it"));
  }
  corpus.vocab = corpus.codec.vocab();
  require_window(corpus, block_size, sources[0].name, sources[1].name);
  std::size_t bytes = 0;
  for (const std::int32_t id : corpus.val)
    bytes += corpus.codec.pieces()[static_cast<std::size_t>(id)].size();
  corpus.val_bytes_per_token = static_cast<double>(bytes) / static_cast<double>(corpus.val.size());
  corpus.hash = hash_corpus(corpus);
  return corpus;
}

}  // namespace train
