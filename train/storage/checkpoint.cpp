#include "train/storage/checkpoint.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/text.h"
#include "train/storage/safetensors.h"

namespace train {
namespace fs = std::filesystem;
namespace {

using base::require;

constexpr std::string_view kPrefix = "checkpoint-", kSuffix = ".safetensors", kAside = ".aside";
constexpr const char *kRun = "run", *kBudgets = "budgets";  // in the metadata
constexpr const char *kFirst = "adam.first/", *kSecond = "adam.second/";
constexpr std::size_t kKept = 2;

/// Shows every number of the state with its name. A member that is added to it must be named here:
/// the binding does not compile without.
template <class State, class Show>
void each_number(State& state, const Show& show) {
  auto& [step, spent, params, moments, progress, lr, grad_norm, losses, grad_norms, loss_sum,
         loss_count, val_loss, best_val_loss, best_weights, val_windows, first_loss, late_loss_sum,
         late_loss_count, worse, next_eval, eval_seconds, recalibration, earlier] = state;
  const auto show_spent = [&](const std::string& name, auto& of) {
    auto& [steps, tokens, flops, seconds, epochs] = of;
    show(name + ".steps", steps);
    show(name + ".tokens", tokens);
    show(name + ".flops", flops);
    show(name + ".seconds", seconds);
    show(name + ".epochs", epochs);
  };
  show("step", step);
  show_spent("spent", spent);
  show("updates", moments.updates);
  show("progress", progress);
  show("lr", lr);
  show("grad_norm", grad_norm);
  show("losses", losses);
  show("grad_norms", grad_norms);
  show("loss_sum", loss_sum);
  show("loss_count", loss_count);
  show("val_loss", val_loss);
  show("best_val_loss", best_val_loss);
  show("best_weights", best_weights);
  show("val_windows", val_windows);
  show("first_loss", first_loss);
  show("late_loss_sum", late_loss_sum);
  show("late_loss_count", late_loss_count);
  show("worse", worse);
  show("next_eval", next_eval);
  show("eval_seconds", eval_seconds);
  show_spent("recalibration", recalibration);
}

/// In the file's names no parameter's.
std::string tensor_name(const std::string& name) { return "state/" + name; }

template <class T>
std::span<const std::byte> bytes_at(const T* first, std::size_t count) {
  return std::as_bytes(std::span(first, count));
}

/// Views of the numbers as tensors of one dimension: doubles keep their bits, what is not known has
/// no element.
struct Writer {
  std::vector<TensorView>& out;

  template <class T>
  void add(const std::string& name, const char* dtype, const T* first, std::size_t n) const {
    out.push_back({tensor_name(name), dtype, {static_cast<std::int64_t>(n)}, bytes_at(first, n)});
  }
  void operator()(const std::string& name, const std::int64_t& x) const { add(name, "I64", &x, 1); }
  void operator()(const std::string& name, const double& x) const { add(name, "F64", &x, 1); }
  void operator()(const std::string& name, const std::optional<double>& x) const {
    add(name, "F64", x ? &*x : nullptr, x ? 1 : 0);
  }
  void operator()(const std::string& name, const std::vector<float>& x) const {
    add(name, "F32", x.data(), x.size());
  }
};

struct Reader {
  const TensorFile& file;

