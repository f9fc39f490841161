// Writes the random words behind a model's masks to standard output, for a battery of tests:
// scripts/dieharder pipes them into dieharder.
//
// The sites are the hooks of a recorded preset, the elements those that its ops number, and the
// words come from the loops that the ops run. A turn of --turn elements each goes round all (step,
// site, half of the batch) of two consecutive steps, in this order, so that streams whose counters
// differ in one word alone lie next to each other, as do the rows that two threads work on at once.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "benchmarks/stored_mask-inl.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "ops/attention.h"
#include "ops/noise.h"
#include "train/config/architecture.h"

HWY_BEFORE_NAMESPACE();
namespace {
using namespace ops;
using namespace ops::simd;

/// out[i] = the 16 bits of element first + i.
template <int kRounds>
void kernel_bits(const MaskStream& stream, std::uint64_t first, std::span<std::uint16_t> out) {
  for_each_bits<kRounds>(stream, first, out.size(), [&](auto at, hn::Vec<I32> bits) HWY_ATTR {
    std::int32_t lane[kLanes];
    hn::StoreU(bits, kI32, lane);
    for (std::size_t j = 0; j < at.n; ++j) out[at.i + j] = static_cast<std::uint16_t>(lane[j]);
  });
}

/// Bit i%8 of out[i/8] = element first + i is kept. REQUIRES: first % 8 == 0.
template <int kRounds>
void kernel_keep(const MaskStream& stream, std::uint64_t first, std::size_t n,
                 std::uint32_t threshold, std::uint8_t* out) {
  for_each_keep<kRounds>(stream, first, n, threshold,
                         [&](auto at, Keep keep) HWY_ATTR { store_keep(at, keep, out); });
}

}  // namespace
HWY_AFTER_NAMESPACE();

namespace {

using base::require;

struct Generator {
  std::string_view name;
  void (*bits)(const MaskStream&, std::uint64_t, std::span<std::uint16_t>);
  void (*keep)(const MaskStream&, std::uint64_t, std::size_t, std::uint32_t, std::uint8_t*);
};
template <int kRounds>
constexpr Generator philox(std::string_view name) {
  return {name, kernel_bits<kRounds>, kernel_keep<kRounds>};
}
/// `weak` has too few rounds to pass: it shows that the tests would see a flaw of these counters.
constexpr std::array kGenerators{philox<10>("philox10"), philox<7>("philox7"), philox<5>("weak")};

/// The rate whose masks are fair bits.
constexpr double kRate = 0.5;

cli::Command command() {
  cli::Command c;
  c.name = c.call = "mask_stream";
  c.summary =
      "writes the random words of a preset's dropout masks to standard output, sites, steps and "
      "rows interleaved";
  c.settings = false;
  c.extras = {
      {"generator", "NAME", "philox10", "Philox with how many rounds; weak has 5", false, {}},
      {"of",
       "WHAT",
       "bits",
       "bits: the 16 of each element; keep: 1 for each, whether a mask of rate 0.5 keeps it",
       false,
       {"bits", "keep"}},
      {"preset", "NAME", "nano", "whose hooks and shapes", false, train::preset_names()},
      {"turn", "N", "128", "elements of a turn, a multiple of 32; 0: all, as one thread has them"},
      {"seed", "N", "1", "of the run"},
      {"bytes", "N", "0", "stop after so many; 0: never"}};
  for (const Generator& g : kGenerators) c.extras[0].choices.push_back(g.name);
  return c;
}

/// Consecutive elements.
struct Range {
  std::uint64_t first, n;
};
struct Site {
  std::uint32_t id;
  std::array<std::vector<Range>, 2> halves;  // of the batch, each in the order of its use
};

/// What rows [b0, b1) of the batch draw at a node whose output is (B,T,C).
std::vector<Range> elements(const engine::Node& node, const engine::Shape& shape,
                            std::uint64_t n_head, std::uint64_t b0, std::uint64_t b1) {
  const auto T = static_cast<std::uint64_t>(shape[1]), C = static_cast<std::uint64_t>(shape[2]);
  if (node.op->name() != "attention") return {{b0 * T * C, (b1 - b0) * T * C}};
  // 32 queries at a time draw whole groups of 128 for 4 keys, up to the diagonal.
  std::vector<Range> out;
  for (std::uint64_t head = b0 * n_head; head < b1 * n_head; ++head)
    for (std::uint64_t i = 0; i < T; i += 32)
      out.push_back({attention_mask_element(head, T, i, 0), 128 * ((std::min(T, i + 32) + 3) / 4)});
  return out;
}

std::vector<Site> sites(const train::Settings& settings) {
  engine::Params params;
  engine::Tape tape(params);
  models::record_gpt(tape, train::gpt_config(settings, train::preset_of(settings).vocabulary),
                     settings.batch, settings.block_size, models::Mode::kTrain);
  const auto batch = static_cast<std::uint64_t>(settings.batch);
  const auto heads = static_cast<std::uint64_t>(settings.n_head);
  std::vector<Site> out;
  for (const engine::Node& node : tape.nodes()) {
    if (!node.randomness.rate) continue;
    const engine::Shape& shape = tape.shape(node.out);
    out.push_back({node.randomness.site,
                   {elements(node, shape, heads, 0, batch / 2),
                    elements(node, shape, heads, batch / 2, batch)}});
    for (const auto& half : out.back().halves)
      for (const Range& r : half)
        require(r.first % 32 == 0 && r.n % 32 == 0, "--preset ", settings.preset, ": node ",
                node.name, " draws ", r.n, " elements from ", r.first,
                ", which don't fill words of 32");
  }
  return out;
}

/// Words to standard output, up to a limit, or until its reader has had enough.
class Output {
 public:
  explicit Output(std::uint64_t limit) : left_(limit == 0 ? ~std::uint64_t{0} : limit) {}
  bool full() const { return left_ == 0; }
  void write(const void* data, std::size_t bytes) {
    bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, left_));
    left_ -= bytes;
    if (std::fwrite(data, 1, bytes, stdout) != bytes) failed();
  }
  void flush() {
    if (std::fflush(stdout) != 0) failed();
  }

 private:
  void failed() {
    const int error = errno;
    require(error == EPIPE, "cannot write to standard output: ", std::strerror(error));
    left_ = 0;
  }
  std::uint64_t left_;
};

