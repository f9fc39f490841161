#include "train/data/token_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cstring>

#include "engine/error.h"

namespace train {
namespace {

using engine::require;

static_assert(std::endian::native == std::endian::little, "ids are read as they lie");

constexpr std::size_t kHeader = 256 * sizeof(std::int32_t);

struct Format {
  std::int32_t magic, version;
  std::size_t width;  // bytes of an id
};
constexpr Format kFormats[] = {{20240520, 1, 2}, {20240801, 7, 4}};
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
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  require(file >= 0, errno == ENOENT ? "no such file: '" : "cannot open '", path,
          "': ", std::strerror(errno), "; check the path");
  const std::shared_ptr<void> closed(nullptr, [file](void*) { close(file); });
  struct stat status {};
  require(fstat(file, &status) == 0 && S_ISREG(status.st_mode), "'", path,
          "' is no file that can be mapped; give a .bin of token ids");
  require(status.st_size > 0, "'", path, "' is empty; give a .bin with token ids in it");
  return std::make_shared<Mapping>(path, static_cast<std::size_t>(status.st_size), file);
}

}  // namespace

Tokens map_tokens(const std::string& path) {
  const std::shared_ptr<const Mapping> mapping = map(path);
  const auto* bytes = static_cast<const std::byte*>(mapping->at);
  std::array<std::int32_t, 3> head{};
  if (mapping->size >= sizeof head) std::memcpy(head.data(), bytes, sizeof head);
  std::size_t width = 2, begin = 0;
  require(head[0] != kEvaluation, "'", path,
          "' holds multiple choices of llm.c, not a text; give its train or val file");
  for (const Format& format : kFormats) {
    if (head[0] != format.magic) continue;
    require(head[1] == format.version, "'", path, "': llm.c's header has version ", head[1],
            ", and this isodrop reads ", format.version, "; write the file anew");
    width = format.width, begin = kHeader;
    require(head[2] >= 0 && mapping->size == kHeader + static_cast<std::size_t>(head[2]) * width,
            "'", path, "': its header says ", head[2], " ids of ", width, " bytes, its size is ",
            mapping->size, " bytes: it was cut off, or is something else; write it anew");
  }
  require((mapping->size - begin) % width == 0, "'", path, "': ", mapping->size,
          " bytes are no whole number of 16-bit ids; give a .bin as nanoGPT or llm.c write it");
  const std::size_t count = (mapping->size - begin) / width;
  const std::byte* ids = bytes + begin;
  return {mapping, width == 2
                       ? TokenSpan(std::span(reinterpret_cast<const std::uint16_t*>(ids), count))
                       : TokenSpan(std::span(reinterpret_cast<const std::int32_t*>(ids), count))};
}

}  // namespace train
