// Where does the time of a training step go? An observer of a plan is told the time of every event.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "engine/plan.h"
#include "models/gpt.h"

namespace {

/// Seconds of each event, the shortest over all steps: what other programs take is left out.
class Stopwatch final : public engine::Observer {
 public:
  explicit Stopwatch(std::size_t events) : seconds(events, 1e9) {}
  void event(std::size_t index, double took) override {
    seconds[index] = std::min(seconds[index], took);
  }
  std::vector<double> seconds;
};

struct Row {
  int calls = 0;
  double forward = 0, backward = 0, flops = 0;
};

}  // namespace

int main() {
  constexpr std::int64_t B = 8, T = 64;
  models::GptConfig config{.n_layer = 2, .regularizers = models::gpt2_dropout(0.1)};
  engine::Params params;
  engine::Tape tape(params);
  const models::Gpt gpt = models::record_gpt(tape, config, B, T, models::Mode::kTrain);
  engine::Plan plan(std::move(tape), gpt.loss, {});
  params.allocate(1);
  std::vector<std::int32_t> tokens(B * T, 1), targets(B * T, 2);
  plan.bind(gpt.tokens, tokens.data());
  plan.bind(gpt.targets, targets.data());

  Stopwatch stopwatch(plan.events().size());
  plan.observe(&stopwatch);
  for (engine::Step step{.seed = 1}; step.index < 20; ++step.index) {
    plan.forward(step);
    plan.backward(step);
  }

  // Sum over the nodes of an op.
  std::map<std::string, Row> rows;
  for (std::size_t i = 0; i < plan.events().size(); ++i) {
    const engine::Event& event = plan.events()[i];
    const engine::Op& op = *plan.tape().nodes()[static_cast<std::size_t>(event.node)].op;
    const bool backward = event.kind == engine::Event::Kind::kBackward;
    Row& row = rows[std::string(op.name())];
    (backward ? row.backward : row.forward) += stopwatch.seconds[i];
    row.calls += !backward;
    row.flops += op.cost(backward ? engine::Pass::kBackward : engine::Pass::kForward).flops;
  }
  std::printf("%-22s %5s %11s %12s %8s\n", "op", "calls", "forward ms", "backward ms", "GFLOP/s");
  for (const auto& [name, row] : rows)
    std::printf("%-22s %5d %11.3f %12.3f %8.1f\n", name.c_str(), row.calls, 1e3 * row.forward,
                1e3 * row.backward, 1e-9 * row.flops / (row.forward + row.backward));
  std::printf("\n%.1f MFLOP a step, %.2f MB of activations and gradients\n",
              1e-6 * plan.cost().flops, 1e-6 * static_cast<double>(plan.arena_bytes()));
}
