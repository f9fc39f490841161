#include "data/text/tokens.h"

#include <algorithm>
#include <cassert>

namespace data {

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
