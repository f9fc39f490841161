// Bad input gets one clear line that names the value and a way out, exit code 2, and leaves every
// file as it was.
#include <gtest/gtest.h>

#include <ostream>

#include "tests/cli/cli_harness.h"
#include "tests/train/small_corpus.h"

namespace tests {
namespace {

struct BadInput {
  std::string name;
  Words args;
  std::vector<std::string> says;  // the value, and the way out
};

void PrintTo(const BadInput& bad, std::ostream* out) { *out << bad.name; }

class CliErrors : public testing::TestWithParam<BadInput> {};

/// A folder with the files that the rows below name.
void fill(const TempFolder& folder) {
  folder.write("text.txt", small_text(4000));
  folder.write("empty.txt", "");
  folder.write("short.txt", small_text(60));
  folder.write("shortval.txt", small_text(600));  // a tenth of it holds no window of 64
  folder.write("invalid.txt", small_text(1234) + "\xC3(" + small_text(2000));
  folder.write("folder/precious.txt", "precious");
  folder.write("older/comparison.json", R"({"isodrop":"0.0.1"})"
                                        "\n");
  std::string parts = "a";
  for (int i = 0; i < 160'000; ++i) parts += ".a";
  folder.write("deep.toml", parts + " = 1\n");
  folder.write("other/study.json", R"({"isodrop":"0.0.1"})"
                                   "\n");
  folder.write("edited.json", R"({"schema":2,"settings":{}})"
                              "\n");
}

TEST_P(CliErrors, OneLineThatHelpsAndNothingTouched) {
  const TempFolder folder;
  fill(folder);
  const auto before = folder.snapshot();
  const BadInput& bad = GetParam();
  const Result result = isodrop(bad.args, folder.path());
  const std::string error = only_error(bad.args, result);
  for (const std::string& part : bad.says)
    EXPECT_NE(error.find(part), std::string::npos) << "not '" << part << "' in " << error;
  EXPECT_EQ(changes(before, folder.snapshot()), Words{}) << error;
}

std::vector<BadInput> bad_inputs() {
  const Words train = {"train",    "--text",  "text.txt", "--preset", "tiny",
                       "--budget", "16steps", "--out",    "out"};
  const Words compare = {"compare", "--text",  "text.txt", "--preset", "tiny", "--budget",
                         "16steps", "--seeds", "1",        "--out",    "out"};
  const auto text = [](const char* path) {
    return Words{"train",    "--text",  path,    "--preset", "tiny",
                 "--budget", "16steps", "--out", "out"};
  };
  const auto budget = [](const char* value) {
    return Words{"train", "--text", "text.txt", "--preset", "tiny",
                 "--out", "out",    "--budget", value};
  };
  const auto out = [](const char* command, const std::string& path) {
    return Words{command,    "--text",  "text.txt", "--preset", "tiny",
                 "--budget", "16steps", "--out",    path};
  };
  const auto arms = [&](const char* arm) { return compare + Words{"--arm", "none", "--arm", arm}; };
  const std::string long_name(300, 'a');
  std::string values;
  for (int i = 1; i <= 400; ++i) values += (i == 1 ? "0.0" : ",0.0") + std::to_string(1000 + i);
  return {
      {"NoSuchFile", text("nosuch.txt"), {"nosuch.txt", "no such file", "check the path"}},
      {"NoSuchValidation", train + Words{"--val", "nosuch.txt"}, {"nosuch.txt", "no such file"}},
      {"EmptyFile", text("empty.txt"), {"empty.txt", "is empty", "give"}},
      {"FolderOfLittleText", text("folder"), {"folder", "6 char tokens", "longer text"}},
      {"Device", text("/dev/zero"), {"/dev/zero", "is a device", "give a file"}},
      {"ShortText", text("short.txt"), {"short.txt", "48", "64 + 1", "--block-size"}},
      {"ShortSplit", text("shortval.txt"), {"validation", "60", "64 + 1", "--block-size"}},
      {"ShortValidation",
       train + Words{"--val", "short.txt"},
       {"short.txt", "validation", "60", "64 + 1"}},
      {"InvalidUtf8", text("invalid.txt"), {"invalid.txt", "1234", "UTF-8", "byte"}},
      {"StoreNotUtf8", compare + Words{"--store", "x\xff"}, {"'x\\xff'", "not UTF-8", "rename"}},
      {"OutNotUtf8", out("compare", "x\xff"), {"'x\\xff'", "not UTF-8"}},
      {"TextNotUtf8", text("x\xff"), {"'x\\xff'", "not UTF-8"}},
      {"ControlCharacters", text("x\x1b[2J"), {"'x\\x1b[2J'", "control characters", "leave"}},
      {"EscapesInAnError", {"run", "\x1b[2J.json"}, {"\\x1b[2J.json", "cannot read"}},
      {"DeepConfig", train + Words{"--config", "deep.toml"}, {"deep.toml", "64 parts", "flatter"}},
      {"GridTooLarge",
       compare + Words{"--arm", "none", "--arm", "dropout=0.1", "--tune", "lr=" + values, "--tune",
                       "beta1=" + values},
       {"choices", "at most 100 000", "give fewer"}},
      {"UnknownCommand", {"tran"}, {"'tran'", "did you mean 'train'"}},
      {"UnknownFlag", train + Words{"--dropuot", "0.1"}, {"--dropuot", "'--dropout'"}},
      {"UnknownPreset",
       {"train", "--text", "text.txt", "--preset", "nanno"},
       {"'nanno'", "did you mean 'nano'"}},
      {"UnknownTokenizer", train + Words{"--tokenizer", "chra"}, {"'chra'", "'char'"}},
      {"UnknownFormat", train + Words{"--format", "jsn"}, {"'jsn'", "'json'"}},
      {"UnknownArm", arms("nnone"), {"'nnone'", "'none'"}},
      {"UnknownSetting", arms("dropuot=0.1"), {"'dropuot'", "'dropout'"}},
      {"ArmSharesTheSeed", arms("seed=3"), {"no arm may override seed", "paired", "dropout"}},
      {"ArmSharesTheBudget", arms("budget=9steps"), {"no arm may override budget", "same budget"}},
      {"ArmSharesTheText", arms("a: text=b.txt"), {"no arm may override text", "same data"}},
      {"ArmAlone", compare + Words{"--arm", "none"}, {"--arm none", "give another --arm"}},
      {"ArmTwice", arms("none"), {"'none'", "name"}},
      {"ArmRate", arms("dropout=1"), {"dropout", "'1'", "[0, 1)"}},
      {"ArmHeads", arms("n_head=5"), {"n_head=5", "64", "n_head=4"}},
      {"RateOne", train + Words{"--dropout", "1"}, {"--dropout '1'", "[0, 1)"}},
      {"RateNegative", train + Words{"--dropout=-0.1"}, {"--dropout '-0.1'", "[0, 1)"}},
      {"RateNan", train + Words{"--dropout", "nan"}, {"--dropout 'nan'", "[0, 1)"}},
      {"RateQuantizedToOne",
       train + Words{"--dropout", "0.999999"},
       {"--dropout '0.999999'", "at most 0.99999"}},
      {"HeadsNotDividing", train + Words{"--n-head", "5"}, {"n_head=5", "n_embd=64", "n_head=4"}},
      {"Overflow",
       train + Words{"--n-embd", "1048576", "--block-size", "1048576", "--batch", "16777216"},
       {"overflow", "n_embd=1048576", "reduce the largest"}},
      {"OutOfRange",
       train + Words{"--batch", "99999999999999999999"},
       {"--batch '99999999999999999999'", "out of range", "whole number"}},
      {"TooBigForMemory", train + Words{"--batch", "16777216"}, {"memory", "GB", "smaller"}},
      {"ModelTooBigForMemory",
       train + Words{"--n-embd", "65536", "--n-layer", "1000"},
       {"memory", "smaller"}},
      {"CompareTooBigForMemory", compare + Words{"--batch", "16777216"}, {"memory", "smaller"}},
      {"Budget0", budget("0steps"), {"0steps", "--budget"}},
      {"BudgetBare", budget("10"), {"10", "2000steps"}},
      {"BudgetWord", budget("soon"), {"soon", "2000steps"}},
      {"BudgetNegative",
       {"train", "--text", "text.txt", "--budget=-5steps", "--out", "out"},
       {"-5steps", "--budget"}},
      {"BudgetNan", budget("nanflops"), {"nanflops", "1e12flops"}},
      {"BudgetBelowAStep", budget("1tok"), {"1tok", "less than one step", "1024tok"}},
      {"BudgetFlopsBelowAStep", budget("1e3flops"), {"1e3flops", "less than one step"}},
      {"EpochsWithSeconds",
       {"compare", "--text", "text.txt", "--epochs", "2", "--budget", "5s", "--out", "out"},
       {"--epochs", "5s", "flops, tokens or steps"}},
      {"EpochsWithEpochs",
       {"compare", "--text", "text.txt", "--epochs", "2", "--budget", "3epochs", "--out", "out"},
       {"--epochs", "3epochs", "flops, tokens or steps"}},
      {"MoreUniqueDataThanThereIs",
       {"compare", "--text", "text.txt", "--epochs", "1", "--budget", "100steps", "--out", "out"},
       {"102400 unique tokens", "3200", "--epochs"}},
      {"EpochsUnparsable", compare + Words{"--epochs", "1,x"}, {"--epochs '1,x'", "1,32"}},
      {"EpochsTooMany", compare + Words{"--epochs", "1000"}, {"--epochs 1000", "fewer epochs"}},
      {"AnotherComparison", out("compare", "other"), {"other", "another comparison", "folder"}},
      {"AnOlderComparison", out("compare", "older"), {"older", "older isodrop", "another folder"}},
      {"TrainIntoAnOlderComparison", out("train", "older"), {"older", "comparison", "folder"}},
      {"RunWhat", {"run"}, {"run which spec?", "--plan"}},
      {"RunNoSpec", {"run", "nosuch.json"}, {"nosuch.json", "cannot read"}},
      {"RunText", {"run", "text.txt"}, {"text.txt", "not valid JSON"}},
      {"RunEdited", {"run", "edited.json"}, {"edited.json", "numerics"}},
      {"SeedsWithoutCompare", train + Words{"--seeds", "3"}, {"--seeds 3", "--compare"}},
      {"PlanWithJobs",
       compare + Words{"--plan", "p", "--jobs", "2"},
       {"--jobs 2", "nothing with --plan", "leave"}},
      {"PlanWithFormat",
       compare + Words{"--plan", "p", "--format", "json"},
       {"--format json", "nothing with --plan"}},
      {"PlanWithMargin",
       compare + Words{"--plan", "p", "--margin", "0.1"},
       {"--margin 0.1", "nothing with --plan"}},
      {"TrialWithStore",
       {"run", "edited.json", "--trial", "--store", "s"},
       {"--store s", "nothing with --trial"}},
      {"TrialWithFormat",
       {"run", "edited.json", "--trial", "--format", "text"},
       {"--format text", "nothing with --trial"}},
      {"TrialWithoutWaiting",
       {"run", "edited.json", "--no-wait", "--trial"},
       {"--no-wait does", "nothing with --trial"}},
      {"TraceEventsWithoutTrace",
       {"profile", "--trace-events", "200"},
       {"--trace-events 200", "without --trace"}},
      {"PlanWithoutCompare", train + Words{"--plan", "p"}, {"--plan p", "--compare"}},
      {"AxisWithoutValue", compare + Words{"--axis", "n_embd"}, {"--axis 'n_embd'", "64,128"}},
      {"AxisUnknown", compare + Words{"--axis", "nembd=8"}, {"nembd", "n_embd"}},
      {"AxisBadValue", compare + Words{"--axis", "n_embd=64,x"}, {"n_embd", "'x'"}},
      {"AxisTwice", compare + Words{"--axis", "lr=1e-3,0.001"}, {"lr", "twice"}},
      {"AxisSeed", compare + Words{"--axis", "seed=1,2"}, {"seed", "another setting"}},
      {"TwoAxesOfOneSetting",
       compare + Words{"--axis", "lr=1", "--axis", "lr=2"},
       {"two axes set lr", "once"}},
      {"AxisDoesNotFit", compare + Words{"--axis", "n_head=2,5"}, {"n_head=5", "arm 'none'"}},
      {"SeedsOverflow",
       {"compare", "--text", "text.txt", "--preset", "tiny", "--seed", "18446744073709551614",
        "--seeds", "5"},
       {"--seeds 5", "18446744073709551614", "smaller --seed"}},
      {"TrainIntoAComparison", out("train", "other"), {"other", "comparison", "folder"}},
      {"CompareIntoAFullFolder", out("compare", "folder"), {"folder", "no comparison", "choose"}},
      {"CompareIntoAFile", out("compare", "text.txt"), {"text.txt", "choose"}},
      {"TrainIntoAFile", out("train", "text.txt"), {"text.txt", "choose another"}},
      {"CompareBelowAFile", out("compare", "text.txt/x"), {"text.txt/x", "choose another"}},
      {"TrainBelowAFile", out("train", "text.txt/x"), {"text.txt/x", "choose another"}},
      {"CompareUnwritable", out("compare", "/proc/isodrop"), {"/proc/isodrop", "choose another"}},
      {"TrainUnwritable", out("train", "/proc/isodrop"), {"/proc/isodrop", "choose another"}},
      {"CompareNameTooLong", out("compare", long_name), {long_name, "choose another"}},
      {"TrainNameTooLong", out("train", long_name), {long_name, "choose another"}},
      {"FlagWithoutValue", train + Words{"--lr"}, {"--lr needs a value", "--help"}},
      {"FlagTwice", train + Words{"--lr", "1", "--lr", "2"}, {"--lr is given twice", "once"}},
      {"StrayWord", train + Words{"hello"}, {"'hello'", "--help"}},
      {"SeedsZero", compare + Words{"--seeds", "0"}, {"--seeds"}},
      {"JobsZero", compare + Words{"--jobs", "0"}, {"--jobs 0", "auto", "[1, "}},
      {"JobsAboveThreads",
       compare + Words{"--threads", "2", "--jobs", "3"},
       {"--jobs 3", "auto", "[1, 2]", "thread"}},
      {"JobsWord", compare + Words{"--jobs", "all"}, {"--jobs 'all'", "auto", "whole number"}},
      {"JobsOverflow",
       compare + Words{"--jobs", "99999999999999999999"},
       {"--jobs '99999999999999999999'", "auto"}},
      {"JobsWithSeconds",
       {"compare", "--text", "text.txt", "--preset", "tiny", "--budget", "5s", "--threads", "2",
        "--jobs", "2", "--out", "out"},
       {"--jobs 2", "--budget 5s", "--jobs 1"}},
      {"JobsOfOneRun", train + Words{"--jobs", "1"}, {"--jobs 1", "--compare"}},
      {"CompareWithoutRegularizer", train + Words{"--compare"}, {"--compare", "--dropout 0.1"}},
      {"LanguageOfAText",
       train + Words{"--language", "seeded"},
       {"language=seeded", "leave it out"}},
      {"TokenizerOfTheBuiltInCorpus",
       {"train", "--tokenizer", "byte", "--budget", "16steps", "--out", "out"},
       {"tokenizer=byte", "give a text"}},
      {"ValAndFraction",
       train + Words{"--val", "text.txt", "--val-fraction", "0.2"},
       {"val_fraction=0.2", "leave out one"}},
      {"WarmupOne", train + Words{"--warmup", "1"}, {"--warmup '1'", "[0, 1)"}},
      {"LrNan", train + Words{"--lr", "nan"}, {"--lr 'nan'", "number"}},
      {"MinLrAboveLr", train + Words{"--min-lr", "1"}, {"min_lr=1", "lr=0.004"}},
      {"Shards", train + Words{"--shards", "6"}, {"shards=6", "power of two", "shards=4"}},
      {"GradAccum", train + Words{"--grad-accum", "3"}, {"grad_accum=3", "batch=16", "2 or 4"}},
  };
}

INSTANTIATE_TEST_SUITE_P(Table, CliErrors, testing::ValuesIn(bad_inputs()),
                         [](const auto& row) { return row.param.name; });

// What commands do where a launcher has started several of them, known by the environment alone.
TEST(UnderMpirun, OnlyWhatCanBeSharedIsAndTheFirstProcessSaysSo) {
  const TempFolder folder;
  const Words compare = {"compare", "--quick"};
  for (const Words& names : {Words{"OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK="},
                             Words{"PMI_SIZE=4", "PMI_RANK="}}) {
    Result r = isodrop(compare, folder.path(), {names[0], names[1] + "0"});
    EXPECT_EQ(r.code, 2);
    EXPECT_NE(only_error(compare, r).find("started as 4 processes, and works in one"),
              std::string::npos)
        << r.err;
    r = isodrop(compare, folder.path(), {names[0], names[1] + "3"});
    EXPECT_EQ(r.code, 2);
    EXPECT_EQ(r.err + r.out, "");
    r = isodrop({"train", "--compare"}, folder.path(), {names[0], names[1] + "0"});
    EXPECT_EQ(r.code, 2);
    EXPECT_NE(r.err.find("--compare: mpirun's processes share one run"), std::string::npos)
        << r.err;
  }
}

TEST(UnderMpirun, OneProcessIsNoneOfMany) {
  const TempFolder folder;
  const Words one = {"OMPI_COMM_WORLD_SIZE=1", "OMPI_COMM_WORLD_RANK=0"};
  EXPECT_EQ(isodrop({"list", "norms"}, folder.path(), one).code, 0);
}

TEST(UnderMpirun, AnEnvironmentThatMakesNoSenseIsRefused) {
  const TempFolder folder;
  for (const auto& [size, rank] : std::vector<std::pair<std::string, std::string>>{
           {"2", "2"}, {"two", "0"}, {"2", "-1"}, {"", "0"}, {"2", "1x"}}) {
    const Words args = {"list", "norms"};
    const Result r = isodrop(args, folder.path(),
                             {"OMPI_COMM_WORLD_SIZE=" + size, "OMPI_COMM_WORLD_RANK=" + rank});
    EXPECT_EQ(r.code, 2);
    EXPECT_NE(only_error(args, r).find("not a rank of a launched program"), std::string::npos)
        << r.err;
  }
}

}  // namespace
}  // namespace tests
