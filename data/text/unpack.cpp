// gzip and Zstandard. Nothing else sees zlib and libzstd.
#include <zlib.h>
#include <zstd.h>

#include <memory>
#include <vector>

#include "base/error.h"
#include "base/open_file.h"
#include "data/text/text_files.h"

namespace data {
namespace {

using base::require;
using Taker = std::function<void(std::string_view)>;

constexpr std::size_t kBytesAtOnce = std::size_t{1} << 17;
constexpr int kGzip = 16 + MAX_WBITS;  // expect a gzip header

/// One archive that comes in pieces.
class Unpacker {
 public:
  virtual ~Unpacker() = default;
  /// Hands on what the bytes unpack to; throws base::Error.
  virtual void feed(std::string_view bytes, const Taker& part) = 0;
  /// Whether nothing is missing.
  virtual bool whole() const = 0;
};

class Gzip final : public Unpacker {
 public:
  explicit Gzip(std::string path) : path_(std::move(path)), out_(kBytesAtOnce) {
    require(inflateInit2(&stream_, kGzip) == Z_OK, "'", path_, "': zlib cannot start");
  }
  ~Gzip() override { inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  void feed(std::string_view bytes, const Taker& part) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    while (stream_.avail_in > 0 || stream_.avail_out == 0) {
      if (ended_) {
        // Zeros behind a member pad it to a block of a tape or disk; else it is another member.
        while (stream_.avail_in > 0 && *stream_.next_in == 0) ++stream_.next_in, --stream_.avail_in;
        if (stream_.avail_in == 0) return;
        inflateReset(&stream_);
        ended_ = false;
      }
      stream_.next_out = out_.data();
      stream_.avail_out = static_cast<uInt>(out_.size());
      const int code = inflate(&stream_, Z_NO_FLUSH);
      require(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, "'", path_,
              "' is not a gzip file, or is damaged (",
              stream_.msg != nullptr ? stream_.msg : zError(code), "); check it with gzip -t");
      part({reinterpret_cast<const char*>(out_.data()), out_.size() - stream_.avail_out});
      ended_ = code == Z_STREAM_END;
      if (code == Z_BUF_ERROR || (ended_ && stream_.avail_in == 0)) break;
    }
  }
  bool whole() const override { return ended_; }

 private:
  std::string path_;
  z_stream stream_{};
  std::vector<Bytef> out_;
  bool ended_ = false;
};

class Zstandard final : public Unpacker {
 public:
  explicit Zstandard(std::string path)
      : path_(std::move(path)),
        stream_(ZSTD_createDStream(), &ZSTD_freeDStream),
        out_(kBytesAtOnce) {
    require(stream_ != nullptr, "'", path_, "': libzstd cannot start");
  }
  void feed(std::string_view bytes, const Taker& part) override {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    ZSTD_outBuffer out{out_.data(), out_.size(), out_.size()};
    while (in.pos < in.size || out.pos == out.size) {
      out.pos = 0;
      const std::size_t left = ZSTD_decompressStream(stream_.get(), &out, &in);
      require(ZSTD_isError(left) == 0, "'", path_, "' is not a Zstandard file, or is damaged (",
              ZSTD_getErrorName(left), "); check it with zstd -t");
      part({out_.data(), out.pos});
      ended_ = left == 0;
      if (ended_ && in.pos == in.size) break;
    }
  }
  bool whole() const override { return ended_; }

 private:
  std::string path_;
  std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream_;
  std::vector<char> out_;
  bool ended_ = false;
};

template <class Archive>
std::unique_ptr<Unpacker> make(const std::string& path) {
  return std::make_unique<Archive>(path);
}

struct Packing {
  std::string_view ending;
  std::unique_ptr<Unpacker> (*unpacker)(const std::string& path);  // null: it is not read
};
constexpr Packing kPackings[] = {
    {".gz", make<Gzip>},        {".bgz", make<Gzip>}, {".zst", make<Zstandard>},
    {".zstd", make<Zstandard>}, {".xz", nullptr},     {".bz2", nullptr},
    {".lz4", nullptr},          {".zip", nullptr},    {".7z", nullptr},
    {".tar", nullptr},          {".tgz", nullptr},    {".parquet", nullptr}};

const Packing* packing_of(std::string_view name) {
  for (const Packing& packing : kPackings)
    if (base::has_ending(name, packing.ending)) return &packing;
  return nullptr;
}

}  // namespace

std::string_view unpacked_name(std::string_view name) {
  std::string_view out = name;
  const Packing* packing = packing_of(name);
  if (packing != nullptr && packing->unpacker != nullptr) {
    out.remove_suffix(packing->ending.size());
    packing = packing_of(out);  // NAME.tar.gz
  }
  require(packing == nullptr || packing->unpacker != nullptr, "'", name,
          "': ", packing == nullptr ? "" : packing->ending,
          " files are not supported; unpack it, or compress the text with gzip or Zstandard");
  return out;
}

void read_unpacked(const std::string& path, std::string_view if_missing, const Taker& part,
                   base::Whose whose) {
  const Packing* packing = packing_of(path);
  const auto archive =
      packing != nullptr && packing->unpacker != nullptr ? packing->unpacker(path) : nullptr;
  base::read_parts(
      path, [&](std::string_view bytes) { archive ? archive->feed(bytes, part) : part(bytes); },
      if_missing, whose);
  require(!archive || archive->whole(), "'", path, "' is cut off; download it again");
}

}  // namespace data
