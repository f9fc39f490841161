// A task is one file and one row: counting in threes, which no other file knows of, trains through
// the trainer as it is.
#include "train/tasks/task.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "data/text/batches.h"
#include "engine/rng.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"
#include "train/config/architecture.h"
#include "train/run.h"
#include "train/storage/run_files.h"

namespace train {
namespace {

constexpr std::int64_t kModulus = 11, kRows = 6;

/// Every row counts from a start of its own: x, x + 3, x + 6, … modulo 11.
void count(std::int64_t row, std::int64_t start, std::int64_t time, std::span<void* const> inputs) {
  for (std::int64_t t = 0; t < time; ++t)
    for (const int shift : {0, 1})
      static_cast<std::int32_t*>(inputs[static_cast<std::size_t>(shift)])[row * time + t] =
          static_cast<std::int32_t>((start + 3 * (t + shift)) % kModulus);
}

class Counting final : public Task {
 public:
  std::string_view name() const override { return "counting"; }
  std::string data_hash() const override { return base::Hash().add("counting in threes").hex(); }
  nlohmann::ordered_json encoding() const override { return {{"modulus", kModulus}}; }
  std::size_t bytes() const override { return 0; }
  models::GptConfig model(const Settings& s) const override { return gpt_config(s, kModulus); }
  Recorded record(engine::Tape& tape, const models::GptConfig& config, std::int64_t rows,
                  models::Mode mode, models::Output output) const override {
    const models::Gpt gpt = models::record_gpt(tape, config, rows, config.block_size, mode, output);
    return {{gpt.tokens, gpt.targets}, gpt.cross_entropy, gpt.loss, gpt.logits, gpt.targets};
  }

  std::unique_ptr<Feed> feed(const Settings& s) const override {
    struct Starts final : Feed {
      std::uint64_t seed;
      std::int64_t time;
      Starts(std::uint64_t seed_, std::int64_t time_) : seed(seed_), time(time_) {}
      void fill(std::uint64_t step, std::int64_t first, std::int64_t rows,
                std::span<void* const> inputs) override {
        const engine::Key key = engine::stream_key(seed, engine::Stream::kData);
        for (std::int64_t row = 0; row < rows; ++row) {
          const auto number = static_cast<std::uint64_t>(first + row);
          count(row, engine::random_block(key, 1, step, number)[0] % kModulus, time, inputs);
        }
      }
      double tokens_per_epoch() const override { return static_cast<double>(kModulus * time); }
    };
    return std::make_unique<Starts>(s.seed, s.block_size);
  }

  DataSummary describe(const Settings&) const override { return {"counting", {{"name", "x"}}}; }

  std::unique_ptr<Exam> exam(const Settings& s, Split split) const override {
    struct Fixed final : Exam {
      std::int64_t time, from;
      Fixed(std::int64_t time_, std::int64_t from_) : time(time_), from(from_) {}
      std::int64_t rows() const override { return kRows; }
      std::int64_t tokens() const override { return kRows * time; }
      std::int64_t tokens(std::int64_t row) const override { return row < kRows ? time : 0; }
      void fill(std::int64_t first, std::int64_t rows,
                std::span<void* const> inputs) const override {
        for (std::int64_t row = 0; row < rows; ++row) {
          count(row, from + first + row, time, inputs);
          if (first + row >= kRows)
            std::fill_n(static_cast<std::int32_t*>(inputs[1]) + row * time, time, -1);
        }
      }
    };
    if (split == Split::kTest) return nullptr;
    return std::make_unique<Fixed>(s.block_size, split == Split::kVal ? 0 : 4);
  }
  bool own_exams() const override { return false; }

