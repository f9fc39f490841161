#include "train/distributed/mpi_communicator.h"

#ifdef ISODROP_MPI
#include <mpi.h>
#endif

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <utility>

#include "base/measure.h"
#include "base/text.h"

namespace train {
namespace {

using base::quote;
using base::require;

template <class T>
bool is_number(std::string_view text, T& out) {
  return base::parse_number(text, out) == std::errc{};
}

#ifdef ISODROP_MPI
constexpr const char *kSlowLink = "ISODROP_SLOW_LINK", *kOverlap = "ISODROP_OVERLAP";
// Bytes of one MPI call: MPI counts in int, and `patience` is for silence, not for long messages.
constexpr std::size_t kPiece = std::size_t{1} << 24;
// A wait spins for this many seconds, then yields (a busy neighbour may then take the core for
// milliseconds), then sleeps.
constexpr double kSpin = 5e-5, kYield = 0.01;
constexpr double kNap = 1e-4;  // seconds between two looks
// In the background each look takes the core from backward, tens of µs on a virtual machine: looks
// become rarer, and are late by at most an eighth of the time waited.
constexpr double kLate = 0.125, kLongNap = 2e-3;

bool overlap_asked() {
  const char* text = std::getenv(kOverlap);
  const std::string_view all = text == nullptr ? "1" : text;
  require(all == "0" || all == "1", kOverlap, "=", quote(all), ": give 0 or 1");
  return all == "1";
}

/// Seconds that a message and a byte take on top of what they take anyway: for measuring.
struct SlowLink {
  double message = 0, byte = 0;
};

SlowLink slow_link_asked() {
  const char* text = std::getenv(kSlowLink);
  if (text == nullptr) return {};
  const std::string_view all = text;
  const std::size_t comma = std::min(all.find(','), all.size());
  double latency = 0, bandwidth = 0;
  require(comma < all.size() && is_number(all.substr(0, comma), latency) &&
              is_number(all.substr(comma + 1), bandwidth) && latency >= 0 && latency <= 1e7 &&
              bandwidth > 0,
          kSlowLink, "=", quote(all), ": give MICROSECONDS,MEGABYTES_PER_SECOND, as in 50,1000");
  return {latency * 1e-6, 1e-6 / bandwidth};
}

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator(std::function<bool()> stop, double patience, bool overlap, SlowLink link)
      : stop_(std::move(stop)), patience_(patience), link_(link) {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    check(MPI_Comm_rank(MPI_COMM_WORLD, &rank_));
    check(MPI_Comm_size(MPI_COMM_WORLD, &size_));
    MPI_Comm host = MPI_COMM_NULL;
    check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &host));
    check(MPI_Comm_size(host, &on_this_host_));
    check(MPI_Comm_free(&host));
    // Ranks that cut the gradients differently would wait for each other for ever.
    int mine = provided >= MPI_THREAD_SERIALIZED && overlap ? 1 : 0, all = 0;
    check(MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD));
    any_thread_ = all != 0;
  }
  // MPI_Finalize waits for the others, who may never come to it.
  ~MpiCommunicator() override {
    if (!left_) MPI_Finalize();
  }
  void leave() override { left_ = true; }
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int on_this_host() const override { return on_this_host_; }
  bool any_thread() const override { return any_thread_; }

  void exchange(int partner, std::span<const std::byte> out, std::span<std::byte> in) override {
    require_here();
    for (std::size_t i = 0; i < std::max(out.size(), in.size()); i += kPiece) {
      MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
      if (i < in.size())
        check(MPI_Irecv(in.data() + i, piece(in.size(), i), MPI_BYTE, partner, 0, MPI_COMM_WORLD,
                        &requests[0]));
      if (i < out.size())
        check(MPI_Isend(out.data() + i, piece(out.size(), i), MPI_BYTE, partner, 0, MPI_COMM_WORLD,
                        &requests[1]));
      wait(requests, 2);
    }
    slow_down(1, std::max(out.size(), in.size()));
  }

  void broadcast(std::span<std::byte> bytes) override {
    require_here();
    for (std::size_t i = 0; i < bytes.size(); i += kPiece) {
      MPI_Request request = MPI_REQUEST_NULL;
      check(MPI_Ibcast(bytes.data() + i, piece(bytes.size(), i), MPI_BYTE, 0, MPI_COMM_WORLD,
                       &request));
      wait(&request, 1);
    }
    slow_down(std::bit_width(static_cast<unsigned>(size_) - 1), bytes.size());
  }

 private:
  static int piece(std::size_t size, std::size_t at) {
    return static_cast<int>(std::min(kPiece, size - at));
  }

  void require_here() const {
    if (left_) throw RankLost("this process has left the run");
  }

  void check(int code) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING] = {};
    int length = 0;
    MPI_Error_string(code, text, &length);
    lose(base::concat("another process of the run does not answer (", text, ")"));
  }

  [[noreturn]] void lose(const std::string& what) {
    left_ = true;
    throw RankLost(what);
  }

  static void sleep(double seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  }

  void wait(MPI_Request* requests, int count) {
    const base::Stopwatch watch;
    double stopped = -1;  // when stop_() was first true
    for (;;) {
      int done = 0;
      check(MPI_Testall(count, requests, &done, MPI_STATUSES_IGNORE));
      if (done != 0) return;
      const double now = watch.seconds();
      const bool background = in_background();
      if (now < kSpin && !background) continue;
      if (stop_ && stop_()) {
        if (stopped < 0) stopped = now;
        if (now - stopped > patience_)
          lose("the other processes did not finish this step in time, or one of them is gone");
      }
      if (background)
        sleep(std::clamp(kLate * now, kNap, kLongNap));
      else if (now >= kYield)
        sleep(kNap);
      else
        std::this_thread::yield();
    }
  }

  void slow_down(int messages, std::size_t bytes) const {
    const double seconds = messages * link_.message + static_cast<double>(bytes) * link_.byte;
    if (seconds == 0) return;
    if (in_background()) return sleep(seconds);
    // A sleep is exact to some 50 µs, so the end of the time is spun.
    const base::Stopwatch watch;
    if (seconds > 2e-4) sleep(seconds - 1e-4);
    while (watch.seconds() < seconds) std::this_thread::yield();
  }

  std::function<bool()> stop_;
  double patience_;
  SlowLink link_;
  int rank_ = 0, size_ = 1, on_this_host_ = 1;
  bool any_thread_ = false, left_ = false;
};

