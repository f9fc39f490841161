#include "train/storage/safetensors.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/open_file.h"
#include "base/text.h"

namespace train {
namespace {

static_assert(std::endian::native == std::endian::little);
constexpr const char *kFormat = "format", *kOurs = "isodrop";
constexpr const char* kChecksum = "xxh3_128";
constexpr std::uint64_t kMaxHeader = 100 << 20;  // as the reference implementation limits it

std::uint64_t element_bytes(const std::string& dtype) {
  if (dtype == "F32" || dtype == "I32") return 4;
  if (dtype == "F64" || dtype == "I64") return 8;
  if (dtype == "F16" || dtype == "BF16") return 2;
  if (dtype == "BOOL" || dtype == "U8") return 1;
  return 0;
}

void add(base::Hash& hash, const std::string& name, const std::string& dtype,
         std::span<const std::int64_t> shape, std::span<const std::byte> bytes) {
  hash.add(name).add(dtype).add(std::as_bytes(shape)).add(bytes);
}

std::span<const std::byte> bytes_of(const engine::Params& params, int index) {
  const auto count = static_cast<std::size_t>(params[index].shape.numel());
  return std::as_bytes(std::span(params.value(index), count));
}

/// tensors_hash() of tensors that are going to be written.
std::string checksum(const std::vector<TensorView>& tensors) {
  std::map<std::string, const TensorView*> by_name;
  for (const TensorView& t : tensors) by_name[t.name] = &t;
  if (by_name.size() != tensors.size()) throw std::logic_error("two tensors of one name");
  base::Hash hash;
  for (const auto& [name, t] : by_name) add(hash, name, t->dtype, t->shape, t->bytes);
  return hash.hex();
}

template <class T>
std::vector<T> copy_as(const Tensor& t) {
  std::vector<T> out(t.bytes.size() / sizeof(T));
  // Of nothing the pointers may be null.
  if (!out.empty()) std::memcpy(out.data(), t.bytes.data(), out.size() * sizeof(T));
  return out;
}

}  // namespace

std::string tensors_hash(const TensorFile& file) {
  base::Hash hash;
  for (const auto& [name, t] : file.tensors) add(hash, name, t.dtype, t.shape, t.bytes);
  return hash.hex();
}

std::vector<float> Tensor::f32() const {
  base::require(dtype == "F32", "tensor: F32 expected, is ", dtype);
  return copy_as<float>(*this);
}
std::vector<double> Tensor::f64() const {
  if (dtype == "F64") return copy_as<double>(*this);
  const std::vector<float> x = f32();
  return {x.begin(), x.end()};
}
std::vector<std::int32_t> Tensor::i32() const {
  base::require(dtype == "I32", "tensor: I32 expected, is ", dtype);
  return copy_as<std::int32_t>(*this);
}

const Tensor& TensorFile::at(const std::string& name) const {
  const auto it = tensors.find(name);
  base::require(it != tensors.end(), path.string(), ": has no tensor '", name, "'");
  return it->second;
}

namespace {

void write(const std::filesystem::path& path, const std::vector<TensorView>& tensors,
           const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header;
  header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const TensorView& t : tensors) {
    header[t.name] = {{"dtype", t.dtype},
                      {"shape", t.shape},
                      {"data_offsets", {offset, offset + t.bytes.size()}}};
    offset += t.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  base::AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (const TensorView& t : tensors) file.write(t.bytes);
  file.commit();
}

struct Range {
  std::uint64_t begin, end;
  Tensor* tensor;
};

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path)
      : in_(base::open_file(path, base::Whose::kFolder)) {
    file_.path = path;
    size_ = std::filesystem::file_size(path);
  }

  std::map<std::string, std::string> metadata() {
    read_header();
    return std::move(file_.metadata);
  }

  TensorFile read() {
    read_header();
    read_data();
    const auto format = file_.metadata.find(kFormat), sum = file_.metadata.find(kChecksum);
    const bool ours = format != file_.metadata.end() && format->second == kOurs;
    if (ours && sum == file_.metadata.end()) wrong("no checksum; make the file again");
    if (sum != file_.metadata.end() && sum->second != tensors_hash(file_))
      wrong("the tensors do not match the checksum");
    return std::move(file_);
  }

 private:
  /// False at the end of the file.
  bool get(void* to, std::uint64_t bytes) {
    errno = 0;
    const bool whole = std::fread(to, 1, bytes, in_.get()) == bytes;
    if (std::ferror(in_.get()) != 0) base::throw_unreadable(file_.path);
    return whole;
  }

  template <class... Args>
  [[noreturn]] void wrong(const Args&... why) const {
    throw base::Error(
        base::concat(file_.path.string(), ": not a usable safetensors file: ", why...));
  }

  void read_header() {
    std::uint64_t header = 0;
    if (size_ < 8 || !get(&header, 8)) wrong("shorter than 8 bytes");
    if (header > size_ - 8 || header > kMaxHeader)
      wrong("its header of ", header, " bytes does not fit");
    std::string text(header, '\0');
    if (!get(text.data(), header)) wrong("header cut short");
    data_ = size_ - 8 - header;
    read_entries(base::parse_json(text, file_.path.string() + ": the header of a safetensors file",
                                  "make the file again"));
  }

  void read_entries(const nlohmann::ordered_json& json) {
    if (!json.is_object()) wrong("header is not an object");
    try {
      for (const auto& [name, entry] : json.items()) {
        if (name != "__metadata__") {
          read_entry(name, entry);
          continue;
        }
        if (entry.is_null()) continue;  // as if it were not there
        if (!entry.is_object()) wrong("header: __metadata__ is not an object");
        for (const auto& [key, value] : entry.items())
          file_.metadata[key] = value.get<std::string>();
      }
    } catch (const nlohmann::json::exception& e) {
      wrong("header: ", e.what());
    }
  }

