#include "train/safetensors.h"

#include <bit>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "train/files.h"

namespace train {
namespace {

static_assert(std::endian::native == std::endian::little);
constexpr std::uint64_t kMaxHeader = 100 << 20;  // as the reference implementation limits it

std::uint64_t element_bytes(const std::string& dtype) {
  if (dtype == "F32" || dtype == "I32") return 4;
  if (dtype == "F64" || dtype == "I64") return 8;
  return 0;
}

template <class T>
std::vector<T> copy_as(const Tensor& t) {
  std::vector<T> out(t.bytes.size() / sizeof(T));
  std::memcpy(out.data(), t.bytes.data(), out.size() * sizeof(T));
  return out;
}

}  // namespace

std::vector<float> Tensor::f32() const {
  engine::require(dtype == "F32", "tensor: F32 expected, is ", dtype);
  return copy_as<float>(*this);
}
std::vector<double> Tensor::f64() const {
  if (dtype == "F64") return copy_as<double>(*this);
  const std::vector<float> x = f32();
  return {x.begin(), x.end()};
}
std::vector<std::int32_t> Tensor::i32() const {
  engine::require(dtype == "I32", "tensor: I32 expected, is ", dtype);
  return copy_as<std::int32_t>(*this);
}

const Tensor& TensorFile::at(const std::string& name) const {
  const auto it = tensors.find(name);
  engine::require(it != tensors.end(), path.string(), ": has no tensor '", name, "'");
  return it->second;
}

TensorFile read_safetensors(const std::filesystem::path& path) {
  const auto wrong = [&](const std::string& why) {
    throw engine::Error(engine::concat(path.string(), ": not a usable safetensors file: ", why));
  };
  std::error_code code;
  engine::require(std::filesystem::exists(path, code), path.string(), ": no such file");
  engine::require(std::filesystem::is_regular_file(path, code), path.string(),
                  ": not a file; give a .safetensors file");
  std::ifstream in(path, std::ios::binary);
  engine::require(static_cast<bool>(in), path.string(), ": cannot be read");
  const std::uint64_t size = std::filesystem::file_size(path);
  std::uint64_t header = 0;
  if (size < 8 || !in.read(reinterpret_cast<char*>(&header), 8)) wrong("shorter than 8 bytes");
  if (header > size - 8 || header > kMaxHeader)
    wrong(engine::concat("its header of ", header, " bytes does not fit"));
  std::string text(header, '\0');
  if (!in.read(text.data(), static_cast<std::streamsize>(header))) wrong("header cut short");
  const std::uint64_t data = size - 8 - header;
  TensorFile file;
  file.path = path;
  try {
    const auto json = nlohmann::json::parse(text);
    if (!json.is_object()) wrong("header is not an object");
    for (const auto& [name, entry] : json.items()) {
      if (name == "__metadata__") {
        for (const auto& [key, value] : entry.items())
          file.metadata[key] = value.get<std::string>();
        continue;
      }
      Tensor t;
      t.dtype = entry.at("dtype").get<std::string>();
      const std::uint64_t width = element_bytes(t.dtype);
      if (width == 0) wrong("tensor '" + name + "' has dtype " + t.dtype + ", not F32");
      std::uint64_t count = 1;
      for (const auto& dim : entry.at("shape")) {
        if (!dim.is_number_unsigned()) wrong("tensor '" + name + "': bad shape");
        const auto d = dim.get<std::uint64_t>();
        if (d != 0 && count > data / d) wrong("tensor '" + name + "' is larger than the file");
        count *= d;
        t.shape.push_back(static_cast<std::int64_t>(d));
      }
      const auto& range = entry.at("data_offsets");
      if (range.size() != 2 || !range[0].is_number_unsigned() || !range[1].is_number_unsigned())
        wrong("tensor '" + name + "': bad data_offsets");
      const auto begin = range[0].get<std::uint64_t>(), end = range[1].get<std::uint64_t>();
      if (begin > end || end > data || end - begin != count * width)
        wrong("tensor '" + name + "': its bytes do not match its shape");
      t.bytes.resize(end - begin);
      in.seekg(static_cast<std::streamoff>(8 + header + begin));
      if (!in.read(reinterpret_cast<char*>(t.bytes.data()),
                   static_cast<std::streamsize>(end - begin)))
        wrong("tensor '" + name + "' is cut short");
      file.tensors.emplace(name, std::move(t));
    }
  } catch (const nlohmann::json::exception& e) {
    wrong(std::string("header: ") + e.what());
  }
  return file;
}

void write_safetensors(const std::filesystem::path& path, const engine::Params& params,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const engine::Param& p : params.list()) {
    nlohmann::json shape = nlohmann::json::array();
    for (int i = 0; i < static_cast<int>(p.shape.rank()); ++i) shape.push_back(p.shape[i]);
    const std::uint64_t bytes = static_cast<std::uint64_t>(p.shape.numel()) * sizeof(float);
    header[p.name] = {
        {"dtype", "F32"}, {"shape", shape}, {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (std::size_t i = 0; i < params.list().size(); ++i)
    file.write(std::as_bytes(std::span(params.value(static_cast<int>(i)),
                                       static_cast<std::size_t>(params.list()[i].shape.numel()))));
  file.commit();
}

void load_parameters(engine::Params& params, const TensorFile& file) {
  for (std::size_t i = 0; i < params.list().size(); ++i) {
    const engine::Param& p = params.list()[i];
    const Tensor& t = file.at(p.name);
    bool same = t.shape.size() == p.shape.rank();
    for (std::size_t d = 0; same && d < t.shape.size(); ++d)
      same = t.shape[d] == p.shape[static_cast<int>(d)];
    engine::require(same && t.dtype == "F32", file.path.string(), ": tensor '", p.name,
                    "' is not F32 of shape ", p.shape, " as the model's settings ask");
    std::memcpy(params.value(static_cast<int>(i)), t.bytes.data(), t.bytes.size());
  }
}

}  // namespace train
