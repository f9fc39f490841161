// The ways to a product: whichever is taken, the bits are the partition's.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "ops/gemm.h"
#include "ops/operands.h"
#include "tests/temp_folder.h"

namespace {
using ops::MatmulSpec;
using ops::Way;

/// The three products of a linear layer: rows (R,C) · w (C,OC).
std::vector<MatmulSpec> products(std::int64_t R, std::int64_t C, std::int64_t OC) {
  return {{.m = R, .n = OC, .k = C, .a_row = C, .b_row = OC, .c_row = OC, .bias = true},
          {.m = R, .n = C, .k = OC, .a_row = OC, .b_row = 1, .b_col = OC, .c_row = C},
          {.m = C, .n = OC, .k = R, .a_row = 1, .a_col = C, .b_row = OC, .c_row = OC}};
}

/// Those of tiny, nano and, with fewer rows, char and gpt2.
std::vector<MatmulSpec> shapes() {
  std::vector<MatmulSpec> all;
  const auto add = [&](std::int64_t R, std::int64_t C, std::int64_t OC) {
    for (const MatmulSpec& s : products(R, C, OC)) all.push_back(s);
  };
  add(1024, 64, 192), add(1024, 64, 64), add(1024, 256, 64), add(1024, 64, 65);
  add(768, 128, 384), add(768, 128, 128), add(768, 512, 128), add(768, 128, 65);
  add(256, 384, 1152), add(256, 384, 384), add(256, 1536, 384), add(256, 384, 65);
  add(128, 768, 2304), add(128, 3072, 768);
  return all;
}

std::string text(const MatmulSpec& s) {
  return base::concat(s.m, " x ", s.n, " x ", s.k, s.a_col == 1 ? "" : ", A transposed",
                      s.b_col == 1 ? "" : ", B transposed");
}

TEST(ProductWay, ThePartitionHasTheSameBitsForAnyNumberOfThreads) {
  for (const MatmulSpec& s : shapes())
    EXPECT_TRUE(ops::has_partition_bits(s, Way::kPartition)) << text(s);
}

// So that a machine of many cores may take them where whole products have other bits.
TEST(ProductWay, WeightGradientsHaveTheSameBitsInMoreBlocks) {
  for (const MatmulSpec& s : shapes())
    if (s.a_col != 1) {
      EXPECT_TRUE(ops::has_partition_bits(s, Way::kFine)) << text(s);
    }
}

TEST(ProductWay, MoreBlocksAreForMoreThreadsThanThePartitionHasBlocks) {
  const MatmulSpec s = shapes()[0];
  for (const int threads : {1, 8, 9, 64}) {
    const auto ways = ops::ways_for(s, threads);
    EXPECT_EQ(ways.front(), Way::kPartition);
    EXPECT_EQ(std::count(ways.begin(), ways.end(), Way::kFine), threads > 8 ? 1 : 0) << threads;
  }
}

TEST(ProductWay, TheOneThatIsChosenHasThePartitionsBits) {
  const tests::TempFolder folder;
  engine::Tuning tuning(folder.path() / "cache" / "tuning.tsv", 1e9);
  std::size_t others = 0;
  for (const MatmulSpec& s : shapes()) {
    const Way way = ops::choose_way(s, tuning);
    EXPECT_TRUE(ops::has_partition_bits(s, way)) << text(s) << ops::kWayNames[std::size_t(way)];
    others += way != Way::kPartition;
    engine::Tuning no_time(folder.path() / "cache" / "tuning.tsv", 0);
    EXPECT_EQ(ops::choose_way(s, no_time), way) << "not recalled: " << text(s);
  }
  std::printf("%zu of %zu products take another way than the partition\n", others, shapes().size());
}

// The file is a hint: whatever stands in it, bits are the partition's.
TEST(ProductWay, ARecalledWayWithOtherBitsIsNotTaken) {
  std::size_t refused = 0;
  for (const MatmulSpec& s : shapes())
    for (const Way way : ops::ways_for(s, base::max_threads())) {
      const tests::TempFolder folder;
      const engine::Tuning tuning(folder.path() / "tuning.tsv");
      tuning.keep(ops::tuning_key(s), ops::kWayNames[std::size_t(way)]);
      engine::Tuning no_time(folder.path() / "tuning.tsv", 0);
      const Way chosen = ops::choose_way(s, no_time);
      if (ops::has_partition_bits(s, way)) {
        EXPECT_EQ(chosen, way) << text(s);
        continue;
      }
      EXPECT_TRUE(ops::has_partition_bits(s, chosen)) << text(s);
      ++refused;
    }
  std::printf("%zu recalled ways have other bits here\n", refused);
}

TEST(ProductWay, AnOutcomeIsOfThisProcessorLibraryAndNumberOfThreads) {
  const MatmulSpec s = shapes()[0];
  const std::string key = ops::tuning_key(s);
  for (const std::string& part :
       {ops::onednn_version() + " " + ops::onednn_isa(), std::string("cpu: "),
        "threads " + std::to_string(base::max_threads()), std::string("1024 192 64")})
    EXPECT_NE(key.find(part), std::string::npos) << key;
  EXPECT_NE(key.find(" #"), std::string::npos) << "of the instructions: " << key;
  MatmulSpec other = s;
  other.n += 1;
  EXPECT_NE(ops::tuning_key(other), key);
}

TEST(ProductWay, WithoutTimeOrFileItIsThePartition) {
  const tests::TempFolder folder;
  engine::Tuning none, no_time(folder.path() / "tuning.tsv", 0);
  for (const MatmulSpec& s : products(768, 128, 384)) {
    EXPECT_EQ(ops::choose_way(s, none), Way::kPartition);
    EXPECT_EQ(ops::choose_way(s, no_time), Way::kPartition);
  }
  EXPECT_TRUE(folder.snapshot().empty());
}

TEST(ProductWay, MeasuringTakesFromTheTime) {
  const tests::TempFolder folder;
  engine::Tuning tuning(folder.path() / "tuning.tsv", 1e-9);
  const auto all = products(768, 128, 384);
  ops::choose_way(all[0], tuning);
  EXPECT_FALSE(tuning.may_measure());
  EXPECT_EQ(ops::choose_way(all[1], tuning), Way::kPartition);
}

TEST(ProductWay, EachWayComputesTheProduct) {
  const MatmulSpec spec = products(200, 48, 80)[0];
  const ops::Operands operands(spec);
  for (const Way way : {Way::kPartition, Way::kWhole, Way::kPacked, Way::kFine}) {
    if (way == Way::kPacked && !ops::can_pack(spec)) continue;
    ops::Gemm gemm(spec, way);
    gemm.build(true, true);
    const engine::Buffer c(operands.c_bytes), scratch(gemm.scratch_bytes());
    const auto run = [&](bool add) {
      gemm.run(operands.a.as<float>(), operands.b.as<float>(), operands.bias(), c.as<float>(),
               scratch.data(), add);
    };
    run(false);
    for (int later : {1, 2, 5}) {  // than the primitives were made for, and fewer
      omp_set_num_threads(later);
      run(true);
    }
    omp_set_num_threads(omp_get_num_procs());
    for (std::int64_t i = 0; i < spec.m; i += 37)
      for (std::int64_t j = 0; j < spec.n; ++j) {
        double want = static_cast<double>(operands.bias()[j]);
        for (std::int64_t k = 0; k < spec.k; ++k)
          want += static_cast<double>(operands.a.as<float>()[i * spec.k + k]) *
                  static_cast<double>(operands.b.as<float>()[k * spec.n + j]);
        ASSERT_NEAR(c.as<float>()[i * spec.n + j], 4 * want, 1e-4)
            << ops::kWayNames[std::size_t(way)];
      }
  }
}

TEST(ProductWay, APassIsDescribedByEachOfItsProductsWhereTheyDiffer) {
  const MatmulSpec spec = products(200, 48, 80)[0];
  ops::Gemm cut(spec, Way::kPartition), whole(spec, Way::kWhole), unbuilt(spec, Way::kWhole);
  cut.build(true, false);
  whole.build(true, false);
  const auto text = [](const std::vector<ops::NamedGemm>& all) { return ops::describe(all); };
  EXPECT_TRUE(cut.describe().ends_with(", partition"));
  EXPECT_EQ(unbuilt.describe(), "");
  EXPECT_EQ(text({{"dx", &cut}, {"dw", &whole}}),
            "dx " + cut.describe() + "; dw " + whole.describe());
  EXPECT_EQ(text({{"dx", &cut}, {"dw", &cut}, {"dz", &unbuilt}}), cut.describe());
}

TEST(Tuning, TheLastWordForTheVeryKeyCounts) {
  const tests::TempFolder folder;
  const engine::Tuning tuning(folder.path() / "a" / "tuning.tsv");
  EXPECT_EQ(tuning.recall("x"), std::nullopt);
  tuning.keep("x", "one");
  tuning.keep("xy", "other");
  tuning.keep("x", "two");
  EXPECT_EQ(tuning.recall("x"), "two");
  EXPECT_EQ(tuning.recall("xy"), "other");
  EXPECT_EQ(tuning.recall(""), std::nullopt);
  folder.write("a/tuning.tsv", std::string("\0\xff rubbish\nx\tthree", 18));
  EXPECT_EQ(tuning.recall("x"), "three");
}

TEST(Tuning, AWordNobodyKnowsIsMeasuredAgain) {
  const tests::TempFolder folder;
  const MatmulSpec spec = products(768, 128, 384)[0];
  engine::Tuning tuning(folder.path() / "tuning.tsv", 1e9);
  ops::choose_way(spec, tuning);
  std::string kept = folder.read("tuning.tsv");
  folder.write("tuning.tsv", kept.substr(0, kept.find('\t')) + "\tno such way\n");
  engine::Tuning no_time(folder.path() / "tuning.tsv", 0);
  EXPECT_EQ(ops::choose_way(spec, no_time), Way::kPartition);
}

}  // namespace
