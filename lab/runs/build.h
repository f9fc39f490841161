// By which program, and on which machine, a run was made.
#pragma once
#include <string>
#include <tuple>
#include <vector>

#include "base/json.h"

namespace lab {

using base::Json;

/// What decides the bits of a run beside its spec. Two builds are one where all but the commit
/// agree: a commit that touches none of the sources that are hashed changes no bit. (What the
/// system brings, libm and the like, is not covered.)
struct Build {
  std::string version;   // of isodrop
  std::string commit;    // it was checked out from; empty if that was not known
  std::string source;    // hash of engine, ops, models, train and the metrics, and of flags
  std::string compiler;  // with version, kind of build and target
  std::string isa;       // the widest vectors of our own loops
  std::string onednn;    // version and the ISA that it dispatches to

  /// What decides bits.
  auto decides() const { return std::tie(source, compiler, isa, onednn); }
  bool computes_like(const Build& other) const { return decides() == other.decides(); }
  /// 12 hex digits of it.
  std::string key() const;
  bool operator==(const Build&) const = default;
};

/// This program.
const Build& this_build();

/// "isodrop 0.1.0 (1f2e3d4c5b6a), gcc 12.2.0 Release, AVX-512, oneDNN 2.6.3"
std::string to_string(const Build& build);

Json to_json(const Build& build);
Json to_json(const std::vector<Build>& builds);
/// Throws base::Error naming `source`.
Build build_from_json(const Json& json, const std::string& source);

/// Where and with how many threads a run was made: for its times, not for its bits.
struct Machine {
  std::string cpu;
  std::int64_t threads = 0;
  auto operator<=>(const Machine&) const = default;
};

/// This machine; `threads` 0: as many as OpenMP takes.
Machine this_machine(std::int64_t threads);

/// Both in one object, for what is measured here and now: {cpu, threads, isodrop, commit, …}.
Json environment(std::int64_t threads);

}  // namespace lab
