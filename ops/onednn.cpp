#include "ops/onednn.h"

#include <omp.h>

#include <array>
#include <dnnl.hpp>
#include <sstream>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace ops {
namespace {

using dnnl::memory;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::desc strided(std::int64_t rows, std::int64_t cols, std::int64_t row, std::int64_t col) {
  return {{rows, cols}, memory::data_type::f32, memory::dims{row, col}};
}

memory::desc dense(memory::dims dims) {
  memory::dims strides(dims.size(), 1);
  for (std::size_t i = dims.size(); i-- > 1;) strides[i - 1] = strides[i] * dims[i];
  return {dims, memory::data_type::f32, strides};
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

/// A primitive whose arguments are rebound and executed without allocating: the C++ wrapper builds
/// a map on every call.
class Bound {
 public:
  Bound() = default;
  Bound(const dnnl::primitive& primitive, std::vector<std::pair<int, memory::desc>> args,
        int copies)
      : primitive_(primitive) {
    for (int c = 0; c < copies; ++c) {
      Set& set = sets_.emplace_back();
      set.stream = dnnl::stream(cpu());
      for (const auto& [id, desc] : args) {
        set.memories.push_back(memory(desc, cpu(), DNNL_MEMORY_NONE));
        set.args.push_back({id, set.memories.back().get()});
      }
    }
  }

  /// `data` in the order of the constructor's args.
  template <std::size_t N>
  void run(const std::array<const void*, N>& data, int copy) const {
    const Set& set = sets_[static_cast<std::size_t>(copy)];
    for (std::size_t i = 0; i < set.args.size(); ++i)
      check(dnnl_memory_set_data_handle(set.args[i].memory, const_cast<void*>(data[i])));
    check(dnnl_primitive_execute(primitive_.get(), set.stream.get(),
                                 static_cast<int>(set.args.size()), set.args.data()));
  }

 private:
  struct Set {
    dnnl::stream stream;
    std::vector<memory> memories;
    std::vector<dnnl_exec_arg_t> args;
  };
  static void check(dnnl_status_t status) {
    base::require(status == dnnl_success, "oneDNN: a call failed with status ",
                  static_cast<int>(status));
  }
  dnnl::primitive primitive_;
  std::vector<Set> sets_;
};

void refuse_reference(std::string_view implementation, std::string_view what) {
  base::require(implementation.substr(0, 3) != "ref", what,
                ": oneDNN has only its slow reference implementation (", implementation,
                ") for this shape");
}

/// Primitives that one thread runs inside a parallel region must be built for one thread.
class ThreadsGuard {
 public:
  explicit ThreadsGuard(bool threaded) : before_(omp_get_max_threads()) {
    if (!threaded) omp_set_num_threads(1);
  }
  ~ThreadsGuard() { omp_set_num_threads(before_); }
  ThreadsGuard(const ThreadsGuard&) = delete;
  ThreadsGuard& operator=(const ThreadsGuard&) = delete;

 private:
  int before_;
};

memory::desc plain_b(const MatmulSpec& s) { return strided(s.k, s.n, s.b_row, s.b_col); }

dnnl::matmul::primitive_desc matmul_desc(const MatmulSpec& s) {
  const memory::desc a = strided(s.m, s.k, s.a_row, s.a_col);
  const memory::desc b =
      s.packed ? memory::desc({s.k, s.n}, memory::data_type::f32, memory::format_tag::any)
               : plain_b(s);
  const memory::desc c = strided(s.m, s.n, s.c_row, 1);
  dnnl::primitive_attr attr = user_scratchpad();
  if (s.accumulate) {
    dnnl::post_ops post;
    post.append_sum(1.0F);
    attr.set_post_ops(post);
  }
#if DNNL_VERSION_MAJOR >= 3
  if (!s.bias) return {cpu(), a, b, c, attr};
  return {cpu(), a, b, dense({1, s.n}), c, attr};
#else
  if (!s.bias) return {{a, b, c}, attr, cpu()};
  return {{a, b, dense({1, s.n}), c}, attr, cpu()};
#endif
}

}  // namespace

struct Matmul::Impl {
  std::string implementation;
  Bound bound;
  Bound packing;
};

Matmul::Matmul(const MatmulSpec& s) : impl_(std::make_unique<Impl>()) {
  const ThreadsGuard guard(s.threaded);
  const auto desc = matmul_desc(s);
  impl_->implementation = desc.impl_info_str();
  refuse_reference(impl_->implementation, "matmul");
  std::vector<std::pair<int, memory::desc>> args = {{DNNL_ARG_SRC, desc.src_desc()},
                                                    {DNNL_ARG_WEIGHTS, desc.weights_desc()},
                                                    {DNNL_ARG_DST, desc.dst_desc()},
                                                    {DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc()}};
  if (s.bias) args.emplace_back(DNNL_ARG_BIAS, desc.bias_desc());
  impl_->bound = Bound(dnnl::matmul(desc), std::move(args), s.copies);
  if (!s.packed || desc.weights_desc() == plain_b(s)) return;
  const dnnl::reorder::primitive_desc packing(cpu(), plain_b(s), cpu(), desc.weights_desc(),
                                              user_scratchpad());
  base::require(packing.scratchpad_desc().get_size() == 0,
                "matmul: packing its operand wants memory of its own");
  impl_->packing = Bound(dnnl::reorder(packing),
                         {{DNNL_ARG_FROM, plain_b(s)}, {DNNL_ARG_TO, desc.weights_desc()}}, 1);
}
Matmul::~Matmul() = default;
Matmul::Matmul(Matmul&&) noexcept = default;
Matmul& Matmul::operator=(Matmul&&) noexcept = default;
std::string Matmul::implementation() const { return impl_->implementation; }

std::size_t Matmul::scratch_bytes(const MatmulSpec& s) {
  const ThreadsGuard guard(s.threaded);
  return matmul_desc(s).scratchpad_desc().get_size();
}

std::size_t Matmul::packed_bytes(const MatmulSpec& s) {
  const ThreadsGuard guard(s.threaded);
  const auto desc = matmul_desc(s);
  return desc.weights_desc() == plain_b(s) ? 0 : desc.weights_desc().get_size();
}

void Matmul::pack(const float* b, std::byte* to) const {
  impl_->packing.run(std::array<const void*, 2>{b, to}, 0);
}

void Matmul::run(const float* a, const float* b, const float* bias, float* c, std::byte* scratch,
                 int copy) const {
  impl_->bound.run(std::array<const void*, 5>{a, b, c, scratch, bias}, copy);
}

struct LayerNormForward::Impl {
  Bound bound;
};

namespace {
using NormForward = dnnl::layer_normalization_forward;
NormForward::primitive_desc norm_desc(std::int64_t rows, std::int64_t channels, bool shift,
                                      float epsilon) {
  const memory::desc x = dense({rows, channels});
  auto flags = dnnl::normalization_flags::use_scale;
  if (shift) flags = flags | dnnl::normalization_flags::use_shift;
  const auto kind = dnnl::prop_kind::forward_training;
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), kind, x, x, epsilon, flags, user_scratchpad()};
#else
  return {{kind, x, epsilon, flags}, user_scratchpad(), cpu()};
#endif
}
}  // namespace

