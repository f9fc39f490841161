#include "lab/runs/take_up.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>

#include "base/error.h"
#include "base/files.h"
#include "base/parallel.h"
#include "lab/runs/make.h"
#include "lab/runs/survey.h"
#include "lab/runs/verify.h"

namespace lab {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kCopied[] = {"metrics.jsonl", "model.safetensors"};

/// Whole or not at all.
void copy_whole(const fs::path& from, const fs::path& to) {
  const base::FilePtr in = base::open_file(from, base::Whose::kRun);
  base::AtomicFile file(to);
  std::array<std::byte, std::size_t{1} << 16> chunk;
  for (std::size_t got = 1; got > 0;) {
    got = std::fread(chunk.data(), 1, chunk.size(), in.get());
    base::require(std::ferror(in.get()) == 0, "cannot read ", from.string(), "; check the disk");
    file.write(std::span(chunk).first(got));
  }
  file.commit();
}

enum class Came : std::uint8_t { kNothing, kTaken, kThere, kOtherBuild };

/// Throws base::Error with the reason for which it is not taken.
Came take_run(const Store& store, const Store& other, const std::string& id) {
  const auto theirs = other.find(id);
  if (!theirs) return Came::kNothing;
  const RunSpec spec = stored_spec(other, id);
  base::require(theirs->seed == spec.settings.seed, other.record_file(id).string(), ": says seed ",
                theirs->seed, " of a run of seed ", spec.settings.seed);
  auto ours = store.find(id);
  if (ours && ours->build.computes_like(theirs->build)) {
    base::require(compare(*ours, *theirs).equal(),
                  "another result than here, by the same build; the one here stays: 'isodrop "
                  "verify' says which of them is right");
    return Came::kThere;
  }
  if (ours && !usable(*theirs, false)) return Came::kOtherBuild;
  base::make_folder(store.folder(id));
  const RunLock lock(store.folder(id));
  base::require(lock.held(), "a process is making it here");
  ours = store.find(id);  // made since
  if (ours && ours->build.computes_like(theirs->build)) return Came::kThere;
  store.add_spec(spec, lock);
  for (const std::string_view name : kCopied)
    if (const fs::path from = other.folder(id) / name; fs::exists(fs::symlink_status(from)))
      copy_whole(from, store.folder(id) / name);
  store.save(*theirs);
  return Came::kTaken;
}

}  // namespace

TakenUp take_up(const Store& store, const fs::path& from) {
  TakenUp all{from, 0, 0, 0, {}};
  std::error_code code;
  base::require(!fs::equivalent(from, store.root(), code), from.string(),
                ": is this store itself; leave it out");
  base::make_folder(store.root());
  const Store other(from);
  const std::vector<std::string> ids = ids_of(other);
  std::vector<Came> came(ids.size());
  std::vector<std::string> why(ids.size());
  base::for_each_at_once(ids.size(), [&](std::size_t i) {
    try {
      came[i] = take_run(store, other, ids[i]);
    } catch (const base::Error& e) {
      why[i] = "run " + ids[i] + ": " + e.what();
    }
  });
  const auto count = [&](Came how) { return std::count(came.begin(), came.end(), how); };
  all.taken = count(Came::kTaken);
  all.there = count(Came::kThere);
  all.other_build = count(Came::kOtherBuild);
  for (std::string& reason : why)
    if (!reason.empty()) all.refused.push_back(std::move(reason));
  return all;
}

}  // namespace lab
