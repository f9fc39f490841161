#include "lab/runs/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "engine/error.h"
#include "engine/suggest.h"
#include "train/files.h"

namespace lab {
namespace fs = std::filesystem;

fs::path default_store() {
  const char* given = std::getenv("ISODROP_STORE");
  return given != nullptr && *given != '\0' ? fs::path(given) : fs::path("out") / "runs";
}

std::optional<RunRecord> Store::read(const fs::path& file, const std::string& id) const {
  std::error_code
      code;  // what cannot even be looked at is refused by whoever writes, with the reason
  if (!fs::exists(file, code)) return {};
  RunRecord record = record_from_json(train::read_json(file), file.string());
  engine::require(record.id == id, file.string(), ": is the record of run ",
                  engine::quote(record.id), "; remove it to make this run again");
  return record;
}

std::optional<RunRecord> Store::find(const std::string& id) const {
  auto last = read(record_file(id), id);
  if (!last || last->build.computes_like(this_build())) return last;
  auto mine = read(file_of(id, this_build()), id);
  return mine ? mine : last;
}

void Store::add_spec(const RunSpec& spec) const {
  const std::string id = run_id(spec);
  train::make_folder(folder(id));
  const std::string text = to_json(spec).dump(2) + "\n";
  std::ifstream in(spec_file(id), std::ios::binary);
  if (!in || std::string(std::istreambuf_iterator<char>(in), {}) != text)
    train::write_atomically(spec_file(id), text);
}

void Store::save(const RunRecord& record) const {
  const fs::path file = record_file(record.id);
  if (const auto old = read(file, record.id); old && !old->build.computes_like(record.build))
    fs::rename(file, file_of(record.id, old->build));
  train::write_json(file, to_full_json(record));
}

RunLock::RunLock(const fs::path& folder) : path_(folder / "lock") {
  file_ = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  engine::require(file_ >= 0, "cannot write ", path_.string(), ": ", std::strerror(errno),
                  "; choose another --store");
  take(LOCK_EX | LOCK_NB);
}

void RunLock::wait() { take(LOCK_EX); }

void RunLock::take(int how) {
  int result = 0;
  do {
    result = flock(file_, how);
  } while (result != 0 && errno == EINTR);
  held_ = result == 0;
  engine::require(held_ || errno == EWOULDBLOCK, "cannot lock ", path_.string(), ": ",
                  std::strerror(errno), "; choose a --store on a file system with locks");
}

RunLock::~RunLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace lab
