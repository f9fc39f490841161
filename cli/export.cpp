#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "train/storage/huggingface.h"
#include "train/storage/run_files.h"

namespace cli {
namespace {

int export_run(const Parsed& args) {
  base::require(!args.argument.empty(),
                "export what? Give a folder that 'isodrop train --out DIR' wrote");
  base::require(args.has("hf"), "export to where? Give --hf DIR");
  const auto written = train::export_huggingface(train::read_run(args.argument), args.text("hf"));
  fmt::print("{}: {}\n", args.text("hf"), fmt::join(written, ", "));
  return 0;
}

}  // namespace

// `isodrop export`: a trained model for other programs.
Command export_command() {
  Command c;
  c.summary =
      "Write a trained model as a folder that Hugging Face's transformers load (GPT2LMHeadModel, "
      "AutoTokenizer). Only what GPT-2 can express is exported: layernorm before each branch, gelu "
      "or relu. A SentencePiece model is copied; other tokenizers become a tokenizer.json.";
  c.settings = false;
  c.argument = "RUN";
  c.extras = {{.flag = "hf",
               .hint = "DIR",
               .help = "folder to write; files of an earlier export in it are replaced"}};
  c.examples = {"isodrop export out/train --hf out/gpt2"};
  c.run = export_run;
  return c;
}

}  // namespace cli
