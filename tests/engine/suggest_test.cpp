#include "engine/suggest.h"

#include <gtest/gtest.h>

namespace engine {
namespace {

TEST(Trim, TakesBlanksAndLineEndsFromBothEndsAlone) {
  EXPECT_EQ(trim(" \ta b\r\n"), "a b");
  EXPECT_EQ(trim("a"), "a");
  EXPECT_EQ(trim(" \t\r\n"), "");
  EXPECT_EQ(trim(""), "");
}

}  // namespace
}  // namespace engine
