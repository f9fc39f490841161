// Keeps the report's page up to date while a session runs.
#pragma once
#include <filesystem>

#include "lab/session/observer.h"

namespace lab {

class PageWriter final : public Observer {
 public:
  /// `path`: report.html. `notes` hears, once, that the page cannot be written for now.
  PageWriter(std::filesystem::path path, Observer& notes) : path_(std::move(path)), notes_(notes) {}
  void table_changed(const Report& so_far) override;

 private:
  std::filesystem::path path_;
  Observer& notes_;
  bool failed_ = false;
};

}  // namespace lab
