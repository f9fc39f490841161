#include "engine/buffer.h"

#include <sys/mman.h>

#include <iomanip>
#include <string>

#include "base/error.h"
#include "base/limits.h"

namespace engine {
namespace {
std::string gigabytes(double bytes) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(1) << bytes / 1e9 << " GB";
  return out.str();
}
}  // namespace

Buffer::Buffer(std::size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  require_memory(static_cast<double>(bytes), "this model and batch");
  // Huge pages save page faults and TLB misses on large arenas, so align to them where it pays.
  const std::size_t align = bytes >= (std::size_t{1} << 22) ? std::size_t{1} << 21 : kAlign;
  void* p = std::aligned_alloc(align, (bytes + align - 1) / align * align);
  base::require(p != nullptr, "out of memory: ", gigabytes(static_cast<double>(bytes)),
                " refused by the system; make the batch or the model smaller");
  data_.reset(static_cast<std::byte*>(p));
  // A hint only: without huge pages everything works, a little slower.
  if (align > kAlign) madvise(p, bytes, MADV_HUGEPAGE);
}

void require_memory(double bytes, const char* what) {
  const auto have = static_cast<double>(base::available_memory());
  base::require(have == 0 || bytes <= have, "out of memory: ", what, " needs ", gigabytes(bytes),
                " and only ", gigabytes(have),
                " are free; make the batch, the model or the block size smaller");
}

}  // namespace engine
