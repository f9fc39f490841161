#include "cli/commands.h"

namespace cli {

std::span<const CommandEntry> commands() {
  static constexpr CommandEntry kCommands[] = {
      {"compare", "train regimes at the same budget on paired seeds and say which pays",
       compare_command},
      {"list", "show what there is to choose from: regularizers, schedules, settings, ...",
       list_command},
      {"probe", "show what regularizers do to a model's activations, hook by hook", probe_command},
      {"profile", "show where the time of a training step goes", profile_command},
      {"train", "train one model and write its weights", train_command},
  };
  return kCommands;
}

}  // namespace cli
