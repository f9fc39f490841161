// Shapes of up to four dimensions, row-major.
//
// Example:
//     const engine::Shape x{12, 64, 128};
//     assert(x.rank() == 3 && x.back() == 128 && x[-2] == 64);
//     assert(x.rows() == 12 * 64 && x.str() == "(12,64,128)");
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <ostream>
#include <string>

#include "base/error.h"

namespace engine {

class Shape {
 public:
  static constexpr std::size_t kMaxRank = 4;
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) {
    base::require(dims.size() <= kMaxRank, "shape: at most 4 dimensions, got ", dims.size());
    for (const std::int64_t d : dims) dims_[rank_++] = d;
    numel();  // refuses negative and overflowing shapes
  }

  std::size_t rank() const { return rank_; }
  /// Dimension i; negative i counts from the end.
  std::int64_t operator[](int i) const {
    return dims_[static_cast<std::size_t>(i < 0 ? i + static_cast<int>(rank_) : i)];
  }
  std::int64_t back() const { return (*this)[-1]; }
  /// Elements in all (1 for rank 0). Throws Error if that does not fit.
  std::int64_t numel() const {
    std::int64_t n = 1;
    for (std::size_t i = 0; i < rank_; ++i) {
      base::require(dims_[i] >= 0, "shape: negative dimension ", dims_[i]);
      base::require(dims_[i] == 0 || n <= std::numeric_limits<std::int64_t>::max() / 16 / dims_[i],
                    "shape ", str(), ": too many elements");
      n *= dims_[i];
    }
    return n;
  }
  /// Elements in all but the last dimension.
  std::int64_t rows() const { return rank_ == 0 || back() == 0 ? 1 : numel() / back(); }
  bool operator==(const Shape& o) const {
    if (rank_ != o.rank_) return false;
    for (std::size_t i = 0; i < rank_; ++i)
      if (dims_[i] != o.dims_[i]) return false;
    return true;
  }
  /// "(12,64,128)"
  std::string str() const {
    std::string s = "(";
    for (std::size_t i = 0; i < rank_; ++i) {
      if (i > 0) s += ',';
      s += std::to_string(dims_[i]);
    }
    return s + ")";
  }
  friend std::ostream& operator<<(std::ostream& out, const Shape& s) { return out << s.str(); }

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  std::size_t rank_ = 0;
};

}  // namespace engine
