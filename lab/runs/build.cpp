#include "lab/runs/build.h"

#include <fmt/format.h>

#include <fstream>

#include "base/error.h"
#include "base/hash.h"
#include "base/parallel.h"
#include "isodrop_source.h"
#include "isodrop_version.h"
#include "ops/onednn.h"

namespace lab {
namespace {

std::string cpu_name() {
  std::ifstream in("/proc/cpuinfo");
  std::string line;
  while (std::getline(in, line)) {
    if (line.rfind("model name", 0) != 0) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string isa() {
#if defined(__AVX512F__)
  return "AVX-512";
#elif defined(__AVX2__)
  return "AVX2";
#else
  return "SSE2";
#endif
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__ " " ISODROP_FLAGS;
#else
  return "gcc " __VERSION__ " " ISODROP_FLAGS;
#endif
}

/// The texts of a build by their names in JSON: the one list of them.
constexpr std::pair<const char*, std::string Build::*> kTexts[] = {
    {"isodrop", &Build::version},   {"commit", &Build::commit}, {"source", &Build::source},
    {"compiler", &Build::compiler}, {"isa", &Build::isa},       {"onednn", &Build::onednn}};

}  // namespace

std::string Build::key() const {
  base::Hash hash;
  std::apply([&](const auto&... part) { (hash.add(part), ...); }, decides());
  return hash.hex().substr(0, 12);
}

const Build& this_build() {
  static const Build build{ISODROP_VERSION, ISODROP_COMMIT, ISODROP_SOURCE,
                           compiler(),      isa(),          ops::onednn_version()};
  return build;
}

std::string to_string(const Build& b) {
  return fmt::format("isodrop {} ({}sources {}), {}, {}, oneDNN {}", b.version,
                     b.commit.empty() ? "" : b.commit + ", ", b.source, b.compiler, b.isa,
                     b.onednn);
}

Json to_json(const Build& build) {
  Json json = Json::object();
  for (const auto& [name, text] : kTexts) json[name] = build.*text;
  return json;
}

Json to_json(const std::vector<Build>& builds) {
  Json json = Json::array();
  for (const Build& build : builds) json.push_back(to_json(build));
  return json;
}

Build build_from_json(const Json& json, const std::string& source) {
  Build build;
  for (const auto& [name, text] : kTexts) {
    base::require(json.is_object() && json.contains(name) && json[name].is_string(), source,
                  ": 'build' has no text '", name, "'");
    build.*text = json[name].get<std::string>();
  }
  return build;
}

Machine this_machine(std::int64_t threads) {
  return {cpu_name(), threads > 0 ? threads : base::max_threads()};
}

Json environment(std::int64_t threads) {
  const Machine machine = this_machine(threads);
  Json json = {{"cpu", machine.cpu}, {"threads", machine.threads}};
  json.update(to_json(this_build()));
  return json;
}

}  // namespace lab
