// The regularizers that a run's settings ask for.
#pragma once
#include <string>
#include <vector>

#include "models/regularizers.h"
#include "train/config/settings.h"

namespace train {

/// Those of `dropout`, then those of `reg`. Throws Error where they don't go together.
std::vector<models::RegularizerSetting> regularizers(const Settings& settings);

/// Remarks on regularizers that run and still do not do what they are for.
std::vector<std::string> regularizer_notes(const Settings& settings);

}  // namespace train
