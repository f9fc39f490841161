// The model and the regularizers that a run's settings ask for.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "models/gpt.h"
#include "train/config/settings.h"

namespace train {

models::GptConfig gpt_config(const Settings& settings, std::int64_t vocab);

/// Those of `dropout`, then those of `reg`. Throws Error if they do not go together.
std::vector<models::RegularizerSetting> regularizers(const Settings& settings);

}  // namespace train
