// Event files for TensorBoard: `tensorboard --logdir FOLDER`.
//
// A file is a sequence of records: length (u64), masked CRC-32C of it (u32), as many bytes, masked
// CRC-32C of them (u32), all little-endian; a record is an Event of event.proto. (The format of
// TensorFlow's TFRecord, https://www.tensorflow.org/tutorials/load_data/tfrecord.)
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/files.h"
#include "train/log/sink.h"

namespace train {

/// Prefix of the names of event files.
inline constexpr std::string_view kEventsPrefix = "events.out.tfevents.";

/// CRC-32C (Castagnoli), turned and shifted as the format wants it.
std::uint32_t masked_crc(std::string_view bytes);

/// Drops events after `step`, and a record that is cut off, from isodrop's files in a folder.
/// Throws base::Error.
void cut_events(const std::filesystem::path& folder, std::int64_t step);

/// One record of the file.
std::string event_record(std::string_view event);

/// Writes a new file in the folder, flushed at every event. Tags: loss/train, loss/val, bpb/val,
/// learning_rate, gradient_norm, and weight_norm/LAYER, layer_gradient_norm/LAYER,
/// update_norm/LAYER; texts are "sample". Throws base::Error if the file cannot be written.
class TensorBoard final : public Sink {
 public:
  /// `first_step`: the next step of a continued run; readers then drop earlier events from it on.
  /// `note` is told of a full disk (LineFile).
  TensorBoard(const std::filesystem::path& folder, std::optional<double> bytes_per_token,
              std::int64_t first_step = 0, std::function<void(const std::string&)> note = {});
  void progress(const Progress& p) override;
  void norms(const StepNorms& n) override;
  void text(const DrawnText& t) override;
  const std::filesystem::path& path() const { return path_; }

 private:
  using Values = std::vector<std::pair<std::string, double>>;  // tag and value
  void write(std::int64_t step, const Values& values);

  std::filesystem::path path_;
  base::LineFile file_;
  std::optional<double> bytes_per_token_;
};

}  // namespace train
