// What ops may find out about the machine when they are built: which of several ways to the same
// bits is the fastest here. No result depends on it.
//
// Example:
//     // Times the bit-identical variants of each matmul and caches the fastest.
//     engine::PlanOptions options{.tuning = engine::Tuning::of_environment()};
//     options.tuning = {};  // the default: measures nothing
//     assert(!options.tuning.may_measure());
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace engine {

/// Outcomes of measurements, kept in a file from run to run: "key<tab>word" a line. A file that
/// cannot be read or written is one that holds nothing.
class Tuning {
 public:
  /// No file: nothing is measured, everything is as it is without.
  Tuning() = default;
  /// `seconds`: how long the measurements of one plan may take in all.
  explicit Tuning(std::filesystem::path file, double seconds = 1)
      : file_(std::move(file)), seconds_(seconds) {}
  /// $XDG_CACHE_HOME/isodrop/tuning.tsv, or ~/.cache/…; nothing if ISODROP_TUNING is "off" or
  /// neither variable is set.
  static Tuning of_environment();

  /// The word kept for `key`.
  std::optional<std::string> recall(std::string_view key) const;
  /// REQUIRES: neither holds a tab or the end of a line.
  void keep(std::string_view key, std::string_view word) const;
  /// Whether there is time for another measurement.
  bool may_measure() const { return !file_.empty() && seconds_ > 0; }
  void spent(double seconds) { seconds_ -= seconds; }

 private:
  std::filesystem::path file_;
  double seconds_ = 0;
};

}  // namespace engine
