// A profile as text, JSON, a roofline picture and a trace.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab/inspect/profile_table.h"

namespace lab {

/// What was profiled, for headings: "nano, B 12, T 64".
struct ProfileHead {
  std::string what;
  std::int64_t steps = 0;  // rounds measured
  nlohmann::ordered_json environment;
};

/// One table, or two side by side with what the second takes longer.
std::string render_text(const ProfileHead& head, const Profile& profile,
                        const std::vector<ProfileTable>& tables);
/// Schema in the README; what is not known is null.
nlohmann::ordered_json to_json(const ProfileHead& head, const Profile& profile,
                               const std::vector<ProfileTable>& tables);

/// Roofline (Williams, Waterman & Patterson 2009): each row's passes at their arithmetic intensity
/// and speed, below what memory and FMA units allow. A picture on its own: axes, units, legend.
std::string roofline_svg(const ProfileHead& head, const Roof& roof,
                         const std::vector<ProfileTable>& tables);

/// Events of a trace that only name an arm.
inline constexpr std::size_t kTraceNames = 2;

/// Chrome trace events ("Trace Event Format"): an arm is a process, with kTraceNames events for its
/// name and a complete event for each slice.
std::string trace_json(const Profile& profile);

}  // namespace lab