#endif

}  // namespace

Launch launched() {
  // Open MPI; MPICH and its relatives, and srun with PMI.
  for (const auto& [size_name, rank_name] :
       {std::pair{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"}, {"PMI_SIZE", "PMI_RANK"}}) {
    const char *size = std::getenv(size_name), *rank = std::getenv(rank_name);
    if (size == nullptr || rank == nullptr) continue;
    Launch launch;
    require(is_number(size, launch.size) && is_number(rank, launch.rank) && launch.rank >= 0 &&
                launch.rank < launch.size,
            "the environment has ", rank_name, "=", quote(rank), " and ", size_name, "=",
            quote(size),
            ", which is not a rank of a launched program; unset both, or start with mpirun");
    return launch;
  }
  return {};
}

#ifdef ISODROP_MPI
std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  MPI_Get_library_version(text, &length);
  // "Open MPI v4.1.4, package: …"; MPICH: "MPICH Version:\t4.0.2\nMPICH Release date: …"
  std::string version = std::string(text).substr(0, std::string_view(text).find_first_of(",\n"));
  std::replace(version.begin(), version.end(), '\t', ' ');
  return version;
}

std::unique_ptr<Communicator> connect_ranks(const Launch& launch, std::function<bool()> stop,
                                            double patience) {
  auto mpi = std::make_unique<MpiCommunicator>(std::move(stop), patience, overlap_asked(),
                                               slow_link_asked());
  require(mpi->size() == launch.size && mpi->rank() == launch.rank, "the launcher says process ",
          launch.rank, " of ", launch.size, ", ", mpi_version(), " says ", mpi->rank(), " of ",
          mpi->size(), ": start with the mpirun of the MPI that this program was built with");
  return mpi;
}
#else
std::string mpi_version() { return {}; }

std::unique_ptr<Communicator> connect_ranks(const Launch& launch, std::function<bool()>, double) {
  throw base::Error(base::concat(
      "started as ", launch.size,
      " processes, but this program was built without MPI; build it with -DISODROP_MPI=ON (on "
      "Debian after apt-get install libopenmpi-dev), or start it without mpirun"));
}
#endif

}  // namespace train
