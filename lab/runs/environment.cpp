#include "lab/runs/environment.h"

#include <fstream>

#include "engine/parallel.h"
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

}  // namespace

std::string isa() {
#if defined(__AVX512F__)
  return "AVX-512";
#elif defined(__AVX2__)
  return "AVX2";
#else
  return "SSE2";
#endif
}

nlohmann::ordered_json environment(std::int64_t threads) {
  return {
    {"cpu", cpu_name()}, {"isa", isa()}, {"threads", threads > 0 ? threads : engine::max_threads()},
        {"isodrop", ISODROP_VERSION}, {"onednn", ops::onednn_version()},
#if defined(__clang__)
        {"compiler", "clang " __clang_version__}
#else
    {
      "compiler", "gcc " __VERSION__
    }
#endif
  };
}

}  // namespace lab