  DataConstants constants() const override { return {.bayes_loss = 0}; }
};

constexpr TaskKind kRow = {
    "counting", "count in threes",
    [](const Settings&) -> std::unique_ptr<Task> { return std::make_unique<Counting>(); }};

TEST(Task, ASecondOneTrainsThroughTheTrainerAsItIs) {
  Settings s;
  s.n_layer = 1;
  s.n_head = 2;
  s.n_embd = 16;
  s.block_size = 8;
  s.batch = 12;
  s.lr = 1e-2;
  s.grad_accum = 2;
  s.reg = "r_drop:1+dropout:0.05";
  s.budget = "120epochs";  // of 11 rows: 110 steps of 12
  const std::unique_ptr<Task> task = kRow.load(s);
  check_run(s, *task);
  Trainer trainer(s, *task);
  EXPECT_NEAR(trainer.evaluate().loss, std::log(11), 0.3);
  const tests::TempFolder folder;
  RunFiles files(folder.path() / "run", s, *task, {});
  const RunResult r = run(trainer, {&files.metrics()});
  EXPECT_EQ(r.spent.steps, 110);
  EXPECT_NEAR(r.spent.epochs, 120, 1e-9);
  EXPECT_LT(*r.val_loss, 0.3);
  EXPECT_LT(*r.train_loss, 0.3);
  files.write_weights(trainer.params());
  const SavedRun saved = read_run(folder.path() / "run");
  require_same_data(saved, *task);
  EXPECT_EQ(saved.data.task, "counting");
  const std::string line = folder.read("run/metrics.jsonl");
  EXPECT_NE(line.find("\"val_bpb\":null"), std::string::npos) << "it has no bytes";
}

TEST(Task, TheTableLoadsByName) {
  EXPECT_EQ(task_kinds().front().name, Settings{}.task);
  Settings s;
  s.unique_tokens = 2000;
  const auto task = load_task(s);
  EXPECT_EQ(task->name(), "lm");
  EXPECT_EQ(task->data_hash().size(), 32U);
  EXPECT_TRUE(task->constants().bayes_loss.has_value());
  EXPECT_TRUE(task->constants().bayes_loss_window.has_value());
  EXPECT_EQ(task->constants().val_bytes_per_token, 1);
  EXPECT_EQ(task->constants().test_bytes_per_token, 1);
  EXPECT_EQ(task->constants().uniform_loss, std::log(28.0));
  EXPECT_TRUE(task->own_exams());
  s.task = "lmm";
  EXPECT_ERROR(load_task(s), "unknown task 'lmm'; choose from lm");
  EXPECT_ERROR(set(s, "task", "poker"), "task 'poker' is unknown; give one of lm");
}

// XXH3-128 has known answers; ours are of what add() says it hashes.
TEST(Hash, IsXxh3) {
  EXPECT_EQ(base::Hash().hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_NE(base::Hash().add("ab").add("c").hex(), base::Hash().add("a").add("bc").hex());
  const std::int32_t numbers[] = {0x6261, 0x63};
  EXPECT_EQ(base::Hash().add(numbers).hex(),
            base::Hash().add(std::string_view("ab\0\0c\0\0\0", 8)).hex());
}

// Of 100 unique tokens 5 whole windows of 16 are seen in an epoch, at one of several offsets.
TEST(Epochs, AreOfTheWindowsThatAreSeen) {
  Settings s;
  s.block_size = 16, s.batch = 4;
  const LanguageModelling task = tests::small_task(2000, 500);
  EXPECT_EQ(task.feed(s)->tokens_per_epoch(), 2000);
  s.unique_tokens = 100;
  EXPECT_EQ(task.feed(s)->tokens_per_epoch(), 5 * 16);
  s.n_layer = 1, s.n_head = 1, s.n_embd = 8;
  s.budget = "10steps";
  Trainer trainer(s, task);
  EXPECT_EQ(run(trainer).spent.epochs, 10 * 4 / 5.0);
}

// Targets that are taught wrong are the same ones whenever their place is seen, about as many as
// was asked for, and never in an exam.
TEST(TargetNoise, HangsOnThePlaceOfTheDataAlone) {
  Settings s;
  s.block_size = 16, s.batch = 64;
  s.unique_tokens = 400;
  const LanguageModelling task = tests::small_task(2000, 500);
  s.target_noise = 0.3;
  const auto feed = task.feed(s);
  Settings clean = s;
  clean.target_noise = 0;
  const auto right = task.feed(clean);
  std::vector<std::int32_t> x(64 * 16), y(x.size()), x0(x.size()), y0(x.size());
  const std::array<void*, 2> noisy = {x.data(), y.data()}, plain = {x0.data(), y0.data()};
  data::Batches places(task.corpus().train, 16, 64, s.seed, 400);
  std::map<std::int64_t, std::int32_t> taught;  // by the target's place
  int wrong = 0, repeated = 0;
  for (std::uint64_t step = 0; step < 40; ++step) {
    feed->fill(step, 0, 64, noisy);
    right->fill(step, 0, 64, plain);
    EXPECT_EQ(x, x0) << "inputs stay as they are";
    for (int row = 0; row < 64; ++row) {
      const std::int64_t start = places.start(step, row);
      for (int t = 0; t < 16; ++t) {
        const auto [at, fresh] =
            taught.emplace(start + t, y[static_cast<std::size_t>(row * 16 + t)]);
        EXPECT_EQ(at->second, y[static_cast<std::size_t>(row * 16 + t)]);
        repeated += fresh ? 0 : 1;
      }
    }
    for (std::size_t i = 0; i < y.size(); ++i) wrong += y[i] != y0[i] ? 1 : 0;
  }
  EXPECT_GT(repeated, 30000);
  // One of 15 draws is the right symbol: 0.3 · 14/15 of some 400 places, 4 standard errors.
  EXPECT_NEAR(wrong / (40.0 * 64 * 16), 0.28, 4 * std::sqrt(0.28 * 0.72 / 384));
  // In pieces the same.
  std::vector<std::int32_t> part(16 * 16), part_y(part.size());
  feed->fill(39, 48, 16, std::array<void*, 2>{part.data(), part_y.data()});
  EXPECT_TRUE(std::equal(part_y.begin(), part_y.end(), y.begin() + 48 * 16));
  const auto exam = task.exam(s, Split::kVal), same = task.exam(clean, Split::kVal);
  exam->fill(0, 8, noisy);
  same->fill(0, 8, plain);
  EXPECT_TRUE(std::equal(y.begin(), y.begin() + 8 * 16, y0.begin()));
}

}  // namespace
}  // namespace train
