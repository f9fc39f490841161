// Statistics against golden values.
#pragma once
#include <gtest/gtest.h>

#include <cmath>

namespace tests {

/// `least`: what is allowed of a value near 0.
inline void expect_close(double got, double want, double relative = 1e-9, double least = 1e-14) {
  EXPECT_NEAR(got, want, relative * std::abs(want) + least);
}

}  // namespace tests
