#include "train/distributed/ranks.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>
#include <utility>

#include "base/measure.h"
#include "base/parallel.h"

namespace train {
namespace {

class SlowRanks final : public Ranks {
 public:
  SlowRanks(std::unique_ptr<Ranks> ranks, double latency, double bandwidth)
      : ranks_(std::move(ranks)), latency_(latency), bandwidth_(bandwidth) {}
  int rank() const override { return ranks_->rank(); }
  int size() const override { return ranks_->size(); }
  int on_this_host() const override { return ranks_->on_this_host(); }
  bool any_thread() const override { return ranks_->any_thread(); }
  void exchange(int partner, std::span<const std::byte> out, std::span<std::byte> in) override {
    ranks_->exchange(partner, out, in);
    wait(1, std::max(out.size(), in.size()));
  }
  void broadcast(std::span<std::byte> bytes) override {
    ranks_->broadcast(bytes);
    wait(std::bit_width(static_cast<unsigned>(size()) - 1), bytes.size());
  }
  void leave() override { ranks_->leave(); }
  void hurry(bool yes) override {
    Ranks::hurry(yes);
    ranks_->hurry(yes);
  }

 private:
  void wait(int messages, std::size_t bytes) const {
    const double seconds = messages * latency_ + static_cast<double>(bytes) / bandwidth_;
    if (in_background()) return std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    // A sleep is exact to some 50 µs, so the end of the time is spun.
    const base::Stopwatch watch;
    if (seconds > 2e-4) std::this_thread::sleep_for(std::chrono::duration<double>(seconds - 1e-4));
    while (watch.seconds() < seconds) std::this_thread::yield();
  }

  std::unique_ptr<Ranks> ranks_;
  double latency_, bandwidth_;
};

template <class T>
std::span<T> of(std::span<T> values, Part part) {
  return values.subspan(part.begin, part.size());
}

}  // namespace

template <class T>
void TreeSum::add_from(int partner, std::span<const T> out, std::span<T> onto) {
  const std::size_t most = kSegment / sizeof(T);
  T* received = reinterpret_cast<T*>(received_.data());
  for (std::size_t i = 0; i < std::max(out.size(), onto.size()); i += most) {
    const std::size_t sent = std::min(most, out.size() - std::min(i, out.size()));
    const std::size_t got = std::min(most, onto.size() - std::min(i, onto.size()));
    ranks_->exchange(partner, std::as_bytes(std::span(out.data() + i, sent)),
                     std::as_writable_bytes(std::span(received, got)));
    T* to = onto.data() + i;
    base::parallel_elements(static_cast<std::int64_t>(got),
                            [=](std::int64_t j) { to[j] += received[j]; });
  }
}

// Partners at distance 1 first, so that what is added at distance d are sums of d neighbours: the
// tree. Who is left and who is right does not matter: a + b and b + a are the same bits.
template <class T>
void TreeSum::scatter(std::span<T> values, const std::vector<Halves>& levels) {
  for (std::size_t i = 0; i < levels.size(); ++i)
    add_from<T>(ranks_->rank() ^ (1 << i), of(values, levels[i].given), of(values, levels[i].kept));
}

template <class T>
void TreeSum::gather(std::span<T> values, const std::vector<Halves>& levels) {
  for (std::size_t i = levels.size(); i-- > 0;)
    ranks_->exchange(ranks_->rank() ^ (1 << i), std::as_bytes(of(values, levels[i].kept)),
                     std::as_writable_bytes(of(values, levels[i].given)));
}

void TreeSum::scatter(std::span<float> gradients, Part all, const Cuts& cuts) {
  scatter(gradients, halvings(all, ranks_->rank(), ranks_->size(), cuts));
}

void TreeSum::gather(std::span<float> values, Part all, const Cuts& cuts) {
  gather(values, halvings(all, ranks_->rank(), ranks_->size(), cuts));
}

template <class T>
void TreeSum::sum(std::span<T> values) {
  const int rank = ranks_->rank(), size = ranks_->size();
  if (values.size_bytes() <= kSmall) {
    T before[kSmall / sizeof(T)];
    for (int distance = 1; distance < size; distance *= 2) {
      std::copy(values.begin(), values.end(), before);
      add_from(rank ^ distance, std::span<const T>(before, values.size()), values);
    }
    return;
  }
  const std::vector<Halves> levels = halvings({0, values.size()}, rank, size, {});
  scatter(values, levels);
  gather(values, levels);
}

template void TreeSum::sum(std::span<float>);
template void TreeSum::sum(std::span<double>);

void tell(Ranks& ranks, Order order) {
  ranks.broadcast(std::as_writable_bytes(std::span(&order, 1)));
}

Order hear(Ranks& ranks) {
  Order order;
  ranks.broadcast(std::as_writable_bytes(std::span(&order, 1)));
  return order;
}

std::unique_ptr<Ranks> slowed(std::unique_ptr<Ranks> ranks, double latency, double bandwidth) {
  return std::make_unique<SlowRanks>(std::move(ranks), latency, bandwidth);
}

}  // namespace train
