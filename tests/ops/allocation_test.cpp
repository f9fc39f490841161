// After the first step isodrop's own code allocates nothing and creates no primitive. oneDNN
// allocates a little inside its calls, and the OpenMP runtime for a team of one thread: neither is
// ours, and they are told apart.
//
// malloc and its relatives are replaced for this executable, so whatever allocates, operator new
// included, comes by here. An allocation belongs to the first object on the call stack that is this
// executable (with everything inlined or instantiated into it, oneDNN's C++ wrapper too), libdnnl
// or libgomp; the C++ library in between acts for its caller.
#include <dlfcn.h>
#include <execinfo.h>
#include <gtest/gtest.h>
#include <link.h>

#include <array>
#include <atomic>
#include <string_view>
#include <vector>

#include "models/gpt.h"
#include "tests/ops/op_harness.h"
#include "tests/ops/test_ops.h"

#if defined(__SANITIZE_ADDRESS__)
#define ISODROP_COUNTS 0  // the sanitizer has its own malloc
#elif defined(__has_feature)
#define ISODROP_COUNTS !__has_feature(address_sanitizer)
#else
#define ISODROP_COUNTS 1
#endif

#if ISODROP_COUNTS
namespace {

struct Range {
  std::uintptr_t begin = 0, end = 0;
  bool holds(const void* p) const {
    const auto a = reinterpret_cast<std::uintptr_t>(p);
    return begin <= a && a < end;
  }
};

Range own_code, onednn_code, openmp_code;
std::atomic<bool> counting{false};
std::atomic<int> ours{0}, of_runtimes{0}, of_nobody{0}, primitives{0};
thread_local bool inside = false;

int find_code(dl_phdr_info* info, std::size_t, void*) {
  const std::string_view name = info->dlpi_name;
  Range* range = name.empty()                                     ? &own_code
                 : name.find("libdnnl") != std::string_view::npos ? &onednn_code
                 : name.find("libgomp") != std::string_view::npos ||
                         name.find("libomp") != std::string_view::npos
                     ? &openmp_code
                     : nullptr;
  // The executable comes first and without a name; the kernel's vdso later, without one too.
  if (range == nullptr || range->end != 0) return 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& segment = info->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    range->begin = info->dlpi_addr + segment.p_vaddr;
    range->end = range->begin + segment.p_memsz;
  }
  return 0;
}

/// Called by the functions below: frame 0 is this function, frame 1 the replaced one.
[[gnu::noinline]] void count() {
  if (!counting.load(std::memory_order_relaxed) || inside) return;
  inside = true;
  std::array<void*, 64> frames{};
  const int depth = backtrace(frames.data(), static_cast<int>(frames.size()));
  std::atomic<int>* owner = &of_nobody;
  for (int i = 2; i < depth && owner == &of_nobody; ++i) {
    const void* frame = frames[static_cast<std::size_t>(i)];
    if (own_code.holds(frame)) owner = &ours;
    if (onednn_code.holds(frame) || openmp_code.holds(frame)) owner = &of_runtimes;
  }
  ++*owner;
  inside = false;
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);

[[gnu::noinline]] void* malloc(std::size_t n) {
  count();
  return __libc_malloc(n);
}
[[gnu::noinline]] void* calloc(std::size_t n, std::size_t size) {
  count();
  return __libc_calloc(n, size);
}
[[gnu::noinline]] void* realloc(void* p, std::size_t n) {
  count();
  return __libc_realloc(p, n);
}
[[gnu::noinline]] void* memalign(std::size_t align, std::size_t n) {
  count();
  return __libc_memalign(align, n);
}
[[gnu::noinline]] void* aligned_alloc(std::size_t align, std::size_t n) {
  count();
  return __libc_memalign(align, n);
}
[[gnu::noinline]] int posix_memalign(void** p, std::size_t align, std::size_t n) {
  count();
  *p = __libc_memalign(align, n);
  return *p == nullptr ? 12 : 0;  // ENOMEM
}

