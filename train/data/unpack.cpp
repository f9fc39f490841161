#include "train/data/unpack.h"

#include <zlib.h>
#include <zstd.h>

#include <memory>
#include <vector>

#include "engine/error.h"
#include "train/files.h"

namespace train {
namespace {

using engine::require;
using Part = std::function<void(std::string_view)>;

constexpr std::size_t kBytesAtOnce = std::size_t{1} << 17;
constexpr int kGzip = 16 + MAX_WBITS;  // expect a gzip header

/// One archive that comes in pieces.
class Unpacker {
 public:
  virtual ~Unpacker() = default;
  /// Hands on what the bytes unpack to; throws engine::Error.
  virtual void feed(std::string_view bytes, const Part& part) = 0;
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
  void feed(std::string_view bytes, const Part& part) override {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    while (stream_.avail_in > 0 || stream_.avail_out == 0) {
      if (ended_) {  // another member
        inflateReset(&stream_);
        ended_ = false;
      }
      stream_.next_out = out_.data();
      stream_.avail_out = static_cast<uInt>(out_.size());
      const int code = inflate(&stream_, Z_NO_FLUSH);
      require(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, "'", path_,
              "' is no gzip file, or damaged (",
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
  void feed(std::string_view bytes, const Part& part) override {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    ZSTD_outBuffer out{out_.data(), out_.size(), out_.size()};
    while (in.pos < in.size || out.pos == out.size) {
      out.pos = 0;
      const std::size_t left = ZSTD_decompressStream(stream_.get(), &out, &in);
      require(ZSTD_isError(left) == 0, "'", path_, "' is no Zstandard file, or damaged (",
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

std::unique_ptr<Unpacker> unpacker(const std::string& path) {
  if (path.ends_with(".gz")) return std::make_unique<Gzip>(path);
  if (path.ends_with(".zst")) return std::make_unique<Zstandard>(path);
  return nullptr;
}

}  // namespace

bool unpacks(std::string_view name) { return name.ends_with(".gz") || name.ends_with(".zst"); }

void read_unpacked(const std::string& path, std::string_view if_missing, const Part& part) {
  const std::unique_ptr<Unpacker> archive = unpacker(path);
  read_parts(
      path, [&](std::string_view bytes) { archive ? archive->feed(bytes, part) : part(bytes); },
      if_missing);
  require(!archive || archive->whole(), "'", path,
          "' ends too early: it was cut off; fetch it again");
}

}  // namespace train
