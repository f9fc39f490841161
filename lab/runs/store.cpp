#include "lab/runs/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "engine/error.h"
#include "train/files.h"

namespace lab {
namespace fs = std::filesystem;

fs::path default_store() {
  const char* given = std::getenv("ISODROP_STORE");
  return given != nullptr && *given != '\0' ? fs::path(given) : fs::path("out") / "runs";
}

std::optional<RunRecord> Store::find(const std::string& id) const {
  const fs::path file = record_file(id);
  std::error_code
      code;  // what cannot even be looked at is refused by whoever writes, with the reason
  if (!fs::exists(file, code)) return {};
  RunRecord record = record_from_json(train::read_json(file), file.string());
  engine::require(record.id == id, file.string(), ": is the record of run ", record.id,
                  "; remove it to make this run again");
  return record;
}

void Store::add_spec(const RunSpec& spec) const {
  const std::string id = run_id(spec);
  train::make_folder(folder(id));
  if (fs::exists(spec_file(id))) return;
  try {
    train::write_json(spec_file(id), to_json(spec));
  } catch (const engine::Error&) {
    // Whoever has written the same spec meanwhile, and makes the run, clears temporaries away.
    if (!fs::exists(spec_file(id))) throw;
  }
}

void Store::save(const RunRecord& record) const {
  const fs::path file = record_file(record.id);
  if (const auto old = find(record.id); old && !old->build.computes_like(record.build))
    fs::rename(file, folder(record.id) /
                         ("record-" + fingerprint(to_json(old->build)).substr(0, 12) + ".json"));
  train::write_json(file, to_json(record));
}

RunLock::RunLock(const fs::path& folder, bool wait) {
  const fs::path path = folder / "lock";
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  engine::require(file_ >= 0, "cannot write ", path.string(), ": ", std::strerror(errno),
                  "; choose another --store");
  int result = 0;
  do {
    result = flock(file_, LOCK_EX | (wait ? 0 : LOCK_NB));
  } while (result != 0 && errno == EINTR);
  held_ = result == 0;
  engine::require(held_ || errno == EWOULDBLOCK, "cannot lock ", path.string(), ": ",
                  std::strerror(errno), "; choose a --store on a file system with locks");
}

RunLock::~RunLock() {
  if (file_ >= 0) close(file_);
}

}  // namespace lab
