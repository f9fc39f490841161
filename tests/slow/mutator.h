// Thousands of files that are a little wrong.
#pragma once
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <utility>

#include "base/error.h"
#include "engine/rng.h"

namespace tests {

inline constexpr std::array kNumbers = {"0",
                                        "-1",
                                        "1",
                                        "7",
                                        "2147483648",
                                        "4294967296",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "1e999",
                                        "1e300",
                                        "0.5",
                                        "null",
                                        "true",
                                        "\"x\"",
                                        "[]",
                                        "{}"};

/// One change of a file.
class Mutator {
 public:
  explicit Mutator(std::uint64_t seed)
      : random_(engine::stream_key(seed, engine::Stream::kSample), 7) {}

  std::string mutate(std::string s) {
    switch (below(8)) {
      case 0:
        s[below(s.size())] ^= static_cast<char>(1 << below(8));
        break;
      case 1:
        s.resize(below(s.size()));
        break;
      case 2:
        s.insert(below(s.size() + 1), 1 + below(4), static_cast<char>(below(256)));
        break;
      case 3: {
        const std::size_t at = below(s.size());
        s.erase(at, 1 + below(std::min<std::size_t>(16, s.size() - at)));
        break;
      }
      case 4: {  // a number by a hostile one
        const auto [at, n] = number(s);
        s.replace(at, n, kNumbers[below(kNumbers.size())]);
        break;
      }
      case 5: {  // two numbers change places
        auto a = number(s), b = number(s);
        if (a.first > b.first) std::swap(a, b);
        if (a.first + a.second > b.first) break;
        const std::string first = s.substr(a.first, a.second), second = s.substr(b.first, b.second);
        s.replace(b.first, b.second, first);
        s.replace(a.first, a.second, second);
        break;
      }
      case 6: {  // a stretch a second time
        const std::size_t at = below(s.size()),
                          n = 1 + below(std::min<std::size_t>(64, s.size() - at));
        s.insert(below(s.size() + 1), s.substr(at, n));
        break;
      }
      default: {  // the first eight bytes, which may be a size
        constexpr std::uint64_t kSizes[] = {0, 1, 1u << 20, 1ULL << 40, 1ULL << 63, ~0ULL, ~7ULL};
        const std::uint64_t size = kSizes[below(std::size(kSizes))];
        std::memcpy(s.data(), &size, std::min<std::size_t>(8, s.size()));
      }
    }
    return s;
  }

 private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_.below(n)); }
  /// Where one of the file's runs of digits is; anywhere where there is none.
  std::pair<std::size_t, std::size_t> number(const std::string& s) {
    const auto digit = [&](std::size_t i) { return i < s.size() && s[i] >= '0' && s[i] <= '9'; };
    const std::size_t start = below(s.size());
    for (std::size_t i = 0; i < s.size(); ++i) {
      std::size_t at = (start + i) % s.size(), n = 0;
      if (!digit(at)) continue;
      while (at > 0 && digit(at - 1)) --at;
      while (digit(at + n)) ++n;
      return {at, n};
    }
    return {start, 1};
  }

  engine::Sequence random_;
};

/// Mutates `valid` so many times. `read` throws base::Error, or checks what it read. At least
/// `refused` of a thousand must be errors, or the test tests nothing.
inline void mutate(const std::string& valid, int times, int refused,
                   const std::function<void(const std::string&)>& read) {
  read(valid);
  int errors = 0;
  for (int i = 0; i < times && !testing::Test::HasFailure(); ++i) {
    const std::string text = Mutator(static_cast<std::uint64_t>(i)).mutate(valid);
    SCOPED_TRACE(base::concat("mutation ", i));
    try {
      read(text);
    } catch (const base::Error& e) {
      ++errors;
      EXPECT_NE(std::string(e.what()), "");
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
    }
  }
  EXPECT_GE(errors * 1000, refused * times) << errors << " errors";
}

}  // namespace tests