// oneDNN's own; both majors have this signature, up to the names of the types.
int dnnl_primitive_create(void** primitive, const void* desc) {
  using Create = int (*)(void**, const void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "dnnl_primitive_create"));
  if (counting) ++primitives;
  return create(primitive, desc);
}
}

namespace tests {
namespace {

struct Counted {
  int ours, of_runtimes, of_nobody, primitives;
};

template <class F>
Counted counted(const F& f) {
  static const bool ready = [] {
    dl_iterate_phdr(find_code, nullptr);
    void* frame = nullptr;
    backtrace(&frame, 1);  // loads what it needs
    return true;
  }();
  EXPECT_TRUE(ready && own_code.end != 0 && onednn_code.end != 0 && openmp_code.end != 0);
  ours = of_runtimes = of_nobody = primitives = 0;
  counting = true;
  f();
  counting = false;
  return {ours, of_runtimes, of_nobody, primitives};
}

void expect_quiet(engine::Plan& plan, const Step& step, bool trains = true) {
  const auto run = [&] {
    for (const bool accumulate : {false, true}) {
      plan.forward(step);
      if (trains) plan.backward(step, accumulate);
    }
  };
  run();
  const Counted c = counted(run);
  EXPECT_EQ(c.ours, 0);
  EXPECT_EQ(c.of_nobody, 0);
  EXPECT_EQ(c.primitives, 0);
}

class AllocationTest : public testing::TestWithParam<OpCase> {};

TEST_P(AllocationTest, NoneAfterTheFirstStep) {
  const Point point = make_point(GetParam());
  RecordedCase recorded(GetParam(), point, {});
  expect_quiet(recorded.plan(), point.step, GetParam().trains());
}

INSTANTIATE_TEST_SUITE_P(Ops, AllocationTest, testing::ValuesIn(tested_cases()),
                         [](const auto& row) { return row.param.name; });

TEST(Allocation, NoneInAStepOfAGptAfterTheFirst) {
  models::GptConfig config;
  config.n_layer = 2;
  config.n_embd = 64;
  config.bias = true;
  config.regularizers = models::gpt2_dropout(0.1);
  for (const bool recompute : {false, true}) {
    engine::Params params;
    Tape tape(params);
    const models::Gpt gpt = models::record_gpt(tape, config, 4, 64, models::Mode::kTrain);
    engine::PlanOptions options;
    options.recompute = recompute;
    engine::Plan plan(std::move(tape), gpt.loss, options);
    params.allocate(1);
    std::vector<std::int32_t> tokens(4 * 64, 1);
    plan.bind(gpt.tokens, tokens.data());
    plan.bind(gpt.targets, tokens.data());
    expect_quiet(plan, {});
  }
}

// The count itself works: it sees what an op allocates and the primitives of the first step.
TEST(Allocation, TheCountSeesAnAllocatingOpAndTheFirstPrimitives) {
  engine::Params params;
  Tape tape(params);
  const Ref p = tape.param("p", {3}, {});
  engine::Needs needs;
  needs.inputs = 0;
  volatile float sink = 0;
  const auto wasteful = [&](const engine::Frame&) { sink = std::vector<float>(100).back(); };
  const Ref y = lambda(tape, "wasteful", {wasteful, wasteful, needs}, {p});
  engine::Plan plan(std::move(tape), weighted_sum(tape, "loss", {y}), {});
  params.allocate(1);
  plan.forward({});
  EXPECT_EQ(counted([&] { plan.forward({}); }).ours, 1);

  const OpCase& row = op_cases().front();
  ASSERT_TRUE(row.name.starts_with("matmul"));
  const Point point = make_point(row);
  RecordedCase recorded(row, point, {});
  EXPECT_GT(counted([&] { recorded.plan().forward(point.step); }).primitives, 0);
}

}  // namespace
}  // namespace tests
#endif
