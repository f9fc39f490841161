#include "train/distributed/communicator.h"

#include <algorithm>
#include <csignal>

#include "base/parallel.h"

namespace train {
namespace {

constexpr std::size_t kTurn = std::size_t{1} << 13;  // floats after which another rank has a half
constexpr std::size_t kSmall = 4096;  // bytes from which on halving is worth its messages

template <class T>
std::span<T> slice(std::span<T> values, GradientRange range) {
  return values.subspan(range.begin, range.size());
}

}  // namespace

std::size_t middle(GradientRange all, const Cuts* cuts) {
  const std::size_t half = all.begin + all.size() / 2;
  if (cuts == nullptr) return half;
  const auto next = std::lower_bound(cuts->begin(), cuts->end(), half);
  const std::size_t above = next == cuts->end() ? all.end : std::min(*next, all.end),
                    below = next == cuts->begin() ? all.begin : std::max(*(next - 1), all.begin);
  return half - below < above - half ? below : above;
}

/// What a rank keeps and what it gives to a partner.
struct Communicator::Halves {
  GradientRange kept, given;
};

/// With the partners at distance 1, 2, 4, …, each of what was kept before.
std::vector<Communicator::Halves> Communicator::halvings(GradientRange all, int rank, int size,
                                                         const Cuts* cuts) {
  const auto turn = static_cast<unsigned>(all.begin / kTurn),
             place = static_cast<unsigned>(rank) ^ turn;
  std::vector<Halves> out;
  for (unsigned distance = 1; distance < static_cast<unsigned>(size); distance *= 2) {
    const std::size_t cut = middle(all, cuts);
    const GradientRange low{all.begin, cut}, high{cut, all.end};
    out.push_back((place & distance) == 0 ? Halves{low, high} : Halves{high, low});
    all = out.back().kept;
  }
  return out;
}

GradientRange Communicator::owned_range(GradientRange all, int rank, int size, const Cuts& cuts) {
  const std::vector<Halves> levels = halvings(all, rank, size, &cuts);
  return levels.empty() ? all : levels.back().kept;
}

template <class T>
void Communicator::add_from(int partner, std::span<const T> out, std::span<T> onto) {
  const std::size_t most = kSegment / sizeof(T);
  T* received = reinterpret_cast<T*>(received_.data());
  for (std::size_t i = 0; i < std::max(out.size(), onto.size()); i += most) {
    const std::size_t sent = std::min(most, out.size() - std::min(i, out.size()));
    const std::size_t got = std::min(most, onto.size() - std::min(i, onto.size()));
    exchange(partner, std::as_bytes(std::span(out.data() + i, sent)),
             std::as_writable_bytes(std::span(received, got)));
    T* to = onto.data() + i;
    base::parallel_elements(static_cast<std::int64_t>(got),
                            [=](std::int64_t j) { to[j] += received[j]; });
  }
}

// Partners at distance 1 first, so that what is added at distance d are sums of d neighbours: the
// tree. Which one is left and which right does not matter: a + b and b + a are the same bits.
template <class T>
void Communicator::scatter(std::span<T> values, const std::vector<Halves>& levels) {
  for (std::size_t i = 0; i < levels.size(); ++i)
    add_from<T>(rank() ^ (1 << i), slice(values, levels[i].given), slice(values, levels[i].kept));
}

template <class T>
void Communicator::gather(std::span<T> values, const std::vector<Halves>& levels) {
  for (std::size_t i = levels.size(); i-- > 0;)
    exchange(rank() ^ (1 << i), std::as_bytes(slice(values, levels[i].kept)),
             std::as_writable_bytes(slice(values, levels[i].given)));
}

void Communicator::reduce_scatter(std::span<float> values, GradientRange all, const Cuts& cuts) {
  scatter(values, halvings(all, rank(), size(), &cuts));
}

void Communicator::all_gather(std::span<float> values, GradientRange all, const Cuts& cuts) {
  gather(values, halvings(all, rank(), size(), &cuts));
}

template <class T>
void Communicator::sum(std::span<T> values) {
  if (values.size_bytes() <= kSmall) {
    T before[kSmall / sizeof(T)];
    for (int distance = 1; distance < size(); distance *= 2) {
      std::copy(values.begin(), values.end(), before);
      add_from(rank() ^ distance, std::span<const T>(before, values.size()), values);
    }
    return;
  }
  const std::vector<Halves> levels = halvings({0, values.size()}, rank(), size(), nullptr);
  scatter(values, levels);
  gather(values, levels);
}

template void Communicator::sum(std::span<float>);
template void Communicator::sum(std::span<double>);

void BackgroundReducer::push(GradientRange range) {
  if (!thread_.joinable()) {
    // A new thread inherits what is blocked.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  {
    const std::lock_guard lock(mutex_);
    rethrow();
    waiting_.push_back(range);
  }
  pushed_.notify_one();
}

void BackgroundReducer::finish() {
  std::unique_lock lock(mutex_);
  // Nothing else needs the cores now, so waits and sums may take them.
  const auto rest = std::exchange(waiting_, {});
  communicator_->hurry(true);
  idle_.wait(lock, [&] { return !reducing_; });
  communicator_->hurry(false);
  rethrow();
  lock.unlock();
  for (const GradientRange range : rest) reduce_(range);
}

void BackgroundReducer::work(const std::stop_token& stop) {
  base::use_threads(1);  // the others are backward's
  std::unique_lock lock(mutex_);
  while (pushed_.wait(lock, stop, [&] { return !waiting_.empty(); }) && !stop.stop_requested()) {
    const GradientRange range = waiting_.front();
    waiting_.pop_front();
    reducing_ = true;
    lock.unlock();
    std::exception_ptr thrown;
    try {
      reduce_(range);
    } catch (...) {
      thrown = std::current_exception();
    }
    lock.lock();
    reducing_ = false;
    if (thrown) {
      thrown_ = thrown;
      waiting_.clear();
    }
    idle_.notify_one();
  }
}

void BackgroundReducer::rethrow() {
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void send_command(Communicator& communicator, RankCommand command) {
  communicator.broadcast(std::as_writable_bytes(std::span(&command, 1)));
}

RankCommand receive_command(Communicator& communicator) {
  RankCommand command;
  communicator.broadcast(std::as_writable_bytes(std::span(&command, 1)));
  return command;
}

}  // namespace train
