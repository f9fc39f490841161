#include "train/log/tensorboard.h"

#include <unistd.h>

#include <algorithm>
#include <boost/crc.hpp>
#include <chrono>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "train/log/sink.h"

namespace train {
namespace {

// The messages of TensorBoard's event files, as far as isodrop writes them: numbers and types of
// their fields are the format (tensorflow's event.proto and summary.proto).
enum Event : protozero::pbf_tag_type {
  kWallTime = 1,
  kStep = 2,
  kFileVersion = 3,
  kSummary = 5,
  kSession = 7
};
enum Summary : protozero::pbf_tag_type { kValue = 1 };
enum Value : protozero::pbf_tag_type { kTag = 1, kSimpleValue = 2, kTensor = 8, kMetadata = 9 };
enum Metadata : protozero::pbf_tag_type { kPlugin = 1 };
enum Plugin : protozero::pbf_tag_type { kPluginName = 1 };
enum TensorField : protozero::pbf_tag_type { kType = 1, kShape = 2, kStrings = 8 };
enum TensorShape : protozero::pbf_tag_type { kDimension = 2 };
enum Dimension : protozero::pbf_tag_type { kSize = 1 };
enum Session : protozero::pbf_tag_type { kStatus = 1 };
constexpr std::int32_t kString = 7;  // of tensorflow's types
constexpr std::int32_t kStart = 1;   // of a session's
constexpr std::string_view kOurSuffix = ".isodrop";
constexpr std::int64_t kMostEventBytes = std::int64_t{1}
                                         << 32;  // of a file; far more than a run writes

/// Seconds since 1970.
double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

template <class Integer>
void append(std::string& out, Integer n) {
  for (std::size_t byte = 0; byte < sizeof n; ++byte)
    out += static_cast<char>(static_cast<unsigned char>(n >> (8 * byte)));
}

bool is_ours(std::string_view name) {
  return name.starts_with(kEventsPrefix) && name.ends_with(kOurSuffix);
}

/// TensorBoard reads the files of a folder in the order of their names: ten digits of seconds
/// first, later than those of any file that is there.
std::filesystem::path file_in(const std::filesystem::path& folder) {
  auto seconds = static_cast<std::int64_t>(wall_time());
  for (const std::filesystem::path& path : base::entries_of(folder)) {
    const std::string name = path.filename().string();
    std::int64_t there = 0;
    if (is_ours(name) && base::parse_number(std::string_view(name).substr(kEventsPrefix.size(), 10),
                                            there) == std::errc{})
      seconds = std::max(seconds, there + 1);
  }
  return folder / base::concat(kEventsPrefix, seconds, '.', getpid(), kOurSuffix);
}

/// Hands the records of a file to `keep`, each with its step, up to the first that is not whole.
template <class Keep>
void each_record(std::string_view file, const Keep& keep) {
  constexpr std::size_t kHead = 12, kTail = 4;  // length and its sum, sum of the event
  while (file.size() >= kHead + kTail) {
    std::uint64_t length = 0;
    for (std::size_t byte = 8; byte-- > 0;)
      length = length << 8 | static_cast<unsigned char>(file[byte]);
    if (length > file.size() - kHead - kTail) return;
    const std::string_view event = file.substr(kHead, length);
    const std::string_view record = file.substr(0, kHead + length + kTail);
    if (record != event_record(event)) return;
    std::int64_t step = 0;
    try {
      for (protozero::pbf_reader reader(event.data(), event.size()); reader.next();)
        if (reader.tag() == kStep)
          step = reader.get_int64();
        else
          reader.skip();
    } catch (const protozero::exception&) {
      return;  // no event: readers stop there
    }
    keep(record, step);
    file.remove_prefix(record.size());
  }
}

/// An event with a summary, to which `values` adds.
template <class Add>
std::string event_of(std::int64_t step, const Add& values) {
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(kWallTime, wall_time());
  writer.add_int64(kStep, step);
  protozero::pbf_writer summary(writer, kSummary);
  values(summary);
  summary.commit();
  return event;
}

/// TensorBoard reads texts as Markdown: what is indented stays as it is.
std::string verbatim(std::string_view text) {
  constexpr const char* kIndent = "    ";
  std::string out = kIndent;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += kIndent;
  }
  return out;
}

}  // namespace

