// Ranks that are threads of this process.
#pragma once
#include <barrier>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "train/distributed/communicator.h"

namespace tests {

/// Where they meet.
struct Meeting {
  explicit Meeting(int size) : sent(static_cast<std::size_t>(size)), barrier(size) {}
  std::vector<std::span<const std::byte>> sent;
  std::barrier<> barrier;
};

/// All exchange at the same time, as in train::Communicator::all_reduce().
class ThreadRanks final : public train::Communicator {
 public:
  ThreadRanks(Meeting& meeting, int rank) : meeting_(meeting), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return static_cast<int>(meeting_.sent.size()); }
  void exchange(int partner, std::span<const std::byte> out, std::span<std::byte> in) override {
    take(partner, out, in);
    bytes += out.size();
    ++messages;
  }
  void broadcast(std::span<std::byte> all) override {
    const std::vector<std::byte> out(all.begin(), all.end());
    take(0, out, all);
  }
  std::size_t bytes = 0, messages = 0;  // sent

 private:
  void take(int from, std::span<const std::byte> out, std::span<std::byte> in) {
    meeting_.sent[static_cast<std::size_t>(rank_)] = out;
    meeting_.barrier.arrive_and_wait();
    const auto& sent = meeting_.sent[static_cast<std::size_t>(from)];
    if (sent.size() != in.size()) std::abort();  // would wait for ever over MPI
    if (!in.empty()) std::memcpy(in.data(), sent.data(), in.size());
    meeting_.barrier.arrive_and_wait();
  }
  Meeting& meeting_;
  int rank_;
};

/// f(ranks) as each of `size` ranks at once.
inline void as_ranks(int size, const std::function<void(ThreadRanks&)>& f) {
  Meeting meeting(size);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank)
    threads.emplace_back([&, rank] {
      ThreadRanks ranks(meeting, rank);
      f(ranks);
    });
  for (std::thread& t : threads) t.join();
}

}  // namespace tests
