// Checks what an error says.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"

namespace tests {

/// The message of the base::Error that `f` throws, one line; empty where it throws none.
template <class F>
std::string error_of(const F& f) {
  try {
    f();
  } catch (const base::Error& e) {
    EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
    return e.what();
  }
  return {};
}

inline void expect_has(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), text.npos) << "no \"" << part << "\" in: " << text;
}

}  // namespace tests

/// `statement` throws base::Error whose message contains `part`.
#define EXPECT_ERROR(statement, part)                                        \
  do {                                                                       \
    const std::string message = tests::error_of([&] { (void)(statement); }); \
    EXPECT_NE(message.find(part), std::string::npos)                         \
        << #statement << "\n  said: " << message << "\n  not:  " << (part);  \
  } while (false)
