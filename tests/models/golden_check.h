// Holds the GPT against a golden file (tests/golden/format.md).
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "train/storage/safetensors.h"

namespace tests {

inline constexpr double kGoldenTolerance = 1e-4;

/// What differs from the file by more than the tolerance, a line each; empty where all agrees.
/// Logits and gradients are compared by the largest absolute difference over the tensor's largest
/// value, losses absolutely, gradient norms relatively. Throws base::Error where the file is no
/// golden file, or of a configuration that the model does not have.
std::vector<std::string> golden_mismatches(const train::TensorFile& file);

}  // namespace tests
