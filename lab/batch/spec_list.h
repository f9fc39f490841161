// A list of specs, one path a line, and which of several processes takes which.
#pragma once
#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "lab/runs/spec.h"

namespace lab {

struct ListedSpec {
  std::filesystem::path file;
  std::string id;
  RunSpec spec;
};

/// Paths are relative to the list's folder; blank lines are none, and of one run given twice the
/// first counts. Throws base::Error naming the list and the line where a spec cannot be read or
/// is none for this program.
std::vector<ListedSpec> read_spec_list(const std::filesystem::path& list);

/// One of `count` that share a list: its places are index, index + count, …
struct Part {
  std::size_t index = 0, count = 1;
  bool operator==(const Part&) const = default;
};

/// "3/8", index from 0. Throws base::Error naming `source`.
Part parse_part(const std::string& text, const std::string& source);

/// Of a process that mpirun or srun has started: its rank and how many there are, as Open MPI,
/// MPICH (PMI) and Slurm say it in the environment; nothing in any other. Throws base::Error
/// if they say what is no rank.
std::optional<Part> part_of_environment();

/// The places of the part, and with `help` then those of the others, each from its end, where its
/// owner comes last.
std::vector<std::size_t> places(std::size_t size, const Part& part, bool help);

}  // namespace lab
