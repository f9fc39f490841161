// A run's state goes to a file and comes back in the same bits, and a file is trusted in nothing.
#include "train/storage/checkpoint.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/files.h"
#include "tests/expect_error.h"
#include "tests/limits.h"
#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"
#include "train/run.h"
#include "train/storage/safetensors.h"
#include "train/trainer.h"

namespace train {
namespace {

namespace fs = std::filesystem;

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() {
    settings.n_layer = 1;
    settings.n_head = 2;
    settings.n_embd = 8;
    settings.block_size = 8;
    settings.batch = 4;
    settings.norm = "batchnorm";
    settings.stop = "best";
    settings.budget = "20steps";
    settings.eval_interval = 3;
  }
  Checkpoints checkpoints(const Settings& s) const { return {folder.path(), s, task.data_hash()}; }
  /// A trainer that has saved after so many steps, and stopped after the last of them.
  std::unique_ptr<Trainer> trained(const std::vector<std::int64_t>& saved) const {
    auto trainer = std::make_unique<Trainer>(settings, task);
    std::size_t at = 0;
    const TrainState& s = trainer->state();
    Keeping keeping;
    keeping.stop = [&] {
      if (s.step != saved[at]) return false;
      checkpoints(settings).save(s);
      return ++at == saved.size();
    };
    EXPECT_TRUE(run(*trainer, {}, keeping).stopped);
    return trainer;
  }
  Checkpoints::Loaded load(Trainer& into) const {
    return checkpoints(into.planned().settings).load(into.state());
  }
  std::string error() const {
    Trainer fresh(settings, task);
    return tests::error_of([&] { load(fresh); });
  }
  /// What save() writes of a state.
  std::string bytes_of(const TrainState& state) const {
    const tests::TempFolder own;
    Checkpoints(own.path(), settings, task.data_hash()).save(state);
    return own.read(checkpoints_in(own.path()).at(0));
  }

  const tests::TempFolder folder;
  const LanguageModelling task{tests::small_corpus(400, 60)};
  Settings settings;
};

TEST_F(CheckpointTest, TheWholeStateComesBack) {
  const auto saved = trained({4});
  TrainState& s = saved->state();
  s.recalibration = {1, 2.5, 1e300, 0x1.fffffffffffffp-3, 5};
  s.next_eval = 0.1 + 0.2;
  s.late_loss_sum = -0.0;
  s.late_loss_count = 7;
  s.worse = 2;
  s.earlier = {{"7steps", 7}, {"1e9flops", 9}};
  checkpoints(settings).save(s);
  Trainer other(settings, task);
  other.state().val_windows = {1, 2, 3, 4, 5};
  const Checkpoints::Loaded loaded = load(other);
  EXPECT_EQ(loaded.path.filename(), "checkpoint-000004.safetensors");
  EXPECT_TRUE(loaded.damaged.empty());
  EXPECT_EQ(loaded.extended, "");
  const TrainState& o = other.state();
  EXPECT_EQ(o.step, 4);
  EXPECT_EQ(o.spent.tokens, s.spent.tokens);
  EXPECT_EQ(o.spent.seconds, s.spent.seconds);
  EXPECT_EQ(o.recalibration.flops, 1e300);
  EXPECT_EQ(o.recalibration.seconds, 0x1.fffffffffffffp-3);
  EXPECT_EQ(o.next_eval, 0.1 + 0.2);
  EXPECT_TRUE(std::signbit(o.late_loss_sum));
  EXPECT_EQ(o.moments.updates, 4);
  EXPECT_EQ(o.val_loss, s.val_loss);
  EXPECT_EQ(o.val_windows, s.val_windows);
  EXPECT_FALSE(o.best_weights.empty());
  EXPECT_EQ(o.best_weights, s.best_weights);
  EXPECT_EQ(o.earlier, s.earlier);
  EXPECT_EQ(bytes_of(o), bytes_of(s));
  for (int i = 0; i < static_cast<int>(s.params->list().size()); ++i)
    EXPECT_EQ(std::memcmp(o.params->value(i), s.params->value(i),
                          static_cast<std::size_t>((*s.params)[i].shape.numel()) * sizeof(float)),
              0)
        << (*s.params)[i].name;
  EXPECT_EQ(std::memcmp(o.moments.first(), s.moments.first(), 2 * s.moments.floats * sizeof(float)),
            0);
}

TEST_F(CheckpointTest, WhatIsNotKnownStaysSo) {
  const auto saved = trained({1});
  Trainer other(settings, task);
  other.state().val_loss = other.state().best_val_loss = 1;
  load(other);
  EXPECT_FALSE(other.state().val_loss);
  EXPECT_FALSE(other.state().best_val_loss);
  EXPECT_TRUE(other.state().first_loss);
}

TEST_F(CheckpointTest, TheLastTwoAreKept) {
  trained({2, 3, 5, 8});
  const auto left = checkpoints_in(folder.path());
  ASSERT_EQ(left.size(), 2U);
  EXPECT_EQ(left[0].filename(), "checkpoint-000008.safetensors");
  EXPECT_EQ(left[1].filename(), "checkpoint-000005.safetensors");
  checkpoints(settings).keep_only(left[1]);
  EXPECT_EQ(checkpoints_in(folder.path()), std::vector{left[1]});
}

TEST_F(CheckpointTest, StepsAreOrderedAsNumbers) {
  for (const char* name : {"checkpoint-1000000.safetensors", "checkpoint-999999.safetensors",
                           "checkpoint-.safetensors", "checkpoint-x.safetensors",
                           "checkpoint-000007.safetensors.1-a.tmp", "model.safetensors"})
    folder.write(name, "");
  const auto found = checkpoints_in(folder.path());
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].filename(), "checkpoint-1000000.safetensors");
  EXPECT_TRUE(checkpoints_in(folder.path() / "nowhere").empty());
}

