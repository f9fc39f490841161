// Coverage-guided fuzzing of every reader of files and texts from outside, with clang's libFuzzer
// and sanitizers.
//   scripts/fuzz [--seconds N] [READER...]
// A reader may refuse its input with base::Error and nothing else; what it accepts must be sound.
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/text.h"
#include "base/toml_table.h"
#include "data/table/table_file.h"
#include "data/text/corpus.h"
#include "data/text/text_files.h"
#include "data/text/tokens.h"
#include "data/tokenizer/byte_bpe.h"
#include "data/tokenizer/tokenizer.h"
#include "lab/batch/spec_list.h"
#include "lab/runs/record.h"
#include "lab/runs/spec.h"
#include "lab/runs/store.h"
#include "lab/study/arm.h"
#include "lab/study/speed.h"
#include "lab/study/study_file.h"
#include "lab/study/tuning.h"
#include "models/regularizer_grammar.h"
#include "train/config/budget.h"
#include "train/config/evaluation.h"
#include "train/config/settings.h"
#include "train/storage/huggingface.h"
#include "train/storage/run_files.h"
#include "train/storage/safetensors.h"

namespace {

namespace fs = std::filesystem;
using Input = const std::string&;

void require(bool sound, const char* what) {
  if (sound) return;
  std::fprintf(stderr, "not sound: %s\n", what);
  std::abort();
}

/// A folder of this process, in memory where the system has one.
const fs::path& folder() {
  static const fs::path path = [] {
    std::string name = (fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path().string()) +
                       std::string("/isodrop-fuzz-XXXXXX");
    require(mkdtemp(name.data()) != nullptr, "a folder to work in");
    std::atexit([] { fs::remove_all(folder()); });
    return fs::path(name);
  }();
  return path;
}

std::string write(const std::string& name, std::string_view bytes) {
  const fs::path path = folder() / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::ssize(bytes));
  return path.string();
}

/// Input of several files: they are separated by the byte 0x1E.
template <std::size_t N>
std::array<std::string, N> parts(Input input) {
  std::array<std::string, N> out;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < N && begin <= input.size(); ++i) {
    const std::size_t end =
        i + 1 < N ? std::min(input.find('\x1e', begin), input.size()) : input.size();
    out[i] = input.substr(begin, end - begin);
    begin = end + 1;
  }
  return out;
}

base::Json json(Input input) { return base::parse_json(input, "input", ""); }

const std::string kText = "Dropout is 0.1,\n  and <|endoftext|> Gr\u00fc\u00dfe \u2581 of 0.2\t!\n";

void sound(const data::Tokenizer& tokenizer) {
  require(tokenizer.decode(tokenizer.encode(kText)) == kText, "a tokenizer gives back its text");
}

void text_file(Input input, const char* name) {
  const data::Documents documents = data::read_documents(write(name, input));
  require(documents.text.size() < (std::size_t{1} << 32), "the text's length");
}

void table(Input input, bool classes) {
  const data::TableFile file = data::read_table(write("t.csv", input), "y", classes);
  require(file.features.size() == static_cast<std::size_t>(file.rows * file.width()),
          "a table's features");
  require(
      (classes ? file.labels.size() : file.numbers.size()) == static_cast<std::size_t>(file.rows),
      "a table's targets");
}

struct Reader {
  const char* name;
  void (*read)(Input);
};

