// Errors that explain themselves: one line with what is wrong, the value, and the way out.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace base {

/// A mistake in what the user gave (flag, file, setting, shape). The CLI prints it as one line and
/// exits with 2.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The arguments, streamed one after the other.
template <class... Args>
std::string concat(const Args&... args) {
  std::ostringstream out;
  (out << ... << args);
  return out.str();
}

/// Throws Error with the concatenated message unless `ok`.
template <class... Args>
void require(bool ok, const Args&... args) {
  if (!ok) throw Error(concat(args...));
}

}  // namespace base
