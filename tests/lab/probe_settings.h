// A model small enough to be probed many times.
#pragma once
#include <string>

#include "train/config/settings.h"

namespace tests {

inline train::Settings small(const std::string& reg) {
  train::Settings s;
  s.n_layer = 2, s.n_head = 2, s.n_embd = 16, s.block_size = 24, s.batch = 6;
  train::set(s, "reg", reg);
  return s;
}

}  // namespace tests
