// The block of data in a page that lab::to_html() has made.
#pragma once
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace tests {

inline constexpr const char* kDataBegin = "<script type=\"application/json\" id=\"data\">\n";

inline std::string page_block(const std::string& html) {
  const std::size_t begin = html.rfind(kDataBegin), end = html.find("\n</script>", begin);
  if (begin == std::string::npos || end == std::string::npos)
    throw std::runtime_error("no block of data in the page");
  const std::size_t from = begin + std::string(kDataBegin).size();
  return html.substr(from, end - from);
}

inline nlohmann::json page_data(const std::string& html) {
  return nlohmann::json::parse(page_block(html));
}

/// The picture of that id in a section; null where there is none.
inline nlohmann::json picture_of(const nlohmann::json& page, std::size_t section,
                                 const std::string& id) {
  for (const auto& picture : page["sections"][section]["pictures"])
    if (picture["id"] == id) return picture;
  return nullptr;
}

}  // namespace tests
