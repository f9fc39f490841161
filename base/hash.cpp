#include "base/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <bit>
#include <new>

namespace base {

static_assert(std::endian::native == std::endian::little, "numbers are hashed as they lie");

void Hash::Free::operator()(XXH3_state_s* state) const { XXH3_freeState(state); }

Hash::Hash() : state_(XXH3_createState()) {
  if (state_ == nullptr) throw std::bad_alloc();
  XXH3_128bits_reset(state_.get());
}

Hash& Hash::begin(std::uint64_t bytes) {
  XXH3_128bits_update(state_.get(), &bytes, sizeof bytes);
  return *this;
}
Hash& Hash::part(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
  return *this;
}
Hash& Hash::add(std::span<const std::byte> bytes) { return begin(bytes.size()).part(bytes); }
Hash& Hash::add(std::string_view text) { return add(std::as_bytes(std::span(text))); }
Hash& Hash::add(std::span<const std::int32_t> numbers) { return add(std::as_bytes(numbers)); }

std::string Hash::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace base