std::uint32_t masked_crc(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const std::uint32_t sum = crc.checksum();
  return ((sum >> 15) | (sum << 17)) + 0xA282EAD8U;
}

std::string event_record(std::string_view event) {
  std::string length, out;
  append(length, std::uint64_t{event.size()});
  out = length;
  append(out, masked_crc(length));
  out += event;
  append(out, masked_crc(event));
  return out;
}

void cut_events(const std::filesystem::path& folder, std::int64_t last) {
  for (const std::filesystem::path& path : base::entries_of(folder)) {
    if (!is_ours(path.filename().string())) continue;
    const std::string file =
        base::read_file(path.string(), kMostEventBytes, "check the path", base::Whose::kFolder);
    std::string kept;
    each_record(file, [&](std::string_view record, std::int64_t step) {
      if (step <= last) kept += record;
    });
    if (kept != file) base::write_atomically(path, kept);
  }
}

TensorBoard::TensorBoard(const std::filesystem::path& folder, std::optional<double> bytes_per_token,
                         std::int64_t first_step, std::function<void(const std::string&)> note)
    : path_(file_in(folder)),
      file_(path_, /*append=*/false, std::move(note)),
      bytes_per_token_(bytes_per_token) {
  std::string event;
  protozero::pbf_writer writer(event);
  writer.add_double(kWallTime, wall_time());
  writer.add_string(kFileVersion, "brain.Event:2");
  file_.write(event_record(event));
  if (first_step <= 0) return;
  event.clear();
  writer.add_double(kWallTime, wall_time());
  writer.add_int64(kStep, first_step);
  protozero::pbf_writer(writer, kSession).add_enum(kStatus, kStart);
  file_.write(event_record(event));
}

void TensorBoard::write(std::int64_t step, const Values& values) {
  file_.write(event_record(event_of(step, [&](protozero::pbf_writer& summary) {
    for (const auto& [tag, value] : values) {
      protozero::pbf_writer item(summary, kValue);
      item.add_string(kTag, tag);
      item.add_float(kSimpleValue, static_cast<float>(value));
    }
  })));
}

void TensorBoard::text(const DrawnText& t) {
  file_.write(event_record(event_of(t.step, [&](protozero::pbf_writer& summary) {
    protozero::pbf_writer item(summary, kValue);
    item.add_string(kTag, "sample");
    {
      protozero::pbf_writer metadata(item, kMetadata);
      protozero::pbf_writer(metadata, kPlugin).add_string(kPluginName, "text");
    }
    protozero::pbf_writer tensor(item, kTensor);
    tensor.add_enum(kType, kString);
    {
      protozero::pbf_writer shape(tensor, kShape);
      protozero::pbf_writer(shape, kDimension).add_int64(kSize, 1);
    }
    tensor.add_bytes(kStrings, verbatim(t.text));
  })));
}

void TensorBoard::progress(const Progress& p) {
  Values values = {
      {"loss/train", p.train_loss}, {"learning_rate", p.lr}, {"gradient_norm", p.grad_norm}};
  if (p.val_loss) values.emplace_back("loss/val", *p.val_loss);
  if (p.val_loss && bytes_per_token_)
    values.emplace_back("bpb/val", bits_per_byte(*p.val_loss, *bytes_per_token_));
  write(p.step, values);
}

void TensorBoard::norms(const StepNorms& n) {
  Values values;
  for (const LayerNorms& layer : n.layers) {
    values.emplace_back("weight_norm/" + layer.name, layer.weight);
    values.emplace_back("layer_gradient_norm/" + layer.name, layer.gradient);
    values.emplace_back("update_norm/" + layer.name, layer.update);
  }
  write(n.step, values);
}

}  // namespace train
