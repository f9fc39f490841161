// The rules between settings, and what follows from several of them.
#include <algorithm>
#include <bit>
#include <filesystem>
#include <limits>

#include "base/error.h"
#include "base/text.h"
#include "data/text/text_files.h"
#include "data/tokenizer/tokenizer.h"
#include "train/config/architecture.h"
#include "train/config/settings.h"

namespace train {

Settings with_absolute_paths(Settings s) {
  for (std::string* path : {&s.text, &s.val, &s.test, &s.csv, &s.init_from})
    if (!path->empty()) *path = std::filesystem::absolute(*path).lexically_normal().string();
  s.tokenizer = data::absolute_tokenizer(s.tokenizer);
  return s;
}

Budget run_budget(const Settings& s) {
  const Budget budget = Budget::parse(s.budget);
  return s.budget_share == 1 ? budget : budget.scaled(s.budget_share);
}

void validate(const Settings& s, std::string_view source) {
  const auto need = [&](bool ok, const auto&... message) {
    if (!ok) throw base::Error(base::concat(source, source.empty() ? "" : ": ", message...));
  };
  need(s.n_embd % s.n_head == 0, "n_head=", s.n_head, " heads do not divide n_embd=", s.n_embd,
       " channels; try n_head=", base::divisors_near(s.n_embd, s.n_head),
       ", or n_embd=", (s.n_embd / s.n_head + 1) * s.n_head);
  need(s.batch % s.grad_accum == 0, "grad_accum=", s.grad_accum, " does not divide batch=", s.batch,
       "; try grad_accum=", base::divisors_near(s.batch, s.grad_accum));
  need(std::has_single_bit(static_cast<std::uint64_t>(s.shards)), "shards=", s.shards,
       " is no power of two, and their gradients are summed in a binary tree; try shards=",
       std::bit_floor(static_cast<std::uint64_t>(s.shards)));
  need(s.batch % s.shards == 0, "shards=", s.shards, " does not divide batch=", s.batch,
       "; try shards=", s.batch & -s.batch, " or less, or another batch");
  need(s.batch / s.shards % s.grad_accum == 0, "grad_accum=", s.grad_accum,
       " does not divide a shard of ", s.batch / s.shards, " rows (batch=", s.batch,
       ", shards=", s.shards,
       "); try grad_accum=", base::divisors_near(s.batch / s.shards, s.grad_accum));
  need(s.final_lr() <= s.lr, "min_lr=", s.final_lr(), " is above lr=", s.lr,
       "; the learning rate falls from lr to min_lr");
  const Settings defaults;
  need(s.init_from.empty() || s.init_stream == defaults.init_stream, "init_stream=", s.init_stream,
       " does nothing with init_from=", base::quote(s.init_from),
       ", whose weights are not drawn; leave out one of them");
  need(s.init_from.empty() || s.init == defaults.init, "init=", s.init,
       " does nothing with init_from=", base::quote(s.init_from),
       ", whose weights are not drawn; leave out one of them");
  const DataFrom from = base::row_named(task_kinds(), s.task, "task").from;
  const bool table = from == DataFrom::kTable;
  need(table || s.csv.empty(), "csv=", base::quote(s.csv), " does nothing with task=", s.task,
       "; give --task regression or --task classification");
  need(!table || !s.csv.empty(), "task=", s.task, " learns from a table; give its file with --csv");
  need(table || s.target.empty(), "target=", base::quote(s.target),
       " does nothing with task=", s.task, ", which reads no table; leave it out");
  need(!table || !s.target.empty(), "task=", s.task,
       " predicts a column of the table; name it with --target");
  need(table || s.columns_per_token == defaults.columns_per_token,
       "columns_per_token=", s.columns_per_token, " does nothing with task=", s.task,
       "; leave it out");
  need(from == DataFrom::kText || s.text.empty(), "text=", base::quote(s.text),
       " does nothing with task=", s.task, "; leave it out, or give --task lm");
  need(s.val.empty() || !s.text.empty(), "val=", base::quote(s.val),
       " needs a text to train on; give text too");
  need(s.test.empty() || !s.text.empty(), "test=", base::quote(s.test),
       " needs a text to train on; give text too");
  need(from == DataFrom::kText || s.language == defaults.language, "language=", s.language,
       " does nothing with task=", s.task, "; leave it out");
  need(from == DataFrom::kText || s.tokenizer == defaults.tokenizer, "tokenizer=", s.tokenizer,
       " does nothing with task=", s.task, "; leave it out");
  need(s.text.empty() || s.language == defaults.language, "language=", s.language,
       " is of the built-in corpus and does nothing for a text; leave it out");
  need(!s.text.empty() || s.tokenizer == defaults.tokenizer, "tokenizer=", s.tokenizer,
       " does nothing for the built-in corpus, which has symbols of its own; give a text, or leave "
       "it "
       "out");
  need(data::is_token_file(s.text) || s.bin_type == defaults.bin_type, "bin_type=", s.bin_type,
       " is of token ids and does nothing without a .bin as text; leave it out");
  const bool built_in = s.text.empty() && !table;
  need((s.val.empty() && !built_in) || s.val_fraction == defaults.val_fraction,
       "val_fraction=", s.val_fraction, " does nothing where ",
       built_in ? "no text is given" : "val names a text", "; leave out one of them");
  need((s.test.empty() && !built_in) || s.test_fraction == defaults.test_fraction,
       "test_fraction=", s.test_fraction, " does nothing where ",
       built_in ? "no text is given" : "test names a text", "; leave it out");
  need(!s.val.empty() || !s.test.empty() || s.val_fraction + s.test_fraction < 1,
       "val_fraction=", s.val_fraction, " and test_fraction=", s.test_fraction,
       " leave nothing to train on; let them be less than 1 in all");
  need(s.stop == defaults.stop || !s.recalibrate_norm, "stop=", s.stop,
       " with recalibrate_norm: statistics are estimated anew at the end alone; leave out one of "
       "them");
  need(s.patience == 0 || !s.recalibrate_norm, "patience=", s.patience,
       " with recalibrate_norm: statistics are estimated anew before the last evaluation, which "
       "patience does not know beforehand; leave out one of them");
  need(s.task == defaults.task || s.measure.find("moments") == s.measure.npos,
       "measure=", s.measure, ": moments are of task=lm; leave them out");
  need(s.members == 1 || s.measure == defaults.measure, "members=", s.members,
       " with measure=", s.measure,
       ": only the losses of an ensemble are known; leave out one of them");
  need(s.task == defaults.task || s.target_noise == 0, "target_noise=", s.target_noise,
       " is of task=lm; leave it out");
  try {
    regularizers(s);
  } catch (const base::Error& e) {
    need(false, e.what());
  }
  need(s.unique_tokens == 0 || s.unique_tokens > s.block_size ||
           (from != DataFrom::kText && s.unique_tokens == s.block_size),
       "unique_tokens=", s.unique_tokens, " hold no ",
       from == DataFrom::kText ? "window of" : "row of", " block_size=", s.block_size,
       from == DataFrom::kText ? " and its target; give more of them" : "; give more of them");
  try {
    run_budget(s);
  } catch (const base::Error& e) {
    need(false, e.what());
  }
  // What the largest tensors would hold, as engine::Shape would refuse it later.
  const auto real = [](std::int64_t n) { return static_cast<double>(n); };
  const double C = real(s.n_embd), rows = real(s.micro_batch()) * real(s.block_size);
  const double H = 2 * std::max(4 * C, real(s.mlp_hidden));  // swiglu has two halves
  const double largest = std::max({rows * H, rows * real(s.n_head) * real(s.block_size),
                                   (4 * C + 2 * H) * C * real(s.n_layer)});
  need(largest < real(std::numeric_limits<std::int64_t>::max()) / 16,
       "sizes overflow: batch=", s.batch, ", block_size=", s.block_size, ", n_embd=", s.n_embd,
       ", mlp_hidden=", s.mlp_hidden, ", n_head=", s.n_head, ", n_layer=", s.n_layer,
       " make tensors of ", largest, " numbers; make the largest of them smaller");
}

std::int64_t eval_every(const Settings& s, std::int64_t steps) {
  return s.eval_interval > 0 ? s.eval_interval : std::max<std::int64_t>(1, (steps + 19) / 20);
}

}  // namespace train
