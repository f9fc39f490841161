#include <gtest/gtest.h>

#include "lab/runs/record.h"

namespace lab {
namespace {

TEST(Values, RowsOfTheTableAndOthers) {
  Values v;
  EXPECT_EQ(v.size(), 0U);
  EXPECT_FALSE(v.at("val_loss"));
  EXPECT_FALSE(v.at(metric("val_loss")));
  v.erase("val_loss");
  v.set("val_loss", 1.5);
  v.set(metric("flops"), 0);
  v.set("probe.mlp.w1", 2);
  EXPECT_EQ(v.at("val_loss"), 1.5);
  EXPECT_EQ(v.at(metric("val_loss")), 1.5);
  EXPECT_EQ(v.at("flops"), 0.0);
  EXPECT_EQ(v.at("probe.mlp.w1"), 2.0);
  EXPECT_FALSE(v.at("test_loss"));
  EXPECT_FALSE(v.at("probe.attn.w1"));
  EXPECT_EQ(v.size(), 3U);
  EXPECT_EQ(v.others().size(), 1U);
  v.set("val_loss", 1.25);
  EXPECT_EQ(v.at("val_loss"), 1.25);
  v.erase("val_loss");
  v.erase("probe.mlp.w1");
  v.erase("probe.attn.w1");
  EXPECT_FALSE(v.at("val_loss"));
  EXPECT_EQ(v.size(), 1U);
}

TEST(Values, EveryRowHasAPlaceOfItsOwn) {
  Values v;
  double x = 0;
  for (const Metric& m : metrics()) v.set(m, ++x);
  x = 0;
  for (const Metric& m : metrics()) EXPECT_EQ(v.at(m.name), ++x) << m.name;
  EXPECT_EQ(v.size(), metrics().size());
}

}  // namespace
}  // namespace lab
