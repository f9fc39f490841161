#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/parallel.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "lab/runs/record.h"
#include "train/config/architecture.h"
#include "train/sampling.h"
#include "train/storage/held_out_text.h"
#include "train/storage/run_files.h"
#include "train/tasks/language_modelling.h"

namespace cli {
namespace {

using base::Json;

std::vector<std::int32_t> prompt_of(const Parsed& args, const data::Tokenizer& tokenizer) {
  if (!args.has("prompt")) {
    std::vector<std::int32_t> opening = train::opening(tokenizer);
    base::require(!opening.empty(), base::quote(args.argument),
                  ": its vocabulary has no line end to start from; give a --prompt");
    return opening;
  }
  const bool input = args.text("prompt") == "-";
  return input ? tokenizer.encode(data::read_text("/dev/stdin"), "standard input")
               : tokenizer.encode(args.text("prompt"), "--prompt");
}

/// What is drawn, and how.
struct Order {
  train::Sampling how;
  std::int64_t tokens, samples, keep;
};

Order order_of(const Parsed& args, std::int64_t block_size) {
  constexpr auto kMost = std::numeric_limits<std::int32_t>::max();
  Order order;
  order.how.temperature = args.real("temperature", 0, 1e6);
  order.how.top_k = args.text("top-k") == "all" ? 0 : args.integer("top-k", 1, kMost);
  order.how.top_p = args.real("top-p", 0, 1);
  base::require(order.how.top_p > 0,
                "--top-p 0: leaves nothing to draw; give --temperature 0 for "
                "the likeliest token alone");
  train::Settings settings;
  train::set(settings, "seed", args.text("seed"), "--seed");
  order.how.seed = settings.seed;
  order.tokens = args.integer("tokens", 1, kMost);
  order.samples = args.integer("samples", 1, kMost);
  order.keep =
      args.has("keep") ? args.integer("keep", 1, block_size) : train::default_keep(block_size);
  return order;
}

Json json_head(const Parsed& args, const Order& order, const std::string& prompt,
               std::int64_t block_size) {
  return {{"schema", "isodrop-sample-1"},
          {"run", args.argument},
          {"prompt", train::piece_json(prompt)},
          {"temperature", order.how.temperature},
          {"top_k", order.how.top_k > 0 ? Json(order.how.top_k) : Json(nullptr)},
          {"top_p", order.how.top_p},
          {"seed", base::exact(order.how.seed)},
          {"block_size", block_size},
          {"keep", order.keep},
          {"samples", Json::array()}};
}

/// Tells nobody anything before the whole is there.
Json json_sample(train::Decoder& decoder, const data::Tokenizer& tokenizer,
                 std::span<const std::int32_t> prompt, const Order& order, std::int64_t sample) {
  Json tokens = Json::array();
  std::vector<std::int32_t> ids;
  train::generate(decoder, prompt, order.tokens, order.keep, order.how,
                  static_cast<std::uint64_t>(sample), [&](const train::Sampled& s) {
                    ids.push_back(s.token);
                    tokens.push_back({{"id", s.token},
                                      {"text", train::piece_json(tokenizer.decode({&s.token, 1}))},
                                      {"log_probability", s.log_probability}});
                  });
  return {{"text", train::piece_json(tokenizer.decode(ids))}, {"tokens", std::move(tokens)}};
}

void print_sample(train::Decoder& decoder, const data::Tokenizer& tokenizer,
                  std::span<const std::int32_t> prompt, const Order& order, std::int64_t sample) {
  const bool stream = interactive(stdout);
  const auto write = [&](const std::string& text) {
    fmt::print("{}", text);
    if (stream) std::fflush(stdout);
  };
  if (sample > 0) write("---------------\n");
  write(tokenizer.decode(prompt));
  train::generate(decoder, prompt, order.tokens, order.keep, order.how,
                  static_cast<std::uint64_t>(sample), [&](const train::Sampled& s) {
                    write(tokenizer.decode({&s.token, 1}));
                  });
  write("\n");
}

int sample(const Parsed& args) {
  base::require(!args.argument.empty(),
                "generate with which model? Give a folder that 'isodrop train --out DIR' wrote");
  const train::SavedRun run = train::read_run(args.argument);
  const data::TokenizerPtr codec = train::tokenizer_of(run);
  const data::Tokenizer& tokenizer = *codec;
  const Order order = order_of(args, run.settings.block_size);
  const std::vector<std::int32_t> prompt = prompt_of(args, tokenizer);
  base::use_threads(args.has("threads") ? args.integer("threads", 0, 4096) : run.settings.threads);
  engine::Params params;
  train::Decoder decoder(params, train::gpt_config(run.settings, tokenizer.vocab()));
  engine::require_memory(static_cast<double>(params.bytes() + decoder.bytes()), "this model");
  params.allocate(run.settings.seed);
  train::load_parameters(params, run.weights);
  decoder.allocate();
  const bool json = args.text("format") == "json";
  Json all = json_head(args, order, tokenizer.decode(prompt), run.settings.block_size);
  for (std::int64_t i = 0; i < order.samples; ++i)
    if (json)
      all["samples"].push_back(json_sample(decoder, tokenizer, prompt, order, i));
    else
      print_sample(decoder, tokenizer, prompt, order, i);
  if (json) fmt::print("{}", base::json_text(all));
  return 0;
}

}  // namespace

// `isodrop sample`: text of a trained model.
Command sample_command() {
  Command c;
  c.summary =
      "Generate text with a trained language model, token by token. RUN is a folder of 'isodrop "
      "train'. The same seed gives the same text on any number of threads. When the context is "
      "full, its second half begins the next one (see --keep).";
  c.settings = false;
  c.argument = "RUN";
  c.extras = {
      {.flag = "prompt",
       .hint = "TEXT",
       .help = "text to continue; - reads standard input (default: a line end, if the vocabulary "
               "has one)"},
      {.flag = "tokens", .hint = "N", .fallback = "500", .help = "tokens to generate"},
      {.flag = "samples",
       .hint = "K",
       .fallback = "1",
       .help = "texts to generate, each with its own random draws",
       .letter = "n"},
      {.flag = "temperature",
       .hint = "X",
       .fallback = "0.8",
       .help = "divide the logits by X; 0 always takes the most likely token"},
      {.flag = "top-k",
       .hint = "K",
       .fallback = "200",
       .help = "draw from the K most likely tokens; all: from the whole vocabulary"},
      {.flag = "top-p",
       .hint = "P",
       .fallback = "1",
       .help = "draw from the fewest most likely tokens that have probability P together"},
      {.flag = "seed", .hint = "SEED", .fallback = "1", .help = "seed of the random draws"},
      {.flag = "keep",
       .hint = "N",
       .help = "when the context is full, begin the next one with its last N tokens (default: "
               "half); block_size itself does what nanoGPT does, a full pass for every token"},
      {.flag = "threads", .hint = "N", .help = "threads; 0 is one per core (default: as the run)"},
      product_tuning_flag(),
      format_flag({"text", "json"},
                  "output format; json has each token's log-probability before temperature and "
                  "cuts"),
  };
  c.examples = {"isodrop sample out/train --prompt \"ROMEO:\" --tokens 300",
                "isodrop sample out/train --temperature 1 --top-k all -n 3 --seed 7",
                "isodrop sample out/train --prompt - --format json < beginning.txt"};
  c.run = sample;
  return c;
}

}  // namespace cli
