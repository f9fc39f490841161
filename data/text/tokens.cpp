#include "data/text/tokens.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace data {
namespace {

using base::require;

static_assert(std::endian::native == std::endian::little, "ids are read as they lie");

constexpr std::size_t kHeader = 256 * sizeof(std::int32_t);

struct Format {
  std::int32_t magic, version;
  std::size_t width;  // bytes of an id
  std::string_view type;
};
constexpr Format kNarrow = {20240520, 1, 2, "uint16"}, kWide = {20240801, 7, 4, "uint32"};
constexpr Format kFormats[] = {kNarrow, kWide};
constexpr std::int32_t kEvaluation = 20240522;  // llm.c's multiple choices

struct Mapping {
  Mapping(const std::string& path, std::size_t bytes, int file) : size(bytes) {
    at = mmap(nullptr, size, PROT_READ, MAP_SHARED, file, 0);
    require(at != MAP_FAILED, "cannot map '", path, "': ", std::strerror(errno));
  }
  ~Mapping() { munmap(at, size); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  void* at;
  std::size_t size;
};

std::shared_ptr<const Mapping> map(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // or a pipe would wait
  require(file >= 0 || errno != ENOENT, "no such file: '", path, "'; check the path");
  require(file >= 0, "cannot open '", path, "': ", std::strerror(errno), "; check the path");
  const std::shared_ptr<void> closed(nullptr, [file](void*) { close(file); });
  struct stat status {};
  require(fstat(file, &status) == 0 && S_ISREG(status.st_mode), "'", path,
          "' is not a file that can be mapped; give a .bin of token ids");
  require(status.st_size > 0, "'", path, "' is empty; give a .bin with token ids in it");
  return std::make_shared<Mapping>(path, static_cast<std::size_t>(status.st_size), file);
}

/// Whether the numbers are halves of others twice as wide: every second one, the upper half, is
/// next to nothing, and the lower halves are not. `most`: the largest upper half of an id of 31
/// bits.
template <class T>
bool halves(const std::byte* at, std::size_t bytes, std::uint64_t most) {
  constexpr std::size_t kFewest = 16, kPairs = 1 << 14;  // looked at
  const std::size_t pairs = std::min(kPairs, bytes / (2 * sizeof(T)));
  if (pairs < kFewest || bytes % (2 * sizeof(T)) != 0) return false;
  std::uint64_t low = 0, high = 0;
  for (std::size_t i = 0; i < pairs; ++i) {
    std::array<T, 2> pair;
    std::memcpy(pair.data(), at + i * sizeof pair, sizeof pair);
    low = std::max<std::uint64_t>(low, pair[0]), high = std::max<std::uint64_t>(high, pair[1]);
  }
  return high == 0 ? low > 0 : high <= most && low >= 64 * (most + 1);
}

/// Error where headerless ids look wider than they are read as.
void require_width(const std::string& path, const std::byte* ids, std::size_t bytes,
                   std::size_t width, std::string_view type) {
  require(
      !halves<std::uint32_t>(ids, bytes, 0), "'", path,
      "' looks like 64-bit ids: every second 32-bit number is 0; write them as uint16 or uint32");
  // Vocabularies end at some hundred thousand ids, of which the upper half is at most a few.
  require(
      width != 2 || type != "auto" || !halves<std::uint16_t>(ids, bytes, 15), "'", path,
      "' looks like 32-bit ids: every second 16-bit number is almost 0; give --bin-type uint32, or --bin-type uint16 if they are 16-bit ids");
}

}  // namespace

std::vector<std::string_view> bin_types() { return {"auto", kNarrow.type, kWide.type}; }

Tokens map_tokens(const std::string& path, std::string_view type) {
  const std::shared_ptr<const Mapping> mapping = map(path);
  const auto* bytes = static_cast<const std::byte*>(mapping->at);
  std::array<std::int32_t, 3> head{};
  if (mapping->size >= sizeof head) std::memcpy(head.data(), bytes, sizeof head);
  std::size_t width = type == kWide.type ? kWide.width : kNarrow.width, begin = 0;
  require(head[0] != kEvaluation, "'", path,
          "' holds multiple-choice questions of llm.c, not text; give its train or val file");
  constexpr std::string_view kNumpy = "\x93NUMPY";
  require(mapping->size < kNumpy.size() || std::memcmp(bytes, kNumpy.data(), kNumpy.size()) != 0,
          "'", path, "' is a NumPy .npy file; write the ids with tofile() instead");
  for (const Format& format : kFormats) {
    if (head[0] != format.magic) continue;
    require(head[1] == format.version, "'", path, "': llm.c's header has version ", head[1],
            ", and isodrop reads ", format.version, "; write the file again");
    require(type == "auto" || type == format.type, "'", path, "': its header says ", format.type,
            ", --bin-type ", type, "; leave the flag out");
    width = format.width, begin = kHeader;
    require(head[2] >= 0 && mapping->size == kHeader + static_cast<std::size_t>(head[2]) * width,
            "'", path, "': its header says ", head[2], " ids of ", width, " bytes, its size is ",
            mapping->size, " bytes: the file is cut off or not a .bin; write it again");
  }
  require((mapping->size - begin) % width == 0, "'", path, "': ", mapping->size,
          " bytes are not a whole number of ", 8 * width,
          "-bit ids; give a .bin as nanoGPT or llm.c write it");
  if (begin == 0) require_width(path, bytes, mapping->size, width, type);
  const std::size_t count = (mapping->size - begin) / width;
  const std::byte* ids = bytes + begin;
  return {mapping, width == 2
                       ? TokenSpan(std::span(reinterpret_cast<const std::uint16_t*>(ids), count))
                       : TokenSpan(std::span(reinterpret_cast<const std::int32_t*>(ids), count))};
}

std::string token_file(std::span<const std::int32_t> ids) {
  const bool wide =
      std::any_of(ids.begin(), ids.end(), [](std::int32_t id) { return id > 0xFFFF; });
  std::string out;
  const auto put = [&](const void* what, std::size_t bytes) {
    out.append(static_cast<const char*>(what), bytes);
  };
  if (wide) {
    require(ids.size() <= std::numeric_limits<std::int32_t>::max(), ids.size(),
            " ids of 32 bits are more than the header of a .bin counts; encode a part of the text");
    std::array<std::int32_t, 256> head = {kWide.magic, kWide.version,
                                          static_cast<std::int32_t>(ids.size())};
    static_assert(sizeof head == kHeader);
    put(head.data(), sizeof head);
    put(ids.data(), ids.size_bytes());
    return out;
  }
  for (const std::int32_t id : ids) {
    const auto narrow = static_cast<std::uint16_t>(id);
    put(&narrow, sizeof narrow);
  }
  return out;
}

TokenSpan TokenSpan::subspan(std::size_t at, std::size_t count) const {
  assert(at <= size_ && count <= size_ - at);
  TokenSpan part(static_cast<const std::byte*>(at_) + at * width(), wide_);
  part.size_ = count;
  return part;
}

void TokenSpan::copy(std::size_t at, std::size_t count, std::int32_t* to) const {
  assert(at <= size_ && count <= size_ - at);
  if (count == 0) return;
  if (wide_)
    std::copy_n(static_cast<const std::int32_t*>(at_) + at, count, to);
  else
    std::copy_n(static_cast<const std::uint16_t*>(at_) + at, count, to);
}

bool operator==(const TokenSpan& a, const TokenSpan& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

Tokens::Tokens(std::vector<std::int32_t> ids) {
  const auto held = std::make_shared<const std::vector<std::int32_t>>(std::move(ids));
  ids_ = *held;
  owner_ = held;
}

Tokens Tokens::part(std::size_t at, std::size_t count) const {
  Tokens out = *this;
  out.ids_ = ids_.subspan(at, count);
  return out;
}

}  // namespace data
