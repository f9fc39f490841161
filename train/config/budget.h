// How much a run may train: floating-point operations, tokens, steps, epochs or seconds.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace train {

/// What a run has used so far. Start-up and evaluation do not count.
struct Spent {
  std::int64_t steps = 0;
  double tokens = 0, flops = 0, seconds = 0, epochs = 0;

  Spent& operator+=(const Spent& other) {
    steps += other.steps;
    tokens += other.tokens;
    flops += other.flops;
    seconds += other.seconds;
    epochs += other.epochs;
    return *this;
  }
};

inline constexpr std::string_view kBudgetForms =
    "1e12flops, 2Mtok, 2000steps, 3epochs, 60s or 5min (multipliers k, M, G, T)";

struct Budget {
  enum class Kind { kFlops, kTokens, kSteps, kEpochs, kSeconds };
  Kind kind = Kind::kSteps;
  double amount = 0;  // above 0 and finite; whole for steps and tokens

  /// Reads one of kBudgetForms; throws Error.
  static Budget parse(std::string_view text);

  /// The canonical spelling, which parse() reads back.
  std::string to_string() const;

  /// This fraction of the budget. Throws Error if less than one step would remain.
  Budget scaled(double share) const;

  /// The share that is spent, in [0, 1].
  double fraction_spent(const Spent& spent) const;

  /// False for seconds, whose number of steps depends on the machine.
  bool fixed_steps() const { return kind != Kind::kSeconds; }

  /// The nearest whole number of steps, which makes runs repeatable. Throws Error naming the cost
  /// of a step if the budget is less than one. REQUIRES: fixed_steps().
  std::int64_t steps_for(double tokens_per_step, double flops_per_step,
                         double tokens_per_epoch) const;

  bool operator==(const Budget&) const = default;
};

}  // namespace train
