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

void refuse_pipes(const Settings& s, std::string_view source) {
  for (const std::string* path : {&s.text, &s.val, &s.test, &s.csv}) {
    std::error_code none;  // what cannot be looked at is refused when it is read
    const auto type = std::filesystem::status(*path, none).type();
    const bool waits =
        type == std::filesystem::file_type::fifo || type == std::filesystem::file_type::socket;
    base::require(
        !waits || path->starts_with("/dev/") || path->starts_with("/proc/"), source, ": its data, ",
        base::quote(*path),
        ", are a pipe or socket, to which nobody may ever write; put a file in its place");
  }
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
       " is not a power of two, as the binary tree that sums gradients needs; try shards=",
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
       " has no effect with init_from=", base::quote(s.init_from),
       ", which gives the weights; leave out one of them");
  need(s.init_from.empty() || s.init == defaults.init, "init=", s.init,
       " has no effect with init_from=", base::quote(s.init_from),
       ", which gives the weights; leave out one of them");
  const DataFrom from = base::row_named(task_kinds(), s.task, "task").from;
  const bool table = from == DataFrom::kTable;
  need(table || s.csv.empty(), "csv=", base::quote(s.csv), " has no effect with task=", s.task,
       "; give --task regression or --task classification");
  need(!table || !s.csv.empty(), "task=", s.task, " needs a table; give its file with --csv");
  need(table || s.target.empty(), "target=", base::quote(s.target),
       " has no effect with task=", s.task, ", which reads no table; leave it out");
  need(!table || !s.target.empty(), "task=", s.task,
       " predicts a column of the table; name it with --target");
  need(table || s.columns_per_token == defaults.columns_per_token,
       "columns_per_token=", s.columns_per_token, " has no effect with task=", s.task,
       "; leave it out");
  need(from == DataFrom::kText || s.text.empty(), "text=", base::quote(s.text),
       " has no effect with task=", s.task, "; leave it out, or give --task lm");
  need(s.val.empty() || !s.text.empty(), "val=", base::quote(s.val),
       " needs a text to train on; give text too");
  need(s.test.empty() || !s.text.empty(), "test=", base::quote(s.test),
       " needs a text to train on; give text too");
  need(from == DataFrom::kText || s.language == defaults.language, "language=", s.language,
       " has no effect with task=", s.task, "; leave it out");
  need(from == DataFrom::kText || s.tokenizer == defaults.tokenizer, "tokenizer=", s.tokenizer,
       " has no effect with task=", s.task, "; leave it out");
  need(s.text.empty() || s.language == defaults.language, "language=", s.language,
       " has no effect on a text, only on the built-in corpus; leave it out");
  need(
      !s.text.empty() || s.tokenizer == defaults.tokenizer, "tokenizer=", s.tokenizer,
      " has no effect on the built-in corpus, which has its own symbols; give a text, or leave it out");
  need(data::is_token_file(s.text) || s.bin_type == defaults.bin_type, "bin_type=", s.bin_type,
       " has no effect without token ids (a .bin as text); leave it out");
  const bool built_in = s.text.empty() && !table;
  need((s.val.empty() && !built_in) || s.val_fraction == defaults.val_fraction,
       "val_fraction=", s.val_fraction, " has no effect ",
       built_in ? "without a text" : "if val names a text", "; leave out one of them");
  need((s.test.empty() && !built_in) || s.test_fraction == defaults.test_fraction,
       "test_fraction=", s.test_fraction, " has no effect ",
       built_in ? "without a text" : "if test names a text", "; leave it out");
  need(!s.val.empty() || !s.test.empty() || s.val_fraction + s.test_fraction < 1,
       "val_fraction=", s.val_fraction, " and test_fraction=", s.test_fraction,
       " leave nothing to train on; their sum must be below 1");
  need(
      s.stop == defaults.stop || !s.recalibrate_norm, "stop=", s.stop,
      " with recalibrate_norm: statistics are re-estimated at the end only; leave out one of them");
  need(
      s.patience == 0 || !s.recalibrate_norm, "patience=", s.patience,
      " with recalibrate_norm: statistics are re-estimated before the last evaluation, which patience cannot know in advance; leave out one of them");
  need(s.task == defaults.task || s.measure.find("moments") == s.measure.npos,
       "measure=", s.measure, ": moments need task=lm; leave them out");
  need(s.members == 1 || s.measure == defaults.measure, "members=", s.members,
       " with measure=", s.measure,
       ": of an ensemble only the losses are measured; leave out one of them");
  need(s.task == defaults.task || s.target_noise == 0, "target_noise=", s.target_noise,
       " needs task=lm; leave it out");
  try {
    regularizers(s);
  } catch (const base::Error& e) {
    need(false, e.what());
  }
  need(s.unique_tokens == 0 || s.unique_tokens > s.block_size ||
           (from != DataFrom::kText && s.unique_tokens == s.block_size),
       "unique_tokens=", s.unique_tokens, " is less than ",
       from == DataFrom::kText ? "a window of" : "a row of", " block_size=", s.block_size,
       from == DataFrom::kText ? " and its target; give more" : "; give more");
  try {
    run_budget(s);
  } catch (const base::Error& e) {
    need(false, e.what());
  }
  // The largest tensors, which engine::Shape would refuse later.
  const auto real = [](std::int64_t n) { return static_cast<double>(n); };
  const double C = real(s.n_embd), rows = real(s.micro_batch()) * real(s.block_size);
  const double H = 2 * std::max(4 * C, real(s.mlp_hidden));  // swiglu has two halves
  const double largest = std::max({rows * H, rows * real(s.n_head) * real(s.block_size),
                                   (4 * C + 2 * H) * C * real(s.n_layer)});
  need(largest < real(std::numeric_limits<std::int64_t>::max()) / 16,
       "sizes overflow: batch=", s.batch, ", block_size=", s.block_size, ", n_embd=", s.n_embd,
       ", mlp_hidden=", s.mlp_hidden, ", n_head=", s.n_head, ", n_layer=", s.n_layer,
       " make tensors of ", largest, " numbers; reduce the largest of them");
}

std::int64_t eval_every(const Settings& s, std::int64_t steps) {
  return s.eval_interval > 0 ? s.eval_interval : std::max<std::int64_t>(1, (steps + 19) / 20);
}

}  // namespace train
