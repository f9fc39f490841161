// A user's table: how a CSV file is read and refused, how its rows are split and put in units of
// the training rows, and that both tasks train.
#include "train/tasks/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "data/table/csv_file.h"
#include "engine/rng.h"
#include "tests/expect_error.h"
#include "tests/temp_folder.h"
#include "train/run.h"

namespace train {
namespace {

using CsvRecords = std::vector<std::vector<std::string>>;

CsvRecords records_of(std::string_view text) {
  CsvRecords out;
  data::read_csv(text, "x.csv", [&](std::int64_t, std::span<const std::string> cells) {
    out.emplace_back(cells.begin(), cells.end());
  });
  return out;
}

TEST(Csv, ReadsWhatSpreadsheetsWrite) {
  const CsvRecords want = {{"a", "b"}, {"1", "2"}};
  for (const char* text : {"a,b\n1,2\n", "a,b\n1,2", "a,b\r\n1,2\r\n",
                           "\xef\xbb\xbf"
                           "a,b\n1,2\n",
                           "a , b\n\n 1,2 \n\n", "\"a\",\"b\"\n\"1\",2\n", "a,b\r1,2\r"})
    EXPECT_EQ(records_of(text), want) << text;
  EXPECT_EQ(records_of("a,\"x, \"\"y\"\"\nz\"\n,\n"), (CsvRecords{{"a", "x, \"y\"\nz"}, {"", ""}}));
  EXPECT_TRUE(records_of("").empty());
  std::vector<std::int64_t> lines;
  data::read_csv("a\n\n\"b\nc\"\r\nd\n", "x.csv",
                 [&](std::int64_t line, std::span<const std::string>) { lines.push_back(line); });
  EXPECT_EQ(lines, (std::vector<std::int64_t>{1, 3, 5})) << "where each begins";
}

TEST(Csv, RefusesWhatItCannotRead) {
  EXPECT_ERROR(records_of("a,b\n1,2\"3\n"), "x.csv:2: a quote within a cell, or one that is not");
  EXPECT_ERROR(records_of("a,b\n\"1,2\n3,4\n"), "x.csv:3: a quote within a cell, or one");
  EXPECT_ERROR(records_of("a,b\n1,caf\xe9\n"), "x.csv:2: not UTF-8; save the table as UTF-8");
  EXPECT_THROW(data::read_csv("a\nb\n", "x",
                              [](std::int64_t line, auto) {
                                if (line == 2) throw std::runtime_error("stop");
                              }),
               std::runtime_error)
      << "what a caller throws crosses the parser";
}

/// Rows of y = 2a − b and a class of the sign of a.
std::string linear_table(int rows) {
  std::string text = "a,b,y,class\n";
  engine::Sequence random(engine::stream_key(1, engine::Stream::kSample), 9);
  for (int i = 0; i < rows; ++i) {
    const double a = 2 * random.uniform() - 1, b = 10 + 5 * random.uniform();
    text += std::to_string(a) + ',' + std::to_string(b) + ',' + std::to_string(20 * a - b) + ',' +
            (a > 0 ? "plus" : "minus") + '\n';
  }
  return text;
}

TEST(TableFile, OneThatDoesNotFitInMemoryIsRefusedOnTheWay) {
  const tests::TempFolder folder;
  std::string text = "y,a,b,c\n";
  for (int i = 0; i < 200'000; ++i) text += "1,2,3,4\n";
  const std::string path = folder.write("t.csv", text).string();
  EXPECT_EQ(data::read_table(path, "y", false, [] { return std::size_t{9 << 20}; }).rows, 200'000);
  EXPECT_ERROR(data::read_table(path, "y", false, [] { return std::size_t{4 << 20}; }),
               "t.csv' does not fit in memory");
}

class TableTest : public testing::Test {
 protected:
  data::TableFile file(const std::string& text, bool classes = false) {
    return data::read_table(folder.write("t.csv", text), "y", classes);
  }
  /// What reading says, from the file's name on.
  std::string refused(const std::string& text, bool classes = false) {
    const std::string all = tests::error_of([&] { file(text, classes); });
    const std::size_t at = all.find("t.csv");
    return at == all.npos ? all : all.substr(at);
  }
  /// Without the columns that would give the target away.
  Settings settings(const std::string& task, const std::string& text) {
    Settings s;
    set(s, "preset", "tiny");
    s.task = task;
    s.csv = folder.write("t.csv", text);
    s.target = "y";
    s.block_size = 2;
    s.batch = 16;
    return s;
  }
  static std::string without(std::string text, std::size_t column) {
    std::string out;
    for (const auto& cells : records_of(text)) {
      std::string line;
      for (std::size_t i = 0; i < cells.size(); ++i)
        if (i != column) line += (line.empty() ? "" : ",") + cells[i];
      out += line + '\n';
    }
    return out;
  }
  const tests::TempFolder folder;
};

TEST_F(TableTest, ReadsNumbersAndClasses) {
  const data::TableFile f = file("a,y,b\n1,0.5,-2e3\n+3,4,5\n");
  EXPECT_EQ(f.columns, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(f.features, (std::vector<double>{1, -2000, 3, 5}));
  EXPECT_EQ(f.numbers, (std::vector<double>{0.5, 4}));
  EXPECT_EQ(f.hash, file("\"a\",y,b\r\n1,0.5, -2e3\r\n+3,4,5").hash) << "of what is in the cells";
  EXPECT_NE(f.hash, file("a,y,b\n1,0.5,-2e3\n+3,4,6\n").hash);
  const data::TableFile g = file("y,a\nzebra,1\nant,2\nzebra,3\n", true);
  EXPECT_EQ(g.classes, (std::vector<std::string>{"ant", "zebra"})) << "sorted";
  EXPECT_EQ(g.labels, (std::vector<std::int32_t>{1, 0, 1}));
}

TEST_F(TableTest, SeveralFilesAreOneTable) {
  const std::string head = "a,y\n", one = "1,u\n2,v\n", two = "3,u\n4,w\n";
  const data::TableFile whole = file(head + one + two, true);
  const auto joined = [&](const std::string& first, const std::string& second) {
    folder.write("d/1.csv", first);
    folder.write("d/2.CSV", second);
    return data::read_table(folder.path() / "d", "y", true);
  };
  for (const data::TableFile& f : {joined(head + one, head + two), joined(head + one, two),
                                   joined(head + one, "\xef\xbb\xbf\"a\", y\r\n" + two),
                                   joined(head + "1,u\n2,v", two), joined(head, one + two)}) {
    EXPECT_EQ(f.rows, 4);
    EXPECT_EQ(f.classes, (std::vector<std::string>{"u", "v", "w"}));
    EXPECT_EQ(f.features, (std::vector<double>{1, 2, 3, 4}));
    EXPECT_EQ(f.hash, whole.hash);
  }
  EXPECT_EQ(data::read_table(folder.path() / "d/*.[cC]*", "y", true).rows, 4);
  EXPECT_ERROR(joined(head + one, "y,a\n" + two), "d/2.CSV:1: neither the header of");
  EXPECT_ERROR(joined(head + one, head + head), "d/2.CSV:2: column 'a': 'a' is not a number");
  EXPECT_ERROR(joined(head + one, "3,u\nx,u\n"), "d/2.CSV:2: column 'a': 'x' is not a number");
  EXPECT_ERROR(joined(head + one, "3\n"), "d/2.CSV:1: 1 cells where the header names 2");
  EXPECT_ERROR(joined("1,2\n", head), "d/1.csv:1: the first line must name the columns");
  EXPECT_ERROR(joined(head + one, ""), "d/2.CSV' is empty");
}

// Digits that all rows have in common cost none of the others.
TEST_F(TableTest, MeansAndDeviationsKeepTheirDigits) {
  std::string text = "a,y\n";
  for (int i = 0; i < 30; ++i)
    text += "9007199254740992,p\n9007199254740994,q\n9007199254740996,r\n";
  const TableData t = split_table(file(text, true), 0.1, 0.1);
  // The class says how far the row is above 2^53.
  const auto above = [&](std::int64_t row) {
    return 2.0 * t.labels[static_cast<std::size_t>(row)];
  };
  const auto n = static_cast<double>(t.train);
  double mean = 0, squares = 0;
  for (std::int64_t row = 0; row < t.train; ++row) mean += above(row) / n;
  for (std::int64_t row = 0; row < t.train; ++row) squares += std::pow(above(row) - mean, 2);
  EXPECT_NEAR(t.mean[0] - 0x1p53, mean, 1.01) << "to the nearest double, of which every second is";
  EXPECT_NEAR(t.sd[0], std::sqrt(squares / n), 1e-12);
  for (std::int64_t row = 0; row < t.train + t.val + t.test; ++row)
    EXPECT_NEAR(t.features[static_cast<std::size_t>(row)], (above(row) - mean) / t.sd[0], 1e-6);
}

TEST_F(TableTest, SaysWhatIsWrongWhere) {
  const struct {
    const char *text, *says;
    bool classes = false;
  } cases[] = {
      {"a,y\n1,\n",
       "t.csv:2: column 'y': is missing; fill it in, or leave out the row or the column"},
      {"a,y\n1,2\n,2\n",
       "t.csv:3: column 'a': is missing; fill it in, or leave out the row or the column"},
      {"a,y\nred,2\n",
       "t.csv:2: column 'a': 'red' is not a number; write it as numbers, or leave out the column"},
      {"a,y\n1,red\n",
       "t.csv:2: column 'y': 'red' is not a number; for classes give --task classification"},
      {"a,y\nnan,2\n",
       "t.csv:2: column 'a': 'nan' is not a number; write it as numbers, or leave out the column"},
      {"a,y\n-inf,2\n",
       "t.csv:2: column 'a': '-inf' is not a number; write it as numbers, or leave out the column"},
      {"a,y\n1e31,2\n",
       "t.csv:2: column 'a': '1e31' is out of range; give numbers of at most 1e30"},
      {"a,y\n1,1e999\n",
       "t.csv:2: column 'y': '1e999' is out of range; give numbers of at most 1e30"},
      {"a,y\n\"1,5\",2\n",
       "t.csv:2: column 'a': '1,5' is not a number; write it as numbers, or leave out the column"},
      {"a,y\n1,2,3\n", "t.csv:2: 3 cells where the header names 2 columns; each needs its own"},
      {"a,y\n\n1\n", "t.csv:3: 1 cells where the header names 2 columns; each needs its own"},
      {"a,y,a\n1,2,3\n", "t.csv:1: two columns are called 'a'; rename one"},
      {"\"a\nb\",y\n1,2\n",
       "t.csv:1: column 'a\\x0ab' has a line end or the like in its name; rename it"},
      {"a,,y\n1,2,3\n", "t.csv:1: column 2 has no name; give it one"},
      {"a,yy\n1,2\n", "t.csv:1: no column is called 'y', the target; did you mean 'yy'?"},
      {"a,b\n1,2\n", "t.csv:1: no column is called 'y', the target; choose from a, b"},
      {"y\n1\n", "t.csv:1: there is no column but the target; give some to predict it from"},
      {"1,2\n3,4\n",
       "t.csv:1: the first line must name the columns, and there are only numbers; add one with "
       "names"},
      {"a;y\n1;2\n",
       "t.csv:1: columns are separated by something else than commas; write the table with commas"},
      {"\"a\";\"y\"\n\"1\";\"2\"\n",
       "t.csv:1: columns are separated by something else than commas; write the table with commas"},
      {"\n\"a, b\"\t\"y\"\n1\t2\n",
       "t.csv:2: columns are separated by something else than commas; write the table with commas"},
      {"a|y\r\n1,5|2\r\n",
       "t.csv:1: columns are separated by something else than commas; write the table with commas"},
      {"\"a;b\",y\n1,red\n",
       "t.csv:2: column 'y': 'red' is not a number; for classes give --task classification"},
      {"a,y\n", "t.csv: has no row below its header; give some"},
      {"\n\n", "t.csv: has no row below its header; give some"},
      {"a,y\n1,x\n2,x\n", "t.csv: column 'y' has 'x' in every row: there is nothing to tell apart",
       true},
      {"a,y\n1,\n",
       "t.csv:2: column 'y': is missing; fill it in, or leave out the row or the column", true},
  };
  for (const auto& c : cases) EXPECT_EQ(refused(c.text, c.classes), c.says) << c.text;
  EXPECT_ERROR(file(""), "is empty");
  EXPECT_ERROR(data::read_table(folder.path() / "none.csv", "y", false), "no such file");
}

// Whatever the bytes are: a table, or an error of one line.
TEST_F(TableTest, NoBytesCrashTheReader) {
  const std::string good = "a,\"b\",y\r\n1,\"2\",3\n4,5,6\n\"7\",8,9e1\n";
  engine::Sequence random(engine::stream_key(7, engine::Stream::kSample), 1);
  constexpr std::string_view kBytes = "\",\n\r \0a1.e-+;\xff\xef\xbb\xbf";
  int read = 0;
  for (int trial = 0; trial < 3000; ++trial) {
    std::string text = good;
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      const auto at = static_cast<std::size_t>(random.below(text.size()));
      const char byte = kBytes[static_cast<std::size_t>(random.below(kBytes.size()))];
      switch (random.below(3)) {
        case 0:
          text[at] = byte;
          break;
        case 1:
          text.insert(at, 1, byte);
          break;
        default:
          text.erase(at, 1 + static_cast<std::size_t>(random.below(5)));
          if (text.empty()) text = "a";
      }
    }
    try {
      std::int64_t rows = -1;
      data::read_csv(text, "x.csv", [&](std::int64_t line, auto) { rows += line > 0; });
      if (trial % 10 == 0) read += file(text, trial % 20 == 0).rows > 0;
    } catch (const base::Error& e) {
      EXPECT_EQ(std::string_view(e.what()).find('\n'), std::string_view::npos) << e.what();
    }
  }
  EXPECT_GT(read, 0);
}

TEST_F(TableTest, SplitsAndUnitsAreThoseOfTheTrainingRows) {
  const data::TableFile f = file(without(linear_table(200), 3));
  const TableData d = split_table(f, 0.2, 0.1);
  EXPECT_EQ(d.train, 140);
  EXPECT_EQ(d.val, 40);
  EXPECT_EQ(d.test, 20);
  for (std::size_t j = 0; j < 3; ++j) {
    const auto at = [&](std::int64_t row) {
      const auto r = static_cast<std::size_t>(row);
      return static_cast<double>(j == 2 ? d.numbers[r] : d.features[2 * r + j]);
    };
    double mean = 0, squares = 0, others = 0;
    for (std::int64_t row = 0; row < 140; ++row)
      mean += at(row) / 140, squares += at(row) * at(row) / 140;
    for (std::int64_t row = 140; row < 200; ++row) others += at(row) / 60;
    EXPECT_NEAR(mean, 0, 1e-6);
    EXPECT_NEAR(squares, 1, 1e-5);
    EXPECT_GT(std::abs(others), 1e-3) << "the others' mean is not taken off";
  }
  // Every row is somewhere, its cells together: y = 20a − b holds in every split.
  std::vector<double> seen, want;
  for (std::size_t r = 0; r < 200; ++r) {
    const auto back = [&](std::size_t j, float x) {
      return static_cast<double>(x) * d.sd[j] + d.mean[j];
    };
    const double a = back(0, d.features[2 * r]), b = back(1, d.features[2 * r + 1]);
    EXPECT_NEAR(back(2, d.numbers[r]), 20 * a - b, 1e-4);
    seen.push_back(a);
    want.push_back(f.features[2 * r]);
  }
  std::sort(seen.begin(), seen.end()), std::sort(want.begin(), want.end());
  for (std::size_t r = 0; r < 200; ++r) EXPECT_NEAR(seen[r], want[r], 1e-6);
  EXPECT_EQ(split_table(f, 0.2, 0).test, 0);
  EXPECT_ERROR(split_table(file("a,y\n1,2\n3,4\n"), 0.1, 0.1),
               "of 2 rows val_fraction=0.1 and "
               "test_fraction=0.1 leave 1 to train on; give more rows or other fractions");
}

TEST_F(TableTest, AConstantColumnIsZerosAndAConstantTargetRefused) {
  std::string text = "a,b,y\n", same = "a,y\n";
  for (int i = 0; i < 30; ++i) {
    text += "0.1," + std::to_string(i) + ',' + std::to_string(i * i) + '\n';
    same += std::to_string(i) + ",0.7\n";
  }
  const TableData d = split_table(file(text), 0.1, 0.1);
  for (std::size_t r = 0; r < 30; ++r) EXPECT_EQ(d.features[2 * r], 0);
  EXPECT_ERROR(split_table(file(same), 0.1, 0.1), "column 'y' has the same number in every row");
  std::string rare = "a,y\n";
  for (int i = 0; i < 30; ++i) rare += std::to_string(i) + ',' + (i < 15 ? "p" : "q") + '\n';
  bool refused = false;  // one row of a class is in some split; try places until it is held out
  for (int at = 0; at < 12 && !refused; ++at)
    refused = tests::error_of([&] {
                split_table(file(rare + std::to_string(100 + at) + ",rare\n", true), 0.4, 0.4);
              }).find("class 'rare' is in no row that is trained on; give more rows of it") !=
              std::string::npos;
  EXPECT_TRUE(refused);
}

TEST_F(TableTest, OnlyTheLastPositionHasATarget) {
  const Settings s = settings("regression", without(linear_table(100), 3));
  const auto task = load_task(s);
  const auto feed = task->feed(s);
  EXPECT_EQ(feed->tokens_per_epoch(), 80 * 2);
  std::vector<float> x(16 * 2), y(16 * 2);
  void* inputs[] = {x.data(), y.data()};
  std::multiset<float> first, second;
  const auto epoch = [&](std::uint64_t from) {
    std::vector<float> targets;
    for (std::uint64_t step = from; step < from + 5; ++step) {
      feed->fill(step, 0, 16, inputs);
      for (std::size_t k = 0; k < 16; ++k) {
        EXPECT_TRUE(std::isnan(y[2 * k]));
        targets.push_back(y[2 * k + 1]);
      }
    }
    return targets;
  };
  std::vector<float> a = epoch(0), b = epoch(5);
  EXPECT_NE(a, b) << "in another order";
  std::sort(a.begin(), a.end()), std::sort(b.begin(), b.end());
  EXPECT_EQ(a, b) << "all of them";
  const auto val = task->exam(s, Split::kVal);
  EXPECT_EQ(val->rows(), 10);
  EXPECT_EQ(val->tokens(), 10);
  EXPECT_EQ(val->tokens(10), 0);
  val->fill(9, 2, inputs);
  EXPECT_FALSE(std::isnan(y[1]));
  EXPECT_TRUE(std::isnan(y[3])) << "behind the last row";
  Settings few = s;
  few.unique_tokens = 2 * 10;
  std::set<float> ten;
  const auto part = task->feed(few);
  for (std::uint64_t step = 0; step < 8; ++step) {
    part->fill(step, 0, 16, inputs);
    for (std::size_t k = 0; k < 16; ++k) ten.insert(y[2 * k + 1]);
  }
  EXPECT_EQ(ten.size(), 10U);
  few.unique_tokens = 2 * 81;
  EXPECT_ERROR(task->feed(few), "162 unique tokens are 81 rows of 2 tokens, more than the 80");
  Settings other = s;
  other.seed = 9;
  EXPECT_EQ(load_task(other)->data_hash(), task->data_hash());
  EXPECT_FALSE(task->own_exams());
}

TEST_F(TableTest, SettingsThatDoNotFitAreRefused) {
  Settings s = settings("regression", without(linear_table(100), 3));
  s.block_size = 64;
  EXPECT_ERROR(load_task(s), "has 2 feature columns, 1 of them a token; give --block-size 2");
  s.columns_per_token = 3;
  EXPECT_ERROR(load_task(s), "columns_per_token=3 does not divide the 2 feature columns");
  EXPECT_ERROR(load_task(s), "try columns_per_token=2");
  const auto refused = [&](const auto& change, const char* says) {
    Settings t = settings("regression", "a,y\n1,2\n");
    change(t);
    EXPECT_ERROR(validate(t), says);
  };
  EXPECT_NO_THROW(validate(settings("regression", "a,y\n1,2\n")));
  refused([](Settings& t) { t.csv = ""; },
          "task=regression learns from a table; give its file with --csv");
  refused([](Settings& t) { t.target = ""; },
          "task=regression predicts a column of the table; name it with --target");
  refused([](Settings& t) { t.text = "a.txt"; }, "text='a.txt' does nothing with task=regression");
  refused([](Settings& t) { t.tokenizer = "byte"; },
          "tokenizer=byte does nothing with task=regression");
  refused([](Settings& t) { t.language = "seeded"; },
          "language=seeded does nothing with task=regression");
  refused([](Settings& t) { t.task = "lm"; },
          "t.csv' does nothing with task=lm; give --task regression or");
  refused([](Settings& t) { t.task = "in_context", t.csv = ""; },
          "target='y' does nothing with task=in_context");
  refused([](Settings& t) { t.task = "lm", t.csv = t.target = "", t.columns_per_token = 2; },
          "columns_per_token=2 does nothing with task=lm");
  refused([](Settings& t) { t.unique_tokens = 1; }, "unique_tokens=1 hold no row of block_size=2");
  Settings fraction = settings("classification", "a,y\n1,2\n");
  fraction.val_fraction = 0.3;
  EXPECT_NO_THROW(validate(fraction));
}

TEST_F(TableTest, BothTasksLearn) {
  Settings s = settings("regression", without(linear_table(300), 3));
  s.n_layer = 1, s.n_embd = 32;
  s.lr = 3e-3;
  s.budget = "20epochs";
  s.columns_per_token = 2;
  s.block_size = 1;
  const auto regression = load_task(s);
  Trainer trainer(s, *regression);
  const RunResult r = run(trainer);
  EXPECT_LT(*r.test_loss, 0.5) << "of N(0, 1) in these units: 1.42";
  EXPECT_NEAR(r.spent.epochs, 20, 1);
  EXPECT_EQ(regression->forecast(), ForecastKind::kNormal);
  tests::expect_has(regression->describe(s).sentence, "'y' from 2 columns, trained on 240 rows");

  s.task = "classification";
  s.target = "class";
  s.csv = folder.write("c.csv", without(linear_table(300), 2));
  s.block_size = 2, s.columns_per_token = 1;
  s.reg = "dropout:0.05+label_smoothing:0.01";
  const auto classification = load_task(s);
  EXPECT_EQ(classification->name(), "classification");
  EXPECT_EQ(*classification->constant("uniform_loss"), std::log(2.0));
  EXPECT_EQ(classification->encoding()["classes"].dump(), R"(["minus","plus"])");
  Trainer other(s, *classification);
  EXPECT_LT(*run(other).test_loss, 0.3);
}

}  // namespace
}  // namespace train
