// A probe as text, Markdown, CSV and JSON.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "base/text_table.h"
#include "lab/probe/probe.h"

namespace lab {

/// What was probed, for headings.
struct ProbeHead {
  std::string model;         // "out/train", or "nano, initial weights"
  std::string regularizers;  // "dropout=0.1"
  std::string corpus;        // its name
  std::uint64_t seed = 0;
};

/// `format`: "text", "md", "csv" or "json"; text in bold where `color`.
///
/// JSON, schema isodrop-probe-1: model, regularizers, corpus, seed, masks, batches, rows, time,
/// progress, points[] {site, value (null at the hook itself), layer (null in none), acting, values,
/// sampled, evaluation {mean, variance, skewness, kurtosis}, training {the same, each {value, se}},
/// variance_ratio, w1 {value, se}, histogram {lo, hi, evaluation[], training[]}}. What is not known
/// is null. CSV: a line for every point, without the histograms.
std::string render(const ProbeHead& head, const Probe& probe, const std::string& format,
                   bool color);

// What its formats have in common.
std::vector<std::string> probe_header(const ProbeHead& head, const Probe& probe);
base::Lines probe_table(const Probe& probe);
std::vector<std::string> probe_footnotes(const Probe& probe);

}  // namespace lab