TEST_F(CheckpointTest, ADamagedOneGivesWayToTheOneBefore) {
  trained({2, 5});
  const fs::path newest = checkpoints_in(folder.path()).at(0);
  fs::resize_file(newest, fs::file_size(newest) - 1);
  Trainer other(settings, task);
  const Checkpoints::Loaded loaded = load(other);
  EXPECT_EQ(other.state().step, 2);
  ASSERT_EQ(loaded.damaged.size(), 1U);
  EXPECT_EQ(loaded.damaged[0].first, newest);
  EXPECT_NE(loaded.damaged[0].second.find(newest.string()), std::string::npos);
  folder.write(loaded.path.filename().string(), "");
  EXPECT_NE(error().find("no checkpoint can be used"), std::string::npos) << error();
  EXPECT_NE(error().find("000005"), std::string::npos) << error();
  EXPECT_NE(error().find("000002"), std::string::npos) << error();
  for (const fs::path& path : checkpoints_in(folder.path())) fs::remove(path);
  EXPECT_NE(error().find("has no checkpoint"), std::string::npos) << error();
}

TEST_F(CheckpointTest, OneThatCannotBeReadIsNotCalledDamaged) {
  trained({5, 6});
  const fs::path newest = checkpoints_in(folder.path()).at(0);
  const auto before = folder.snapshot();
  {
    const tests::NoDescriptors none;
    EXPECT_THROW(read_safetensors(newest), base::Unreadable);
    EXPECT_THROW(checkpoints_in(folder.path()), base::Unreadable);
  }
  EXPECT_EQ(folder.snapshot(), before);
  EXPECT_TRUE(checkpoints_in(folder.path() / "none").empty());
}

TEST_F(CheckpointTest, OneThatIsSetAsideKeepsItsBytes) {
  trained({5, 6});
  const fs::path newest = checkpoints_in(folder.path()).at(0);
  const std::string bytes = folder.read(newest);
  EXPECT_EQ(set_aside(newest), "set aside as checkpoint-000006.safetensors.1.aside");
  EXPECT_EQ(folder.read("checkpoint-000006.safetensors.1.aside"), bytes);
  EXPECT_EQ(checkpoints_in(folder.path()).size(), 1U);
  folder.write(newest.filename(), "another");
  EXPECT_EQ(set_aside(newest), "set aside as checkpoint-000006.safetensors.2.aside");
  EXPECT_EQ(folder.read("checkpoint-000006.safetensors.1.aside"), bytes);
  EXPECT_NE(set_aside(newest).find("it stays where it is"), std::string::npos) << "it is gone";
  EXPECT_TRUE(is_set_aside("checkpoint-000006.safetensors.2.aside"));
  EXPECT_FALSE(is_set_aside("checkpoint-000006.safetensors"));
}

TEST_F(CheckpointTest, OnlyTheRunsOwnAreTaken) {
  trained({2});
  settings.lr *= 2;
  EXPECT_NE(error().find("is not a checkpoint of the run"), std::string::npos) << error();
  settings.lr /= 2;
  EXPECT_EQ(error(), "");
  const LanguageModelling others{tests::small_corpus(401, 60)};
  Trainer fresh(settings, others);
  EXPECT_ERROR(Checkpoints(folder.path(), settings, others.data_hash()).load(fresh.state()),
               "is not a checkpoint of the run");
  // Weights alone are none either.
  write_safetensors(folder.path() / "checkpoint-000003.safetensors", fresh.params(), {});
  fs::remove(folder.path() / "checkpoint-000002.safetensors");
  EXPECT_NE(error().find("is not a checkpoint of the run"), std::string::npos) << error();
}