const Reader kReaders[] = {
    {"json",
     [](Input in) {
       const base::Json read = json(in);
       require(json(base::json_text(read)) == read, "JSON comes back");
     }},
    {"toml", [](Input in) { base::parse_toml(in, "input.toml"); }},
    {"study", [](Input in) { lab::read_study_file(write("01-input.toml", in), false); }},
    {"settings", [](Input in) { train::from_json(json(in), "input"); }},
    {"grammar",
     [](Input in) {
       const std::string text = models::to_string(models::parse_regularizers(in));
       require(models::to_string(models::parse_regularizers(text)) == text,
               "a regularizer comes back");
     }},
    {"flags",
     [](Input in) {
       const auto given = parts<4>(in);
       const std::string &budget = given[0], &arm = given[1], &tune = given[2], &time = given[3];
       const auto each = [](auto parse) {
         try {
           parse();
         } catch (const base::Error&) {
         }
       };
       each([&] { train::Budget::parse(budget); });
       each([&] { train::parse_evaluation(budget); });
       each([&] { train::parse_measures(budget); });
       each([&] { lab::parse_arm(arm, train::Settings{}); });
       each([&] { lab::parse_tune(tune); });
       each([&] { base::parse_time(time, "--time"); });
       each([&] { lab::parse_part(time, "--part"); });
     }},
    {"safetensors",
     [](Input in) {
       const train::TensorFile file = train::read_safetensors(write("w.safetensors", in));
       for (const auto& [name, tensor] : file.tensors) {
         std::size_t elements = 1;
         for (const std::int64_t n : tensor.shape) elements *= static_cast<std::size_t>(n);
         if (tensor.dtype == "F32") require(tensor.f32().size() == elements, "a tensor's size");
       }
       train::from_huggingface(file);
     }},
    {"huggingface_config", [](Input in) { train::huggingface_model(json(in), "config.json"); }},
    {"run_folder",
     [](Input in) {
       const auto [config, data, flags, summary] = parts<4>(in);
       write("run/config.json", config);
       write("run/data.json", data);
       write("run/flags.json", flags);
       write("run/summary.json", summary);
       for (const auto read : {+[](const fs::path& run) { (void)train::read_flags(run); },
                               +[](const fs::path& run) { (void)train::read_summary(run); },
                               +[](const fs::path& run) { (void)train::read_begun(run); }})
         try {
           read(folder() / "run");
         } catch (const base::Error&) {
         }
     }},
    {"metrics", [](Input in) { lab::read_curve(write("metrics.jsonl", in)); }},
    {"record", [](Input in) { lab::record_from_json(json(in), "input"); }},
    {"stored_record", [](Input in) { lab::record_from_stored(json(in), "input"); }},
    {"spec",
     [](Input in) {
       const lab::RunSpec spec = lab::spec_from_json(json(in), "input");
       require(lab::run_id(lab::spec_from_json(lab::to_json(spec), "input")) == lab::run_id(spec),
               "a spec comes back");
     }},
    {"speeds",
     [](Input in) {
       static const lab::Study study =
           lab::read_study_file(ISODROP_SOURCE_DIR "/studies/01-moments.toml", false).study;
       lab::speeds_from_json(json(in), study);
     }},
    {"csv_numbers", [](Input in) { table(in, false); }},
    {"csv_classes", [](Input in) { table(in, true); }},
    {"text", [](Input in) { text_file(in, "a.txt"); }},
    {"jsonl", [](Input in) { text_file(in, "a.jsonl"); }},
    {"gzip", [](Input in) { text_file(in, "a.jsonl.gz"); }},
    {"zstd", [](Input in) { text_file(in, "a.jsonl.zst"); }},
    {"token_file",
     [](Input in) {
       for (const std::string_view type : data::bin_types()) {
         try {
           const data::Tokens tokens = data::map_tokens(write("a.bin", in), type);
           std::int64_t sum = 0;  // every id is read; a vocabulary checks their range later
           for (std::size_t i = 0; i < tokens.size(); ++i) sum += tokens[i];
           require(sum > std::numeric_limits<std::int64_t>::min(), "ids");
         } catch (const base::Error&) {
         }
       }
     }},
    {"tokenizer_json",
     [](Input in) {
       sound(*data::byte_bpe_tokenizer(data::parse_bpe_json(in, "tokenizer.json")));
     }},
    {"tokenizer_folder",
     [](Input in) {
       const auto [vocab, merges, added, special] = parts<4>(in);
       write("bpe/vocab.json", vocab);
       write("bpe/merges.txt", merges);
       write("bpe/added_tokens.json", added);
       write("bpe/special_tokens_map.json", special);
       sound(*data::byte_bpe_tokenizer(data::read_bpe((folder() / "bpe").string())));
     }},
    {"sentencepiece", [](Input in) { sound(*data::sentencepiece_tokenizer(in, "m.model")); }},
};

const Reader* chosen() {
  const char* name = std::getenv("ISODROP_FUZZ");
  for (const Reader& reader : kReaders)
    if (name != nullptr && std::string_view(reader.name) == name) return &reader;
  std::fprintf(stderr, "ISODROP_FUZZ: give one of");
  for (const Reader& reader : kReaders) std::fprintf(stderr, " %s", reader.name);
  std::fprintf(stderr, "\n");
  std::exit(2);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Reader* const reader = chosen();
  try {
    reader->read(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const base::Error&) {
  }
  return 0;
}