/// What is left of one (step, site, half of the batch).
class Cursor {
 public:
  Cursor(const MaskStream& stream, std::span<const Range> ranges)
      : stream_(stream), ranges_(ranges) {}
  bool done() const { return ranges_.empty(); }

  /// Writes the next `turn` elements.
  void write(const Generator& generator, bool keep, std::uint64_t turn, Output& out) {
    constexpr std::uint64_t kBuffer = 4096;
    while (turn > 0 && !done() && !out.full()) {
      const Range& r = ranges_.front();
      const auto n = static_cast<std::size_t>(std::min({turn, kBuffer, r.n - used_}));
      if (keep) {
        std::uint8_t bytes[keep_bytes(kBuffer)];
        generator.keep(stream_, r.first + used_, n, keep_threshold(kRate), bytes);
        out.write(bytes, keep_bytes(n));
      } else {
        std::uint16_t bits[kBuffer];
        generator.bits(stream_, r.first + used_, {bits, n});
        out.write(bits, n * sizeof(bits[0]));
      }
      turn -= n;
      used_ += n;
      if (used_ < r.n) continue;
      used_ = 0;
      ranges_ = ranges_.subspan(1);
    }
  }

 private:
  MaskStream stream_;
  std::span<const Range> ranges_;
  std::uint64_t used_ = 0;  // of the first range
};

int run(int argc, char** argv) {
  const cli::Command self = command();
  const cli::Parsed args = cli::parse(self, argc, argv);
  if (args.help) {
    fmt::print("{}", cli::help(self, cli::columns(stdout)));
    return 0;
  }
  const Generator& generator =
      *std::find_if(kGenerators.begin(), kGenerators.end(),
                    [&](const Generator& g) { return g.name == args.text("generator"); });
  const bool keep = args.text("of") == "keep";
  auto turn = static_cast<std::uint64_t>(args.integer("turn", 0));
  require(turn % 32 == 0, "--turn ", turn, ": give a multiple of 32");
  if (turn == 0) turn = ~std::uint64_t{0};
  Output out(static_cast<std::uint64_t>(args.integer("bytes", 0)));
  const train::Assignment chosen[] = {{"preset", args.text("preset"), "--preset"},
                                      {"dropout", fmt::format("{}", kRate), ""}};
  const std::vector<Site> all = sites(train::resolve({}, chosen));
  engine::Step step;
  step.seed = static_cast<std::uint64_t>(args.integer("seed", 0));
  const NoiseKind& dropout = noise_kind("dropout");

  while (!out.full()) {
    std::vector<Cursor> cursors;
    for (int i = 0; i < 2; ++i, ++step.index)
      for (const Site& site : all)
        for (const auto& half : site.halves)
          cursors.emplace_back(prepare(dropout, step, site.id, kRate).stream, half);
    while (!out.full() && !cursors.empty()) {
      for (Cursor& cursor : cursors) cursor.write(generator, keep, turn, out);
      std::erase_if(cursors, [](const Cursor& cursor) { return cursor.done(); });
    }
  }
  out.flush();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const base::Error& e) {
    fmt::print(stderr, "mask_stream: error: {}\n", e.what());
    return 2;
  }
}
