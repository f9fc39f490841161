// Runs the real binary as a user would, in a folder of its own.
#pragma once
#include <signal.h>
#include <sys/types.h>

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/temp_folder.h"

namespace tests {

struct Result {
  int code = -1;  // exit code, or 128 + the signal that ended it
  std::string out, err;
  double seconds = 0;
};

using Words = std::vector<std::string>;

Words operator+(Words a, const Words& b);

/// The arguments and what came of them, for messages.
std::string describe(const Words& args, const Result& result);

/// A started process; kills it where it is still running at the end.
class Process {
 public:
  /// `args` are those of isodrop. `environment` "NAME=VALUE" on top of the test's own
  /// and of ISODROP_STORE=runs.
  Process(const Words& args, const std::filesystem::path& folder, const Words& environment = {});
  /// Any other program.
  static Process program(const Words& command, const std::filesystem::path& folder);
  ~Process();
  Process(Process&&) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();
  void kill(int signal = SIGKILL);
  /// Processes it has started and that have not ended.
  std::vector<pid_t> children() const;
  Result wait();

 private:
  Process() = default;
  void start(const Words& command, const std::filesystem::path& folder, const Words& environment);
  pid_t pid_ = -1;
  std::optional<int> status_;  // of a process that has ended
  double started_ = 0;
  std::unique_ptr<TempFolder> output_;
};

/// Whether there is such a process and it has not ended (a zombie has).
bool alive(pid_t pid);

Result isodrop(const Words& args, const std::filesystem::path& folder,
               const Words& environment = {});

/// The runs of a store that are done: id and record.json, as text.
std::map<std::string, std::string> records(const std::filesystem::path& store);

void expect_keys(const nlohmann::json& json, const Words& keys);

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != text.npos;
}

/// Parses standard output; fails the test where it is no JSON.
nlohmann::json json_of(const Words& args, const Result& result);

/// "isodrop: error: ..." where that is the only line; otherwise fails the test.
std::string only_error(const Words& args, const Result& result);

/// Names of what was created, changed or removed between two snapshots.
Words changes(const std::map<std::string, std::string>& before,
              const std::map<std::string, std::string>& after);

/// What must agree between reports of the same comparison, however its runs were made: everything
/// but folder, times and speeds.
nlohmann::json losses(const nlohmann::json& report);

/// Anything in the document that a reader of JSON could take for NaN: "nan" or "inf" as a string.
bool has_nan(const nlohmann::json& json);

}  // namespace tests
