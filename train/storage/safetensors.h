// Weights in the safetensors format: 8 bytes of header length (little endian), a JSON header with
// dtype, shape and byte range of every tensor, then the data.
#pragma once
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "engine/params.h"

namespace train {

struct Tensor {
  std::string dtype;  // "F32", "I32", "F64"; of others the bytes alone can be had
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;
  std::vector<float> f32() const;         // throws base::Error for another dtype
  std::vector<double> f64() const;        // from F32 or F64
  std::vector<std::int32_t> i32() const;  // throws base::Error for another dtype
};

struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;
  /// Throws base::Error naming the file and the tensors it has.
  const Tensor& at(const std::string& name) const;
  std::filesystem::path path;
};

/// Reads a file, trusting nothing: header, shapes and byte ranges must agree with each other and
/// with the file's size, the tensors must tile the data without gap or overlap, and a checksum in
/// the metadata must be right; our own files must have one. Throws base::Error.
TensorFile read_safetensors(const std::filesystem::path& path);
/// The metadata alone; the same errors.
std::map<std::string, std::string> safetensors_metadata(const std::filesystem::path& path);

/// A tensor to be written.
struct TensorView {
  std::string name, dtype;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;
};

/// All parameters under their names.
std::vector<TensorView> views(const engine::Params& params);

/// Writes tensors atomically; their names differ. Adds to the metadata the format "isodrop" and the
/// checksum tensors_hash().
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata);

/// The same of all parameters.
void write_safetensors(const std::filesystem::path& path, const engine::Params& params,
                       const std::map<std::string, std::string>& metadata);

/// Writes the tensors and the metadata as they are, atomically.
void write_safetensors(const std::filesystem::path& path, const TensorFile& file);

/// XXH3-128 of every tensor's name, dtype, shape and bytes: 32 hex digits.
std::string tensors_hash(const TensorFile& file);

/// Throws base::Error naming the first tensor with a NaN or an infinite number, which would spoil
/// all that is computed with it.
void require_finite(const TensorFile& file);

/// Fills the parameters from a file with the same names and shapes. Throws base::Error naming the
/// first that is missing or differs.
void load_parameters(engine::Params& params, const TensorFile& file);

}  // namespace train
