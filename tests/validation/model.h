// Runs drawn from a model, for asking what the statistics do when the truth is known.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "engine/rng.h"
#include "lab/study/verdict.h"

namespace validation {

/// Standard normal numbers (Box & Muller 1958).
class Normals {
 public:
  explicit Normals(std::uint64_t seed, std::string_view site = "normals")
      : sequence_(engine::stream_key(seed, engine::Stream::kSample), engine::site_id(site)) {}
  double next();
  std::vector<double> values(int n, double mean, double sd);
  engine::Sequence& sequence() { return sequence_; }

 private:
  engine::Sequence sequence_;
};

enum class Text { kOwn, kShared };         // windows of each seed's own, or the same for all seeds
enum class Shape { kNormal, kLongTails };  // of windows and rest: exp of a normal, skew 6

/// Standard deviations of what an arm adds to the loss of seed s on window w, beside its effect:
/// seed_s + window_w + rest_sw. Text that the seeds share has the same window_w for all of them.
struct Spread {
  double seed = 1, window = 0, rest = 0;
  Shape shape = Shape::kNormal;
};

/// effect + seed_s + window_w + rest_sw on shared text, row-major (seeds, windows).
std::vector<double> differences(double effect, const Spread& spread, int seeds, int windows,
                                Normals& random);

/// A table of one cell: an arm for each effect against one baseline, losses as means over the
/// windows. The baseline spreads as the arms do, so differences have twice their variance.
std::vector<lab::PairedCell> table(std::span<const double> effects, const Spread& spread, Text text,
                                   int seeds, int windows, Normals& random);

/// The same on one text that all seeds share, with the windows that a verdict crosses them with.
std::vector<lab::PairedCell> crossed_table(std::span<const double> effects, const Spread& spread,
                                           int seeds, int windows, Normals& random);

/// The first `n` seeds of every row.
std::vector<lab::PairedCell> first_seeds(std::vector<lab::PairedCell> rows, std::size_t n);

}  // namespace validation
