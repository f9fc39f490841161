// Aligned memory that owns itself.
//
// Example:
//     engine::Buffer buffer(64 * sizeof(float));
//     std::fill_n(buffer.as<float>(), 64, 0.0F);
//     assert(reinterpret_cast<std::uintptr_t>(buffer.data()) % engine::kAlign == 0);
#pragma once
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "base/limits.h"
#include "engine/memory_plan.h"

namespace engine {

/// `bytes` of memory aligned for SIMD, uninitialised. Throws Error if the machine refuses.
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t bytes);
  std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  template <class T>
  T* as(std::size_t byte_offset = 0) const {
    return reinterpret_cast<T*>(data_.get() + byte_offset);
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_ = 0;
};

/// Throws Error unless `bytes` fit in the available memory; `what` says what for.
void require_memory(double bytes, const char* what);

}  // namespace engine
