#include "cli/commands.h"

namespace cli {

int compare_command(int argc, const char* const* argv);
int list_command(int argc, const char* const* argv);
int probe_command(int argc, const char* const* argv);
int profile_command(int argc, const char* const* argv);
int run_command(int argc, const char* const* argv);
int train_command(int argc, const char* const* argv);

std::span<const CommandEntry> commands() {
  static constexpr CommandEntry kCommands[] = {
      {"compare", "train regimes at the same budget on paired seeds and say which pays",
       compare_command},
      {"list", "show what there is to choose from: regularizers, schedules, settings, ...",
       list_command},
      {"probe", "show what regularizers do to a model's activations, hook by hook", probe_command},
      {"profile", "show where the time of a training step goes", profile_command},
      {"run", "make one run of a comparison from its spec", run_command},
      {"train", "train one model and write its weights", train_command},
  };
  return kCommands;
}

}  // namespace cli
