// metrics.jsonl read back, whole and broken.
#include <gtest/gtest.h>

#include "base/error.h"
#include "lab/runs/store.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "train/log/sink.h"

namespace lab {
namespace {

constexpr const char* kLine =
    R"({"step":13,"tokens":104.0,"flops":9e9,"seconds":0.3,"train_loss":3.5,"val_loss":2.5,"lr":1})";

TEST(Curve, ReadsWhatTheLogSays) {
  const tests::TempFolder folder;
  EXPECT_TRUE(read_curve(folder.path() / "not_there").empty());
  const auto file = folder.write(
      "metrics.jsonl", std::string(kLine) + "\n" +
                           R"({"step":14,"flops":1e10,"train_loss":null,"val_loss":null})" + "\n");
  const auto points = read_curve(file);
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0].step, 13);
  EXPECT_EQ(points[0].flops, 9e9);
  EXPECT_EQ(points[0].train_loss, 3.5);
  EXPECT_EQ(points[0].val_loss, 2.5);
  EXPECT_FALSE(points[1].train_loss || points[1].val_loss);
}

TEST(Curve, ABrokenLineIsNamed) {
  const tests::TempFolder folder;
  for (const char* broken : {"", "{", "[]", "3", R"({"step":1})",
                             R"({"step":"1","flops":2,"train_loss":1,"val_loss":1})",
                             R"({"step":null,"flops":2,"train_loss":1,"val_loss":1})",
                             R"({"step":1,"flops":1e999,"train_loss":1,"val_loss":1})",
                             R"({"step":1,"flops":2,"train_loss":1,"val_loss":"nan"})"}) {
    const auto file =
        folder.write("metrics.jsonl", base::concat(kLine, '\n', broken, '\n', kLine, '\n'));
    EXPECT_ERROR(read_curve(file), "metrics.jsonl, line 2");
    EXPECT_ERROR(read_curve(file), "to make the run again");
  }
}

// A run in the store is not there before it is whole, but how far it is can be seen.
TEST(Curve, OfARunThatIsBeingMade) {
  const tests::TempFolder folder;
  train::JsonLines<base::AtomicFile> log(folder.path() / "metrics.jsonl", {});
  train::Progress p;
  p.step = 7, p.val_loss = 1.5;
  log.progress(p);
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "metrics.jsonl"));
  const auto temporary = std::filesystem::directory_iterator(folder.path())->path();
  const auto points = read_curve(temporary);
  ASSERT_EQ(points.size(), 1U) << temporary;
  EXPECT_EQ(points[0].step, 7);
  log.commit();
  EXPECT_EQ(read_curve(folder.path() / "metrics.jsonl").size(), 1U);
}

}  // namespace
}  // namespace lab
