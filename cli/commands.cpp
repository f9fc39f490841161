#include "cli/commands.h"

#include "base/error.h"
#include "base/parallel.h"
#include "train/distributed/mpi_communicator.h"

namespace cli {

Command advise_command();
Command compare_command();
Command completion_command();
Command doctor_command();
Command eval_command();
Command export_command();
Command list_command();
Command man_command();
Command probe_command();
Command profile_command();
Command report_command();
Command run_command();
Command runs_command();
Command sample_command();
Command study_command();
Command tokenize_command();
Command train_command();
Command verify_command();

namespace {
constexpr int kBadInput = 2;  // which the first process says
}

std::span<const CommandEntry> commands() {
  static constexpr CommandEntry kCommands[] = {
      {"advise", "find what does best on your data within a time, and say what to use",
       advise_command},
      {"compare", "train regimes at the same budget on paired seeds and say which pays",
       compare_command},
      {"completion", "print what makes a shell complete isodrop's commands and flags",
       completion_command},
      {"doctor", "look at this machine, and say what is in the way", doctor_command},
      {"eval", "evaluate a trained model on a text or a split of its data", eval_command},
      {"export", "write a trained model for Hugging Face's transformers", export_command},
      {"list", "show what there is to choose from: regularizers, schedules, settings, ...",
       list_command},
      {"man", "print the manual page", man_command},
      {"probe", "show what regularizers do to a model's activations, hook by hook", probe_command},
      {"profile", "show where the time of a training step goes", profile_command},
      {"report", "show learning curves of any runs on one page", report_command},
      {"run", "make one run of a comparison from its spec", run_command},
      {"runs", "what the store holds: list, show, compare, remove", runs_command},
      {"sample", "let a trained model go on from a text", sample_command},
      {"study", "put claims to the test, each a file with its own rule", study_command},
      {"tokenize", "train a tokenizer, turn text into token ids and back", tokenize_command},
      {"train", "train one model and write its weights", train_command},
      {"verify", "make runs of a comparison again and say whether the same comes of them",
       verify_command},
  };
  return kCommands;
}

Command make(const CommandEntry& entry) {
  Command command = entry.make();
  command.name = entry.name;
  if (command.settings) command.extras.push_back(config_flag());
  return command;
}

int run(const CommandEntry& entry, int argc, const char* const* argv) {
  const Command command = make(entry);
  const train::Launch launch = train::launched();
  if (launch.size > 1 && !command.each_process) {
    if (launch.rank > 0) return command.follow != nullptr ? command.follow(launch) : kBadInput;
    base::require(command.follow != nullptr, "'", call(command), "' was started as ", launch.size,
                  " processes, and works in one: leave out mpirun; 'isodrop train' shares a run "
                  "over several");
  }
  const Parsed args = parse(command, argc, argv);
  if (args.help) return show_help(command);
  base::use_threads(args.settings.threads);
  heed_product_tuning(command, args);
  return command.run(args);
}

}  // namespace cli