LayerNormForward::LayerNormForward(std::int64_t rows, std::int64_t channels, bool shift,
                                   float epsilon)
    : impl_(std::make_unique<Impl>()) {
  const auto desc = norm_desc(rows, channels, shift, epsilon);
  refuse_reference(desc.impl_info_str(), "layernorm");
  const memory::desc x = dense({rows, channels});
  const memory::desc scale = dense({channels});
  impl_->bound = Bound(NormForward(desc),
                       {{DNNL_ARG_SRC, x},
                        {DNNL_ARG_DST, x},
                        {DNNL_ARG_MEAN, desc.mean_desc()},
                        {DNNL_ARG_VARIANCE, desc.variance_desc()},
                        {DNNL_ARG_SCALE, scale},
                        {DNNL_ARG_SCRATCHPAD, desc.scratchpad_desc()},
                        {DNNL_ARG_SHIFT, scale}},
                       1);
}
LayerNormForward::~LayerNormForward() = default;
LayerNormForward::LayerNormForward(LayerNormForward&&) noexcept = default;
LayerNormForward& LayerNormForward::operator=(LayerNormForward&&) noexcept = default;
std::size_t LayerNormForward::scratch_bytes(std::int64_t rows, std::int64_t channels, bool shift,
                                            float epsilon) {
  return norm_desc(rows, channels, shift, epsilon).scratchpad_desc().get_size();
}

void LayerNormForward::run(const float* x, const float* gamma, const float* beta, float* y,
                           float* mean, float* variance, std::byte* scratch) const {
  impl_->bound.run(std::array<const void*, 7>{x, y, mean, variance, gamma, scratch, beta}, 0);
}

std::string onednn_version() {
  const dnnl_version_t* v = dnnl_version();
  return base::concat(v->major, ".", v->minor, ".", v->patch);
}

std::string onednn_isa() {
  std::ostringstream out;
  out << "0x" << std::hex << static_cast<unsigned>(dnnl_get_effective_cpu_isa());
  return out.str();
}

}  // namespace ops