  void read_entry(const std::string& name, const nlohmann::ordered_json& entry) {
    const auto need = [&](bool ok, const auto&... why) {
      if (!ok) wrong("tensor ", base::quote(name), why...);
    };
    Tensor& t = file_.tensors[name];
    t.dtype = entry.at("dtype").get<std::string>();
    const std::uint64_t width = element_bytes(t.dtype);
    need(width != 0, " has dtype ", base::quote(t.dtype), ", not F32");
    const auto& shape = entry.at("shape");
    need(shape.is_array(), ": bad shape");
    std::uint64_t count = 1;
    for (const auto& dim : shape) {
      need(dim.is_number_unsigned(), ": bad shape");
      const auto d = dim.get<std::uint64_t>();
      need(d <= INT64_MAX && (d == 0 || count <= data_ / d), " is larger than the file");
      count *= d;
      t.shape.push_back(static_cast<std::int64_t>(d));
    }
    const auto& range = entry.at("data_offsets");
    need(range.is_array() && range.size() == 2 && range[0].is_number_unsigned() &&
             range[1].is_number_unsigned(),
         ": bad data_offsets");
    const auto begin = range[0].get<std::uint64_t>(), end = range[1].get<std::uint64_t>();
    need(begin <= end && end <= data_ && end - begin == count * width,
         ": its bytes do not match its shape");
    ranges_.push_back({begin, end, &t});
  }

  /// Only if the ranges tile the data, so that no more is read than the file has.
  void read_data() {
    std::sort(ranges_.begin(), ranges_.end(), [](const Range& a, const Range& b) {
      return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t at = 0;
    for (const Range& r : ranges_) {
      if (r.begin != at)
        wrong("byte ", std::min(at, r.begin), " of its data belongs to ",
              r.begin < at ? "two tensors" : "none");
      at = r.end;
    }
    if (at != data_) wrong("byte ", at, " of its data belongs to no tensor");
    const std::size_t memory = base::available_memory();
    if (memory > 0 && data_ > memory) wrong("its ", data_, " bytes do not fit in memory");
    for (const Range& r : ranges_) {
      r.tensor->bytes.resize(r.end - r.begin);
      if (!get(r.tensor->bytes.data(), r.end - r.begin)) wrong("data cut short");
    }
  }

  base::FilePtr in_;
  TensorFile file_;
  std::vector<Range> ranges_;
  std::uint64_t size_ = 0, data_ = 0;
};

}  // namespace

TensorFile read_safetensors(const std::filesystem::path& path) {
  std::error_code code;
  const bool there = std::filesystem::exists(path, code);
  if ((errno = code.value()) != 0) base::throw_unreadable(path);
  base::require(there, path.string(), ": no such file; check the path");
  base::require(std::filesystem::is_regular_file(path, code), path.string(),
                ": not a file; give a .safetensors file");
  return Reader(path).read();
}

std::map<std::string, std::string> safetensors_metadata(const std::filesystem::path& path) {
  return Reader(path).metadata();
}

std::vector<TensorView> views(const engine::Params& params) {
  std::vector<TensorView> out;
  for (const engine::Param& p : params.list()) {
    std::vector<std::int64_t> shape;
    for (int d = 0; d < static_cast<int>(p.shape.rank()); ++d) shape.push_back(p.shape[d]);
    out.push_back({p.name, "F32", shape, bytes_of(params, static_cast<int>(out.size()))});
  }
  return out;
}

void require_finite(const TensorFile& file) {
  for (const auto& [name, t] : file.tensors) {
    if (t.dtype != "F32") continue;
    const std::vector<float> values = t.f32();
    const auto bad =
        std::find_if(values.begin(), values.end(), [](float x) { return !std::isfinite(x); });
    if (bad != values.end())
      throw base::Error(base::concat(
          file.path.string(), ": tensor ", base::quote(name), " has ",
          std::isnan(*bad) ? "NaN" : "an infinite number", " at element ", bad - values.begin(),
          ": the weights are damaged, or of a run that diverged; give others, or train again"));
  }
}

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::map<std::string, std::string> all = metadata;
  all[kFormat] = kOurs;
  all[kChecksum] = checksum(tensors);
  write(path, tensors, all);
}

void write_safetensors(const std::filesystem::path& path, const engine::Params& params,
                       const std::map<std::string, std::string>& metadata) {
  write_safetensors(path, views(params), metadata);
}

void write_safetensors(const std::filesystem::path& path, const TensorFile& file) {
  std::vector<TensorView> tensors;
  for (const auto& [name, t] : file.tensors) tensors.push_back({name, t.dtype, t.shape, t.bytes});
  write(path, tensors, file.metadata);
}

void load_parameters(engine::Params& params, const TensorFile& file) {
  for (std::size_t i = 0; i < params.list().size(); ++i) {
    const engine::Param& p = params.list()[i];
    const Tensor& t = file.at(p.name);
    bool same = t.shape.size() == p.shape.rank();
    for (std::size_t d = 0; same && d < t.shape.size(); ++d)
      same = t.shape[d] == p.shape[static_cast<int>(d)];
    base::require(same && t.dtype == "F32", file.path.string(), ": tensor '", p.name,
                  "' is not F32 of shape ", p.shape, " as the model's settings ask");
    std::memcpy(params.value(static_cast<int>(i)), t.bytes.data(), t.bytes.size());
  }
}

}  // namespace train
