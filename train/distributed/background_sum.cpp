#include "train/distributed/background_sum.h"

#include <csignal>
#include <utility>

#include "base/parallel.h"

namespace train {

Buckets::Buckets(const engine::Params& params, std::size_t bytes)
    : bucket_(params.list().size(), 0) {
  const auto& list = params.list();
  std::size_t end = params.gradients().size();
  list_.push_back({{end, end}});
  size_.push_back(0);
  for (std::size_t i = list.size(); i-- > 0;) {
    if (!list[i].trainable) continue;
    // What is left in front of a bucket must fill one, or belongs to it.
    const std::size_t full = (list_.back().end - list_.back().begin) * sizeof(float);
    if (bytes > 0 && full >= bytes && list_.back().begin * sizeof(float) >= bytes) {
      end = list_.back().begin;
      list_.push_back({{end, end}});
      size_.push_back(0);
    }
    list_.back().begin = list[i].offset;
    bucket_[i] = list_.size() - 1;
    ++size_.back();
  }
  missing_ = size_;
}

void Buckets::begin() {
  missing_ = size_;
  for (Range& range : list_) range.complete = false;
}

const Buckets::Range* Buckets::complete(int param) {
  const std::size_t i = bucket_[static_cast<std::size_t>(param)];
  if (--missing_[i] > 0) return nullptr;
  list_[i].complete = true;
  return &list_[i];
}

BackgroundSum::~BackgroundSum() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    waiting_.clear();
    end_ = true;
  }
  given_.notify_one();
  thread_.join();
}

void BackgroundSum::give(std::span<float> range) {
  if (!thread_.joinable()) start();
  {
    const std::lock_guard lock(mutex_);
    rethrow();
    waiting_.push_back(range);
  }
  given_.notify_one();
}

void BackgroundSum::finish() {
  std::unique_lock lock(mutex_);
  // Here nothing else wants the cores any more, so neither waits nor sums need be modest.
  const auto rest = std::exchange(waiting_, {});
  ranks_->hurry(true);
  rests_.wait(lock, [&] { return !summing_; });
  ranks_->hurry(false);
  rethrow();
  lock.unlock();
  for (const std::span<float> range : rest) sum_(tree_, range);
}

void BackgroundSum::start() {
  // A new thread inherits what is blocked.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  thread_ = std::thread([this] { work(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void BackgroundSum::work() {
  base::use_threads(1);  // the others are backward's
  std::unique_lock lock(mutex_);
  for (;;) {
    given_.wait(lock, [&] { return end_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    const std::span<float> range = waiting_.front();
    waiting_.pop_front();
    summing_ = true;
    lock.unlock();
    std::exception_ptr thrown;
    try {
      sum_(tree_, range);
    } catch (...) {
      thrown = std::current_exception();
    }
    lock.lock();
    summing_ = false;
    if (thrown) {
      thrown_ = thrown;
      waiting_.clear();
    }
    rests_.notify_one();
  }
}

void BackgroundSum::rethrow() {
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

}  // namespace train
