#include "cli/commands.h"

#include "engine/parallel.h"

namespace cli {

Command advise_command();
Command compare_command();
Command eval_command();
Command export_command();
Command list_command();
Command probe_command();
Command profile_command();
Command run_command();
Command sample_command();
Command study_command();
Command train_command();
Command verify_command();

std::span<const CommandEntry> commands() {
  static constexpr CommandEntry kCommands[] = {
      {"advise", "find what does best on your data within a time, and say what to use",
       advise_command},
      {"compare", "train regimes at the same budget on paired seeds and say which pays",
       compare_command},
      {"eval", "evaluate a trained model on a text or a split of its data", eval_command},
      {"export", "write a trained model for Hugging Face's transformers", export_command},
      {"list", "show what there is to choose from: regularizers, schedules, settings, ...",
       list_command},
      {"probe", "show what regularizers do to a model's activations, hook by hook", probe_command},
      {"profile", "show where the time of a training step goes", profile_command},
      {"run", "make one run of a comparison from its spec", run_command},
      {"sample", "let a trained model go on from a text", sample_command},
      {"study", "put claims to the test, each a file with its own rule", study_command},
      {"train", "train one model and write its weights", train_command},
      {"verify", "make runs of a comparison again and say whether the same comes of them",
       verify_command},
  };
  return kCommands;
}

int run(const CommandEntry& entry, int argc, const char* const* argv) {
  Command command = entry.make();
  command.name = entry.name;
  const Parsed args = parse(command, argc, argv);
  if (args.help) return show_help(command);
  engine::use_threads(args.settings.threads);
  heed_product_tuning(command, args);
  return command.run(args);
}

}  // namespace cli
