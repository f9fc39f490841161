// Who is making a run: a lock on its folder, which ends with its holder.
#pragma once
#include <filesystem>
#include <string>

namespace base {

/// The right to write into a run's folder (flock on the file `lock` in it); given back when this
/// ends, or when the process does, however it ends.
class RunLock {
 public:
  /// Takes it where it is free. Throws base::Error where the folder cannot be written to;
  /// `flag`: the one that chooses another folder.
  explicit RunLock(const std::filesystem::path& folder, std::string flag = "--store");
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  bool held() const { return held_; }
  /// Waits for whoever has it.
  void wait();

 private:
  void take(int how);
  std::filesystem::path path_;
  std::string flag_;
  int file_ = -1;
  bool held_ = false;
};

}  // namespace base
