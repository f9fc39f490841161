#include "lab/runs/verify.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/parallel.h"
#include "base/text.h"
#include "lab/runs/make.h"
#include "lab/runs/survey.h"

namespace lab {
namespace {

namespace fs = std::filesystem;

/// Seconds, and what is per second: that depends on the moment.
bool is_time(const Metric& m) { return m.unit == "s" || m.unit.ends_with("/s"); }

bool same_bytes(const fs::path& kept, const fs::path& again) {
  const auto size = static_cast<std::int64_t>(fs::file_size(again));
  struct stat status {};
  return fstat(fileno(base::open_file(kept, base::Whose::kRun).get()), &status) == 0 &&
         status.st_size == size &&
         base::read_whole(kept, base::Whose::kRun, size) ==
             base::read_whole(again, base::Whose::kRun, size);
}

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

RunSpec stored_spec(const Store& store, const std::string& id) {
  const fs::path file = store.spec_file(id);
  store.require_own(id);
  base::require(fs::exists(fs::symlink_status(file)), "run ", base::quote(id), ": not in ",
                store.root().string(), "; give the --store that has it");
  const Json json = base::read_json(file, base::Whose::kRun);
  RunSpec spec = spec_from_json(json, file.string());  // its id is that of its contents
  base::require(json["id"] == id, file.string(), ": is the spec of run ",
                json["id"].get_ref<const std::string&>(), "; it was moved there by hand");
  return spec;
}

RunRecord stored_record(const Store& store, const std::string& id) {
  auto record = store.find(id);
  base::require(record.has_value(), "run ", base::quote(id), ": has a spec and no record in ",
                store.root().string(), "; 'isodrop run' makes it");
  return *record;
}

Verified compare(const RunRecord& kept, const RunRecord& again) {
  Verified out;
  out.id = kept.id;
  out.seed = kept.seed;
  out.same_build = kept.build.computes_like(again.build);
  std::set<std::string> names;
  for (const RunRecord* record : {&kept, &again})
    for (const auto& [name, value] : record->values.others()) names.insert(name);
  for (const Metric& m : metrics())
    if (!is_time(m)) names.emplace(m.name);
  for (const std::string& name : names)
    if (kept.value(name) != again.value(name))
      out.differences[name] = again.value(name).value_or(NAN) - kept.value(name).value_or(NAN);
  out.windows = kept.val_windows == again.val_windows && kept.test_windows == again.test_windows;
  return out;
}

Verified verify_run(const Store& store, const std::string& id, const fs::path& scratch,
                    const MakeEvents& events) {
  const RunSpec spec = stored_spec(store, id);
  const RunRecord kept = stored_record(store, id);
  const fs::path weights = store.weights_file(id);
  MakeOptions options;
  options.keep_weights = fs::exists(weights);
  const Store beside(scratch);
  Verified out = compare(kept, make_run(spec, beside, options, events).record);
  if (options.keep_weights) out.weights = same_bytes(weights, beside.weights_file(id));
  return out;
}

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
