// The matrix products of a training step, timed alone: by every implementation there is.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/buffer.h"
#include "engine/tape.h"
#include "ops/onednn.h"

namespace bench {

/// A product of a linear layer, as often as a step has it.
struct Product {
  std::string name;  // of the first: "h.0.attn.c_attn dx"
  ops::MatmulSpec spec;
  double count = 0;  // in a step
  double flops() const;
};

/// Every product of the linear layers on a tape (forward and both gradients, the head too), once
/// for each shape. The linear layers are those nodes that multiply an activation by a matrix of
/// parameters; each runs `micro_steps` times a step.
std::vector<Product> products_of(const engine::Tape& tape, std::int64_t micro_steps);

/// The implementations.
enum class Side { kWhole, kPacked, kPartition, kFine, kOpenBlas };
inline constexpr int kSides = 5;
const char* name_of(Side side);
/// False for OpenBLAS where the build did not find it.
bool available(Side side);

/// Times products on operands that the call before has left in the caches.
class ProductTimer {
 public:
  explicit ProductTimer(std::vector<Product> products);
  ~ProductTimer();

  const std::vector<Product>& products() const { return products_; }
  /// Times every product by every side.
  void round();
  /// Median milliseconds of a product; packing B is not in kPacked's. REQUIRES: round() has run.
  double ms(std::size_t product, Side side) const;
  double best_ms(std::size_t product) const;
  /// Median milliseconds of packing a product's B; 0 where there is nothing to pack.
  double packing_ms(std::size_t product) const;
  std::string implementation(std::size_t product) const;
  /// Whether the side's results are the partition's bit for bit, on 1, 2, 3, 4, 8 and 16 threads.
  bool same_bits(std::size_t product, Side side);

 private:
  struct Timed;
  void run(Timed& timed, Side side);

  std::vector<Product> products_;
  std::vector<std::unique_ptr<Timed>> timed_;
  engine::Buffer a_, b_, c_, packed_, scratch_;
};

}  // namespace bench
