#include "tests/models/golden_check.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/plan.h"
#include "models/gpt.h"
#include "train/optim/optimizer.h"

namespace tests {
namespace {

using base::concat;
using base::require;
using Json = nlohmann::json;

struct Training {
  std::int64_t batch = 0, steps = 0;
  double lr = 0;
};

struct Config {
  models::GptConfig gpt;
  train::AdamWConfig adam;
  Training training;
};

/// Every key is either used or may have one value only: nothing is ignored.
Config read_config(const train::TensorFile& file) {
  const auto found = file.metadata.find("config");
  const auto format = file.metadata.find("format");
  require(format != file.metadata.end() && format->second == "isodrop-golden" &&
              found != file.metadata.end(),
          file.path.string(), ": not a golden file; scripts/golden.py makes them");
  Json json = Json::parse(found->second);
  Config c;
  const auto take = [&](const char* key, auto& to) {
    require(json.contains(key), file.path.string(), ": config has no '", key, "'");
    json.at(key).get_to(to);
    json.erase(key);
  };
  const auto only = [&](const char* key, const Json& value) {
    const Json given = json.value(key, value);
    require(given == value, file.path.string(), ": config ", key, "=", given.dump(),
            " is not supported, only ", value.dump());
    json.erase(key);
  };
  int bias = 0;
  take("n_layer", c.gpt.n_layer);
  take("n_head", c.gpt.n_head);
  take("n_embd", c.gpt.n_embd);
  take("block_size", c.gpt.block_size);
  take("vocab", c.gpt.vocab);
  take("bias", bias);
  c.gpt.bias = bias != 0;
  take("batch", c.training.batch);
  take("steps", c.training.steps);
  take("lr", c.training.lr);
  take("weight_decay", c.adam.weight_decay);
  take("beta1", c.adam.beta1);
  take("beta2", c.adam.beta2);
  take("adam_eps", c.adam.epsilon);
  take("clip", c.adam.clip);
  std::string name;
  const auto named = [&](const char* key, auto find) {
    take(key, name);
    return &find(name);
  };
  c.gpt.activation = named("activation", ops::activation_kind);
  c.gpt.norm = named("norm", models::norm_kind);
  c.gpt.norm_place = named("norm_place", models::placement);
  take("mlp_hidden", c.gpt.mlp_hidden);
  int qk_norm = 0;
  take("qk_norm", qk_norm);
  c.gpt.qk_norm = qk_norm != 0;
  only("norm_eps", 1e-5);
  json.erase("seed");  // of the script's generator
  require(json.empty(), file.path.string(), ": config has an unknown '",
          json.empty() ? "" : json.begin().key(), "'");
  return c;
}

class Check {
 public:
  explicit Check(const train::TensorFile& file) : file_(file), config_(read_config(file)) {}

  /// With the logits as a whole, or with head and loss in one.
  std::vector<std::string> run(models::Output output) {
    engine::Tape tape(params_);
    const Training& t = config_.training;
    const models::Gpt gpt = models::record_gpt(tape, config_.gpt, t.batch, config_.gpt.block_size,
                                               models::Mode::kTrain, output);
    engine::PlanOptions options;
    if (gpt.logits) options.keep = {gpt.logits};
    engine::Plan plan(std::move(tape), gpt.loss, options);
    params_.allocate(1);
    fill();
    train::AdamW optimizer(params_, config_.adam);
    train::Moments moments(params_);

    const auto n = static_cast<std::size_t>(t.batch * config_.gpt.block_size);
    std::vector<std::int32_t> x = file_.at("x").i32(), y = file_.at("y").i32();
    const auto steps = static_cast<std::size_t>(t.steps);
    const std::vector<double> losses = file_.at("losses").f64(),
                              norms = file_.at("grad_norms").f64();
    require(x.size() == n * steps && y.size() == x.size() && losses.size() == steps &&
                norms.size() == steps,
            file_.path.string(), ": x, y, losses and grad_norms do not fit the config");
    for (std::size_t s = 0; s < steps; ++s) {
      plan.bind(gpt.tokens, x.data() + s * n);
      plan.bind(gpt.targets, y.data() + s * n);
      plan.forward({});
      // The plan may reuse memory of the logits once the backward pass is done with them.
      if (s == 0 && gpt.logits) compare("logits", plan.view(gpt.logits).f32(), file_.at("logits"));
      plan.backward({});
      if (s == 0) compare_gradients();
      const double loss = static_cast<double>(plan.loss()), norm = optimizer.step(moments, t.lr);
      if (!(std::abs(loss - losses[s]) <= kGoldenTolerance))
        wrong_.push_back(concat("loss of step ", s, ": ", loss, " instead of ", losses[s]));
      if (!(std::abs(norm - norms[s]) <= kGoldenTolerance * norms[s]))
        wrong_.push_back(concat("gradient norm of step ", s, ": ", norm, " instead of ", norms[s]));
    }
    return wrong_;
  }

 private:
  void fill() {
    std::size_t in_file = 0;
    for (const auto& [name, tensor] : file_.tensors) in_file += name.starts_with("param/") ? 1 : 0;
    require(in_file == params_.list().size(), file_.path.string(), ": has ", in_file,
            " parameters, the model ", params_.list().size());
    train::TensorFile named;
    named.path = file_.path;
    for (const engine::Param& p : params_.list())
      named.tensors.emplace(p.name, file_.at("param/" + p.name));
    train::load_parameters(params_, named);
  }

  void compare_gradients() {
    for (int i = 0; i < static_cast<int>(params_.list().size()); ++i)
      compare("grad/" + params_[i].name, params_.grad(i), file_.at("grad/" + params_[i].name));
  }

  void compare(const std::string& name, const float* got, const train::Tensor& tensor) {
    const std::vector<float> want = tensor.f32();
    double largest = 0, worst = 0;
    for (std::size_t i = 0; i < want.size(); ++i) {
      const auto w = static_cast<double>(want[i]);
      const double off = std::abs(static_cast<double>(got[i]) - w);
      largest = std::max(largest, std::abs(w));
      worst = std::isnan(off) ? INFINITY : std::max(worst, off);
    }
    if (!(worst <= kGoldenTolerance * largest) || want.empty())
      wrong_.push_back(concat(name, ": off by ", worst, ", its largest value is ", largest));
  }

  const train::TensorFile& file_;
  Config config_;
  engine::Params params_;
  std::vector<std::string> wrong_;
};

}  // namespace

std::vector<std::string> golden_mismatches(const train::TensorFile& file) {
  std::vector<std::string> wrong = Check(file).run(models::Output::kLogits);
  for (std::string& mismatch : Check(file).run(models::Output::kLoss))
    wrong.push_back("without logits, " + std::move(mismatch));
  return wrong;
}

}  // namespace tests
