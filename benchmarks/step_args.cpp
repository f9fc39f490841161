#include "benchmarks/step_args.h"

#include "engine/parallel.h"
#include "engine/rng.h"

namespace bench {

StepArgs parse_step_args(int argc, char** argv) {
  cli::Command command;
  command.name = "bench_step";
  command.summary = "Times single training steps.";
  command.extras = {{"steps", "N", "41", "timed steps"},
                    {"format", "FORMAT", "text", "of the result", false, {"text", "json"}},
                    {"serve", "", "", "time N steps for each line N on standard input"},
                    {"describe", "", "", "say in a line what this benchmark does"}};
  const cli::Parsed parsed = cli::parse(command, argc, argv);
  StepArgs args;
  args.settings = parsed.settings;
  // A step's cost does not hang on the budget, but the trainer wants one.
  args.settings.budget = "1000000steps";
  args.steps = static_cast<int>(parsed.integer("steps", 1, 1'000'000));
  args.json = parsed.text("format") == "json";
  args.serve = parsed.has("serve");
  args.describe = parsed.has("describe");
  if (args.settings.threads > 0) omp_set_num_threads(static_cast<int>(args.settings.threads));
  return args;
}

train::Corpus random_corpus(const train::Settings& settings) {
  train::Corpus corpus;
  corpus.name = "random tokens";
  corpus.vocab = train::preset_of(settings).vocabulary;
  engine::Sequence random(engine::stream_key(1, engine::Stream::kData), 0);
  const auto fill = [&](std::vector<std::int32_t>& tokens, std::size_t n) {
    tokens.resize(n);
    for (std::int32_t& t : tokens)
      t = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(corpus.vocab)));
  };
  fill(corpus.train, static_cast<std::size_t>(16 * settings.block_size + 100'000));
  fill(corpus.val, static_cast<std::size_t>(settings.block_size + 1));
  return corpus;
}

}  // namespace bench
