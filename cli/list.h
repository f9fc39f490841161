// The tables a user may choose from, as `isodrop list` shows them.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli {

struct ListEntry {
  std::string name, help;
  std::vector<std::pair<std::string, std::string>> details;  // label and text, in order
};

struct Listing {
  std::string_view name, help;
  std::vector<ListEntry> (*entries)();
};

/// One row a table. To show another one, add a function and its row in list.cpp.
std::span<const Listing> listings();

}  // namespace cli
