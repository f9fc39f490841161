// What a run shows while it goes.
#pragma once
#include <string>

#include "train/log/sink.h"

namespace cli {

/// "step 1200/2000 · loss 1.873 · 41 ktok/s · 60 % · 0:12 left"
std::string progress_text(const train::Progress& p);

/// "12.3k", "4.56M"
std::string with_prefix(double value);

/// "0:42", "1:02:03"
std::string duration(double seconds);

}  // namespace cli
