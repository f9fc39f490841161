// Random operands of a product, for trying it out.
#pragma once
#include "engine/buffer.h"
#include "engine/rng.h"
#include "ops/onednn.h"

namespace ops {

/// Numbers of either sign, as training has them: zeros would flatter the machine.
inline void fill_random(const engine::Buffer& buffer, std::uint32_t site) {
  engine::Sequence random(engine::stream_key(1, engine::Stream::kData), site);
  for (std::size_t i = 0; i < buffer.size() / sizeof(float); ++i)
    buffer.as<float>()[i] = static_cast<float>(random.next32() >> 8) * 0x1p-23F - 1;
}

struct Operands {
  explicit Operands(const MatmulSpec& s)
      : a(bytes((s.m - 1) * s.a_row + (s.k - 1) * s.a_col + 1)),
        b(bytes((s.k - 1) * s.b_row + (s.n - 1) * s.b_col + 1)),
        c_bytes(bytes(s.m * s.c_row)),
        bias_(s.bias ? bytes(s.n) : 0) {
    fill_random(a, 1);
    fill_random(b, 2);
    fill_random(bias_, 3);
  }
  const float* bias() const { return bias_.size() == 0 ? nullptr : bias_.as<float>(); }

  engine::Buffer a, b;
  std::size_t c_bytes;

 private:
  static std::size_t bytes(std::int64_t floats) {
    return static_cast<std::size_t>(floats) * sizeof(float);
  }
  engine::Buffer bias_;
};

}  // namespace ops