TEST_F(CheckpointTest, AnotherBudgetBeginsANewSchedule) {
  const auto saved = trained({19});
  ASSERT_GT(saved->state().late_loss_count, 0);
  saved->state().worse = 3;
  checkpoints(settings).save(saved->state());
  Settings longer = settings;
  longer.budget = "40steps";
  Trainer other(longer, task);
  EXPECT_EQ(load(other).extended, "20steps");
  const TrainState& s = other.state();
  EXPECT_EQ(s.step, 19);
  EXPECT_EQ(s.earlier, (std::vector<Stretch>{{"20steps", 19}}));
  EXPECT_EQ(s.late_loss_count, 0);
  EXPECT_EQ(s.worse, 0);
  EXPECT_EQ(s.best_val_loss, saved->state().best_val_loss);
  checkpoints(longer).save(s);
  Trainer again(longer, task);
  EXPECT_EQ(load(again).extended, "") << "it was saved under the new one";
  EXPECT_EQ(again.state().earlier, s.earlier);
}

TEST_F(CheckpointTest, ItsSizeIsKnownBeforehand) {
  trained({4});
  const auto size = static_cast<double>(fs::file_size(checkpoints_in(folder.path()).at(0)));
  const RunPlan plan(settings, task);
  const auto told = static_cast<double>(checkpoint_bytes(*plan.params, settings));
  EXPECT_GT(size, told);
  EXPECT_LT(size, told + 16384) << "header and single numbers";
  settings.stop = "end";
  EXPECT_LT(static_cast<double>(checkpoint_bytes(*plan.params, settings)), told);
}

// Whatever becomes of the bytes, what comes of them is an error or the state that was saved.
TEST_F(CheckpointTest, BrokenFilesAreRefused) {
  const auto saved = trained({4});
  const fs::path path = checkpoints_in(folder.path()).at(0);
  const std::string name = path.filename().string(), good = folder.read(name),
                    state = bytes_of(saved->state());
  Trainer into(settings, task);
  int refused = 0, tried = 0;
  const auto try_bytes = [&](const std::string& bytes, const std::string& what) {
    ++tried;
    folder.write(name, bytes);
    const std::string said = tests::error_of([&] { load(into); });
    refused += said.empty() ? 0 : 1;
    if (said.empty()) {
      EXPECT_EQ(bytes_of(into.state()), state) << what;
    } else {
      EXPECT_NE(said.find(name), std::string::npos) << what << ": " << said;
    }
  };
  for (std::size_t n = 0; n < good.size(); n = n + 1 + n / 7)
    try_bytes(good.substr(0, n), "cut at " + std::to_string(n));
  EXPECT_EQ(refused, tried);
  try_bytes(good + std::string(1, '\0'), "a byte more");
  EXPECT_EQ(refused, tried);
  engine::Sequence random(engine::stream_key(1, engine::Stream::kSample), 1);
  for (int i = 0; i < 300; ++i) {
    // Half of them in the header, where there is most to be misread.
    const std::size_t at = random.below(static_cast<std::uint32_t>(
        i % 2 == 0 ? good.size() : std::min<std::size_t>(good.size(), 6000)));
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
    try_bytes(bytes, "a bit of byte " + std::to_string(at));
  }
  EXPECT_GT(refused, tried - 10) << "but for the word that says whose format it is";
}

// Tensors that are well-formed and have a right checksum, and are still not a state.
TEST_F(CheckpointTest, TensorsOfOtherSizesAreRefused) {
  const auto saved = trained({4});
  const fs::path path = checkpoints_in(folder.path()).at(0);
  const TensorFile file = read_safetensors(path);
  const auto with = [&](const std::string& changed, const char* dtype, std::size_t n) {
    std::vector<TensorView> tensors;
    const std::vector<double> numbers(n, -1.0);
    for (const auto& [name, t] : file.tensors)
      if (name != changed) tensors.push_back({name, t.dtype, t.shape, t.bytes});
    const std::span<const double> all(numbers);
    if (dtype != nullptr)
      tensors.push_back({changed,
                         dtype,
                         {static_cast<std::int64_t>(n)},
                         std::as_bytes(all).first(n * (dtype[1] == '3' ? 4 : 8))});
    write_safetensors(path, tensors, file.metadata);
    return error();
  };
  for (const char* name :
       {"state/step", "state/loss_sum", "state/val_loss", "adam.first/wte.weight", "wte.weight",
        "state/best_weights", "state/spent.tokens"}) {
    EXPECT_NE(with(name, nullptr, 0), "") << name << " is missing";
    EXPECT_NE(with(name, "F32", 3), "") << name << " has three numbers";
    EXPECT_NE(with(name, "F64", 2), "") << name << " has two doubles";
  }
  EXPECT_NE(with("state/step", "I64", 1).find("below 0"), std::string::npos);
  EXPECT_NE(with("state/best_weights", "F32", 7).find("best weights"), std::string::npos);
  EXPECT_EQ(with("state/best_weights", "F32", 0), "");
}

}  // namespace
}  // namespace train
