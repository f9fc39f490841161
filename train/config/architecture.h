// The model that a run's settings ask for.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "models/gpt.h"
#include "train/config/settings.h"

namespace train {

models::GptConfig gpt_config(const Settings& settings, std::int64_t vocab);

/// Remarks on models that run and still are not what they seem.
std::vector<std::string> architecture_notes(const Settings& settings);

}  // namespace train
