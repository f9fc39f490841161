#include "base/json.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace base {
namespace {

constexpr std::size_t kMostDepth = 64;  // what recurses over deeper text would run out of stack

/// Builds the tree as the text comes. nlohmann's own way to look at keys on the way copies every
/// value, and looks through an object's keys for each new one.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(const std::string& name, std::string_view way_out) : name_(name), way_out_(way_out) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool x) override { return add(x); }
  bool number_integer(number_integer_t x) override { return add(x); }
  bool number_unsigned(number_unsigned_t x) override { return add(x); }
  bool number_float(number_float_t x, const string_t&) override { return add(x); }
  bool string(string_t& x) override { return add(std::move(x)); }
  bool binary(binary_t&) override { return false; }  // not in text
  bool start_object(std::size_t) override { return open(); }
  bool start_array(std::size_t) override { return open(); }
  bool key(string_t& x) override {
    std::vector<std::string>& keys = open_.back().keys;
    if (keys.empty()) keys.reserve(open_.back().values.capacity());
    keys.push_back(std::move(x));
    return true;
  }
  bool end_object() override {
    Level level = close();
    check_keys(level.keys);
    Json object = Json::object();
    auto& members = object.get_ref<Json::object_t&>();
    members.reserve(level.keys.size());
    for (std::size_t i = 0; i < level.keys.size(); ++i)
      members.emplace_back(std::move(level.keys[i]), std::move(level.values[i]));
    return add(std::move(object));
  }
  bool end_array() override { return add(Json(close().values)); }
  bool parse_error(std::size_t, const std::string&, const Json::exception& e) override {
    wrong(e.what());
  }

  Json take() { return std::move(root_); }

 private:
  struct Level {
    std::vector<std::string> keys;  // of an object
    Json::array_t values;
  };

  [[noreturn]] void wrong(std::string_view why) const {
    throw base::Error(base::concat(name_, ": not valid JSON (", why, "); ", way_out_));
  }
  bool add(Json value) {
    if (open_.empty())
      root_ = std::move(value);
    else
      open_.back().values.push_back(std::move(value));
    return true;
  }
  bool open() {
    if (open_.size() >= kMostDepth) wrong(base::concat("more than ", kMostDepth, " brackets deep"));
    constexpr std::size_t kFew = 16;  // most have no more, and need not grow then
    open_.emplace_back();
    open_.back().values.reserve(kFew);
    return true;
  }
  Level close() {
    Level level = std::move(open_.back());
    open_.pop_back();
    return level;
  }
  void check_keys(const std::vector<std::string>& keys) {
    sorted_.assign(keys.begin(), keys.end());
    std::sort(sorted_.begin(), sorted_.end());
    const auto twice = std::adjacent_find(sorted_.begin(), sorted_.end());
    if (twice != sorted_.end()) wrong("the key " + base::quote(*twice) + " is repeated");
  }

  const std::string& name_;
  std::string_view way_out_;
  std::vector<Level> open_;
  std::vector<std::string_view> sorted_;  // keys of an object that ends
  Json root_;
};

void write(std::string& out, const Json& json, std::size_t indent) {
  if (json.is_binary()) {
    const auto& text = json.get_binary();
    out.append(text.begin(), text.end());
    return;
  }
  if (!json.is_structured() || json.empty()) {
    out += json_compact(json);
    return;
  }
  const std::string line = "\n" + std::string(indent, ' ');
  const char* next = "";
  out += json.is_object() ? "{" : "[";
  for (const auto& item : json.items()) {
    out.append(next).append(line).append("  ");
    next = ",";
    if (json.is_object()) out += json_compact(item.key()) + ": ";
    write(out, item.value(), indent + 2);
  }
  out.append(line).append(json.is_object() ? "}" : "]");
}

bool has_ready(const Json& json) {
  return json.is_binary() ||
         (json.is_structured() && std::any_of(json.begin(), json.end(), has_ready));
}

}  // namespace

Json ready(std::string_view text) {
  return Json::binary(std::vector<std::uint8_t>(text.begin(), text.end()));
}

std::string json_text(const Json& json) {
  std::string out;
  write(out, json, 0);
  out += '\n';
  return out;
}

std::string json_compact(const Json& json) {
  if (has_ready(json)) throw std::logic_error("JSON text of many lines within a line");
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json parse_json(std::string_view text, const std::string& name, std::string_view way_out) {
  Builder builder(name, way_out);
  Json::sax_parse(text, &builder);
  return builder.take();
}

}  // namespace base
