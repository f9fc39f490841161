// Tables of choices: any row with a `name`.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace base {

template <class Row>
std::vector<std::string_view> names_of(std::span<const Row> table) {
  std::vector<std::string_view> names;
  for (const Row& row : table) names.push_back(row.name);
  return names;
}

/// The row of that name. Throws Error with the valid ones: "unknown norm 'x'; choose from a, b".
template <class Row>
const Row& row_named(std::span<const Row> table, std::string_view name, std::string_view what) {
  for (const Row& row : table)
    if (row.name == name) return row;
  throw Error(concat("unknown ", what, ' ', quote(name), "; choose from ", join(names_of(table))));
}

}  // namespace base
