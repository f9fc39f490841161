// A profile as text, JSON and a trace.
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
/// Schema isodrop-profile-1: what, steps, progress (share of the budget spent, of which rates are a
/// function), environment, peak {gflops, gbps}, arms[] {name, step_ms, step_quartiles,
/// unobserved_ms, overhead {ratio, ci95}, tokens_per_second, gflops, rows[], how[] {name, pass,
/// how, calls, ms, gflops, of_peak}}, tax {step_ratio, ci95, rows[] {name, first_ms, second_ms,
/// tax_ms, of_step}}, null but for two arms. A row has name, calls, ms, flops, bytes, gflops, gbps,
/// intensity, of_roof, quartiles, share, forward and backward (each calls to of_roof, null where
/// there is none). Lists of two are [low, high]; what is not known is null.
nlohmann::ordered_json to_json(const ProfileHead& head, const Profile& profile,
                               const std::vector<ProfileTable>& tables);

// What text and page have in common.
std::vector<std::string> profile_header(const ProfileHead& head, const Profile& profile);
std::string profile_footnote(const ProfileHead& head);

/// Events of a trace that only name an arm.
inline constexpr std::size_t kTraceNames = 2;

/// Chrome trace events ("Trace Event Format"): an arm is a process, with kTraceNames events for its
/// name and a complete event for each slice.
std::string trace_json(const Profile& profile);

}  // namespace lab
