// XXH3-128, which identifies data and runs: the same digits on every machine.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct XXH3_state_s;

namespace base {

class Hash {
 public:
  Hash();
  /// Adds the length, then the contents: ("ab", "c") and ("a", "bc") differ.
  Hash& add(std::string_view text);
  Hash& add(std::span<const std::int32_t> numbers);
  Hash& add(std::span<const std::byte> bytes);
  /// The same as add() of all parts joined: begin() with their size, then each part.
  Hash& begin(std::uint64_t bytes);
  Hash& part(std::span<const std::byte> bytes);
  /// 32 hex digits.
  std::string hex() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

}  // namespace base
