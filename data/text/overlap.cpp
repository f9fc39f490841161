#include <algorithm>
#include <array>
#include <bitset>
#include <memory>
#include <unordered_map>

#include "data/text/corpus.h"

namespace data {
namespace {

constexpr std::size_t kWindow = 64, kMostWindows = 4096;

/// Calls visit(symbol) for every byte of the text, or for every id without a tokenizer.
template <class Visit>
void each_symbol(TokenSpan ids, const std::vector<std::string>& pieces, const Visit& visit) {
  std::array<std::int32_t, 4096> some;
  for (std::size_t at = 0; at < ids.size(); at += some.size()) {
    const std::size_t count = std::min(some.size(), ids.size() - at);
    ids.copy(at, count, some.data());
    for (std::size_t i = 0; i < count; ++i)
      if (pieces.empty())
        visit(static_cast<std::uint64_t>(some[i]));
      else
        for (const char c : pieces[static_cast<std::size_t>(some[i])])
          visit(std::uint64_t{static_cast<unsigned char>(c)});
  }
}

/// Σ symbol·base^age of the last kWindow symbols, modulo 2^64.
class Rolling {
 public:
  Rolling() {
    for (std::size_t i = 0; i < kWindow; ++i) leaving_ *= kBase;
  }
  void add(std::uint64_t symbol) {
    std::uint64_t& oldest = last_[seen_++ % kWindow];
    hash_ = hash_ * kBase + (symbol + 1) - oldest * leaving_;
    oldest = symbol + 1;
  }
  std::size_t seen() const { return seen_; }
  std::uint64_t hash() const { return hash_; }

 private:
  static constexpr std::uint64_t kBase = 0x9E3779B97F4A7C15;
  std::array<std::uint64_t, kWindow> last_{};
  std::uint64_t hash_ = 0, leaving_ = 1;
  std::size_t seen_ = 0;
};

}  // namespace

std::optional<double> share_in_training(const Corpus& corpus, const HeldOut& split) {
  if (corpus.language || !corpus.codec) return {};
  const std::vector<std::string>& pieces = corpus.pieces();
  std::size_t symbols = 0;
  each_symbol(split.ids, pieces, [&](std::uint64_t) { ++symbols; });
  const std::size_t count = std::min(kMostWindows, symbols / kWindow);
  if (count == 0) return {};

  std::unordered_map<std::uint64_t, std::size_t> windows;  // by hash: how many
  // Most places of the training split are ruled out by a bit for the hash's top.
  constexpr int kBits = 20;
  const auto maybe = std::make_unique<std::bitset<std::size_t{1} << kBits>>();
  Rolling held_out;
  std::size_t taken = 0;
  each_symbol(split.ids, pieces, [&](std::uint64_t symbol) {
    held_out.add(symbol);
    const std::size_t begin = count == 1 ? 0 : taken * (symbols - kWindow) / (count - 1);
    if (taken == count || held_out.seen() != begin + kWindow) return;
    ++windows[held_out.hash()];
    maybe->set(held_out.hash() >> (64 - kBits));
    ++taken;
  });
  std::size_t found = 0;
  Rolling trained;
  each_symbol(corpus.train, pieces, [&](std::uint64_t symbol) {
    trained.add(symbol);
    if (!maybe->test(trained.hash() >> (64 - kBits)) || trained.seen() < kWindow) return;
    if (const auto at = windows.find(trained.hash()); at != windows.end()) {
      found += at->second;
      windows.erase(at);
    }
  });
  return static_cast<double>(found) / static_cast<double>(count);
}

}  // namespace data