  /// Throws base::Error unless the tensor is of such a type and has `low` to `high` elements.
  const Tensor& tensor(const std::string& name, const char* dtype, std::size_t low,
                       std::size_t high) const {
    const Tensor& t = file.at(name);
    const std::size_t n = t.bytes.size() / (t.dtype == "F32" ? sizeof(float) : sizeof(double));
    require(t.dtype == dtype && t.shape.size() == 1 && n >= low && n <= high, file.path.string(),
            ": its tensor '", name, "' is not one of ", low, " to ", high, " numbers of ", dtype);
    return t;
  }
  template <class T>
  void number(const std::string& name, const char* dtype, T& into) const {
    std::memcpy(&into, tensor(tensor_name(name), dtype, 1, 1).bytes.data(), sizeof into);
  }
  void operator()(const std::string& name, std::int64_t& into) const {
    number(name, "I64", into);
    require(into >= 0, file.path.string(), ": ", name, " is ", into, ", below 0");
  }
  void operator()(const std::string& name, double& into) const { number(name, "F64", into); }
  void operator()(const std::string& name, std::optional<double>& into) const {
    const std::vector<double> x = tensor(tensor_name(name), "F64", 0, 1).f64();
    into = x.empty() ? std::nullopt : std::optional(x[0]);
  }
  void operator()(const std::string& name, std::vector<float>& into) const {
    into = tensor(tensor_name(name), "F32", 0, SIZE_MAX).f32();
  }
  void floats(const std::string& name, std::size_t n, float* into) const {
    std::memcpy(into, tensor(name, "F32", n, n).bytes.data(), n * sizeof(float));
  }
};

std::size_t numbers_of(const engine::Param& p) { return static_cast<std::size_t>(p.shape.numel()); }

std::size_t numbers_of(const engine::Params& params) {
  std::size_t sum = 0;
  for (const engine::Param& p : params.list()) sum += numbers_of(p);
  return sum;
}

/// [["2000steps",2000],["4000steps"]]: the budgets so far and where each was left.
std::string budgets_text(const std::vector<Stretch>& earlier, const std::string& now) {
  nlohmann::json json = nlohmann::json::array();
  for (const Stretch& s : earlier) json.push_back({s.budget, s.until});
  json.push_back({now});
  return json.dump();
}

/// REQUIRES: the text is one that budgets_text() made.
std::vector<Stretch> earlier_budgets(const std::string& text, std::string& last) {
  const nlohmann::json json = nlohmann::json::parse(text);
  std::vector<Stretch> out;
  for (const auto& entry : json)
    if (entry.size() == 2)
      out.push_back({entry[0].get<std::string>(), entry[1].get<std::int64_t>()});
    else
      last = entry[0].get<std::string>();
  return out;
}

}  // namespace

std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<std::pair<std::int64_t, fs::path>> found;
  for (const fs::path& entry : base::entries_of(folder)) {
    const std::string name = entry.filename().string();
    if (name.size() <= kPrefix.size() + kSuffix.size() || !name.starts_with(kPrefix) ||
        !name.ends_with(kSuffix))
      continue;
    std::int64_t step = 0;
    const auto digits = std::string_view(name).substr(
        kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
    if (base::parse_number(digits, step) == std::errc{}) found.emplace_back(step, entry);
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<fs::path> out;
  for (auto& [step, path] : found) out.push_back(std::move(path));
  return out;
}

std::string set_aside(const fs::path& checkpoint) {
  for (int number = 1;; ++number) {
    const fs::path to = fmt::format("{}.{}{}", checkpoint.string(), number, kAside);
    if (fs::symlink_status(to).type() != fs::file_type::not_found) continue;
    std::error_code code;
    fs::rename(checkpoint, to, code);
    return code ? "it stays where it is (" + code.message() + ")"
                : "set aside as " + to.filename().string();
  }
}

bool is_set_aside(std::string_view name) {
  return name.starts_with(kPrefix) && name.ends_with(kAside);
}

std::size_t checkpoint_bytes(const engine::Params& params, const Settings& settings) {
  std::size_t numbers = numbers_of(params) * (settings.keeps_best() ? 2 : 1);
  for (const engine::Param& p : params.list()) numbers += p.trainable ? 2 * numbers_of(p) : 0;
  return numbers * sizeof(float);
}

Checkpoints::Checkpoints(fs::path folder, const Settings& settings, std::string_view data_hash)
    : folder_(std::move(folder)), budget_(settings.budget) {
  // What is at its default is left out, so that a setting which is added later changes nothing.
  nlohmann::ordered_json own = to_json(settings), defaults = to_json(Settings{});
  own.erase("budget");
  for (const auto& [name, value] : defaults.items())
    if (own.contains(name) && own[name] == value) own.erase(name);
  run_ = base::Hash().add(own.dump()).add(data_hash).hex();
}

std::string Checkpoints::id(const std::string& budgets) const {
  return base::Hash().add(run_).add(budgets).hex();
}

void Checkpoints::save(const TrainState& state) const {
  const engine::Params& params = *state.params;
  std::vector<TensorView> tensors = views(params);
  for (const auto& [prefix, values] :
       {std::pair{kFirst, state.moments.first()}, {kSecond, state.moments.second()}})
    for (const engine::Param& p : params.list())
      if (p.trainable)
        tensors.push_back({prefix + p.name,
                           "F32",
                           {p.shape.numel()},
                           bytes_at(values + p.offset, numbers_of(p))});
  each_number(state, Writer{tensors});
  const std::string budgets = budgets_text(state.earlier, budget_);
  const fs::path path = folder_ / fmt::format("{}{:06}{}", kPrefix, state.step, kSuffix);
  write_safetensors(path, tensors, {{kRun, id(budgets)}, {kBudgets, budgets}});
  const std::vector<fs::path> all = checkpoints_in(folder_);
  std::error_code ignored;  // one too many is in nobody's way
  for (std::size_t i = kKept; i < all.size(); ++i) fs::remove(all[i], ignored);
}

void Checkpoints::fill(TrainState& state, const fs::path& path, std::string& extended) const {
  const TensorFile file = read_safetensors(path);
  const auto run = file.metadata.find(kRun), budgets = file.metadata.find(kBudgets);
  require(run != file.metadata.end() && budgets != file.metadata.end() &&
              run->second == id(budgets->second),
          path.string(),
          ": is not a checkpoint of the run that config.json and data.json describe");
  load_parameters(*state.params, file);
  const Reader reader{file};
  for (const engine::Param& p : state.params->list()) {
    if (!p.trainable) continue;
    reader.floats(kFirst + p.name, numbers_of(p), state.moments.first() + p.offset);
    reader.floats(kSecond + p.name, numbers_of(p), state.moments.second() + p.offset);
  }
  each_number(state, reader);
  require(state.best_weights.empty() || state.best_weights.size() == numbers_of(*state.params),
          path.string(), ": holds ", state.best_weights.size(),
          " numbers as the best weights, not ", numbers_of(*state.params));
  for (const std::vector<float>* steps : {&state.losses, &state.grad_norms})
    require(std::ssize(*steps) == state.step, path.string(), ": has losses of ",
            base::counted(steps->size(), "step"), " out of ", state.step);
  std::string last;
  state.earlier = earlier_budgets(budgets->second, last);
  extended.clear();
  if (last == budget_) return;
  extended = last;
  state.earlier.push_back({last, state.step});
  state.loss_sum = state.late_loss_sum = state.next_eval = 0;
  state.loss_count = state.late_loss_count = state.worse = 0;
}

Checkpoints::Loaded Checkpoints::load(TrainState& state) const {
  Loaded loaded;
  for (const fs::path& path : checkpoints_in(folder_)) {
    try {
      fill(state, path, loaded.extended);
      loaded.path = path;
      return loaded;
    } catch (const base::Error& e) {
      loaded.damaged.emplace_back(path, e.what());
    }
  }
  require(!loaded.damaged.empty(), base::quote(folder_.string()),
          ": has no checkpoint (the run was stopped before its first); start it again with --out");
  std::vector<std::string> why;
  for (const auto& [path, reason] : loaded.damaged) why.push_back(reason);
  throw base::Error(fmt::format("{}: no checkpoint can be used; start the run again with --out; {}",
                                base::quote(folder_.string()), fmt::join(why, "; ")));
}

void Checkpoints::keep_only(const fs::path& path) const {
  for (const fs::path& other : checkpoints_in(folder_))
    if (other != path) fs::remove(other);
}

}  // namespace train
