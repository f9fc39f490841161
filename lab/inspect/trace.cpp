// The profile's first steps as Chrome trace events, which Perfetto and chrome://tracing open.
#include <algorithm>

#include "lab/inspect/profile_render.h"

namespace lab {
namespace {

using Json = nlohmann::ordered_json;

Json slice_json(const ArmProfile& arm, const TraceSlice& slice, std::size_t pid) {
  Json json = {{"ph", "X"},
               {"pid", pid},
               {"tid", 1},
               {"ts", 1e6 * slice.start},
               {"dur", 1e6 * slice.seconds}};
  if (slice.event < 0) {
    json["name"] = slice.event == TraceSlice::kStep   ? "step"
                   : slice.event == TraceSlice::kData ? kDataRow
                                                      : kOptimizerRow;
    json["cat"] = "step";
    return json;
  }
  const ArmProfile::Call& event = arm.events[static_cast<std::size_t>(slice.event)];
  const ArmProfile::Node& node = arm.nodes[static_cast<std::size_t>(event.node)];
  json["name"] = node.name;
  json["cat"] = std::string(to_string(event.kind));
  json["args"] = {{"op", node.op}, {"pass", to_string(event.kind)}};
  if (slice.seconds > 0) {
    json["args"]["gflops"] = event.cost.flops / slice.seconds * 1e-9;
    json["args"]["gbps"] = event.cost.bytes / slice.seconds * 1e-9;
  }
  return json;
}

Json name_json(const char* what, std::size_t pid, const std::string& name) {
  return {{"ph", "M"}, {"name", what}, {"pid", pid}, {"tid", 1}, {"args", {{"name", name}}}};
}

}  // namespace

std::string trace_json(const Profile& profile) {
  Json events = Json::array();
  for (std::size_t i = 0; i < profile.arms.size(); ++i) {
    const ArmProfile& arm = profile.arms[i];
    events.push_back(name_json("process_name", i + 1, "isodrop: " + arm.name));
    events.push_back(name_json("thread_name", i + 1, "training step"));
    for (const TraceSlice& s : arm.trace) events.push_back(slice_json(arm, s, i + 1));
  }
  const Json json = {{"displayTimeUnit", "ms"}, {"traceEvents", events}};
  // A name that is no UTF-8 is an arm's own; it must not cost the trace.
  return base::json_compact(json) + "\n";
}

}  // namespace lab
