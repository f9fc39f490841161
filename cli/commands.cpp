#include "cli/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"
#include "base/parallel.h"
#include "cli/terminal.h"
#include "data/text/tokens.h"
#include "lab/runs/store.h"
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
constexpr std::string_view kProductTuning = "product-tuning";
}  // namespace

std::span<const CommandEntry> commands() {
  // Those to begin with first.
  static constexpr CommandEntry kCommands[] = {
      {"train", "train one model and write its weights", train_command, true},
      {"sample", "generate text with a trained model", sample_command, true},
      {"compare", "train variants on paired seeds and say which is better", compare_command, true},
      {"profile", "show where the time of a training step goes", profile_command, true},
      {"advise", "find the best regularizers for your data within a time", advise_command},
      {"completion", "print a script for shell completion", completion_command},
      {"doctor", "check this machine for what slows training down", doctor_command},
      {"eval", "evaluate a trained model on a text or a split of its data", eval_command},
      {"export", "write a trained model for Hugging Face's transformers", export_command},
      {"list", "list regularizers, schedules, settings and other choices", list_command},
      {"man", "print the manual page", man_command},
      {"probe", "show what regularizers do to a model's activations", probe_command},
      {"report", "plot the learning curves of any runs on one page", report_command},
      {"run", "make one run of a comparison from its spec", run_command},
      {"runs", "list, show, compare and remove stored runs", runs_command},
      {"study", "test the claims of study files, each by its own rule", study_command},
      {"tokenize", "train a tokenizer, turn text into token ids and back", tokenize_command},
      {"verify", "re-run a comparison and check that the results match", verify_command},
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
  if (args.help || args.help_all) {
    fmt::print("{}", help(command, columns(stdout), args.help_all));
    return 0;
  }
  base::use_threads(args.settings.threads);
  heed_product_tuning(command, args);
  return command.run(args);
}

Extra config_flag() {
  return {.flag = "config",
          .hint = "FILE.toml",
          .help =
              "read settings and flags of this command from a file; flags given on the command "
              "line win. Paths in it are relative to the working directory"};
}

Extra store_flag() {
  return {.flag = "store",
          .hint = "DIR",
          .help =
              "folder of all runs, shared by every command that makes or reads runs (default: "
              "$ISODROP_STORE, or out/runs)"};
}

std::filesystem::path store_path(const Parsed& args) {
  return args.has("store") ? std::filesystem::path(args.text("store")) : lab::default_store();
}

Extra bin_type_flag(std::string_view flag) {
  return {.flag = "bin-type",
          .hint = "TYPE",
          .fallback = "auto",
          .help = "width of the ids in a .bin without a header",
          .choices = data::bin_types(),
          .only_with = flag};
}

Extra product_tuning_flag() {
  return {.flag = kProductTuning,
          .hint = "on|off",
          .help =
              "time the bit-identical matmul variants and cache the fastest; off: neither time "
              "nor use the cache (default: on, or $ISODROP_TUNING)",
          .choices = {"on", "off"}};
}

Extra format_flag(std::vector<std::string_view> formats, std::string_view what) {
  return {.flag = "format",
          .hint = "FORMAT",
          .fallback = formats.front(),
          .help = what,
          .choices = std::move(formats)};
}

void heed_product_tuning(const Command& command, const Parsed& args) {
  const bool takes = std::any_of(command.extras.begin(), command.extras.end(),
                                 [](const Extra& extra) { return extra.flag == kProductTuning; });
  if (!takes || !args.has(kProductTuning)) return;
  const std::string& word = args.text(kProductTuning);
  if (setenv("ISODROP_TUNING", word.c_str(), 1) != 0)
    throw base::Error("--product-tuning " + word + ": the environment takes no more variables");
}

}  // namespace cli
