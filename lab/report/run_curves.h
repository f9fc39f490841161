// Learning curves of any runs, beside each other: those of a store and the folders of `train`.
#pragma once
#include <string>
#include <vector>

#include "lab/report/html/page.h"
#include "lab/runs/store.h"

namespace lab {

struct CurveOfRun {
  std::string name;  // as it was asked for: a folder, or the beginning of its id
  std::string task, budget, seed, regime;  // empty: not known
  std::string data;                        // its hash
  std::vector<CurvePoint> points;
};

/// `given`: a folder with a metrics.jsonl, or an id of the store or what it begins with. A run that
/// is still being made has the curve so far. Throws base::Error: neither, or nothing to show.
CurveOfRun curve_of_run(const std::string& given, const Store& store);

/// A table of the runs, loss against steps and against compute.
Page curves_page(const std::vector<CurveOfRun>& runs);

}  // namespace lab
