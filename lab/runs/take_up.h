// Runs of other stores, taken into this one: copied from another machine, or lying beside it.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "lab/runs/store.h"

namespace lab {

struct TakenUp {
  std::filesystem::path from;
  std::size_t taken = 0;             // were not here
  std::size_t there = 0;             // are here with the same result
  std::size_t other_build = 0;       // are here by another build, which stays
  std::vector<std::string> refused;  // "run ID: why", of what is broken, differs or is being made
};

/// Copies spec, log, weights and, last and at once, the record of every whole run of `from` that
/// this store has not; a record is whole where it reads as one, and its run's where its spec has
/// the folder's id and its seed. Nothing that is here is replaced, but that the record of another
/// build than this program's makes room for one of this program's (and stays beside it).
/// Throws base::Error where `from` is no store or this one cannot be written to.
TakenUp take_up(const Store& store, const std::filesystem::path& from);

}  // namespace lab
