#include "lab/runs/verify.h"

#include <sys/stat.h>

#include <cmath>
#include <set>

#include "base/error.h"
#include "base/files.h"
#include "base/text.h"

namespace lab {
namespace fs = std::filesystem;
namespace {

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

}  // namespace lab
