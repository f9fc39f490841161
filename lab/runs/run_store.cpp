#include "lab/runs/run_store.h"

#include <cmath>

#include "engine/error.h"
#include "engine/rng.h"
#include "train/files.h"

namespace lab {
namespace fs = std::filesystem;
namespace {

constexpr const char* kIdentity = "comparison.json";
constexpr const char* kSummary = "summary.json";
constexpr const char* kLooks = "looks.json";

/// A name as part of a path: what is not a letter, digit, '.', '-', '=' or '_' becomes '_', and a
/// fingerprint keeps different names apart.
std::string path_part(const std::string& name) {
  std::string safe;
  bool changed = false;
  for (const char ch : name) {
    const bool fine = std::isalnum(static_cast<unsigned char>(ch)) != 0 ||
                      std::string_view(".-=_").find(ch) != std::string_view::npos;
    safe += fine ? ch : '_';
    changed = changed || !fine;
  }
  if (safe.empty() || safe[0] == '.' || changed || safe.size() > 64)
    safe = safe.substr(0, 48) + "-" + fingerprint(name).substr(0, 8);
  return safe;
}

/// Where two identities first differ, for the error message.
std::string difference(const Json& a, const Json& b, const std::string& path) {
  if (a.is_object() && b.is_object()) {
    for (const auto& [key, value] : b.items()) {
      if (!a.contains(key)) return path + key;
      if (a[key] != value) return difference(a[key], value, path + key + ".");
    }
    for (const auto& [key, value] : a.items())
      if (!b.contains(key)) return path + key;
  }
  const std::string name = path.substr(0, path.empty() ? 0 : path.size() - 1);
  const auto brief = [](const Json& j) {
    std::string text = j.dump();
    return text.size() > 60 ? text.substr(0, 57) + "..." : text;
  };
  return name + " is " + brief(a) + " there, " + brief(b) + " here";
}

Json number_or_null(const std::optional<double>& x) {
  return x && std::isfinite(*x) ? Json(*x) : Json(nullptr);
}

}  // namespace

std::string fingerprint(const Json& json) {
  const std::string text = json.dump();
  std::uint64_t h = 0xCBF29CE484222325u;
  for (const char ch : text) h = (h ^ static_cast<unsigned char>(ch)) * 0x100000001B3u;
  h = engine::mix64(h);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string hex;
  for (int i = 60; i >= 0; i -= 4) hex += kHex[h >> i & 15];
  return hex;
}

RunRecord to_record(const train::RunResult& r, std::int64_t seed) {
  RunRecord record;
  record.seed = seed;
  record.status = r.diverged ? "diverged" : "ok";
  if (!r.diverged) {
    record.val_loss = r.val_loss;
    record.train_loss = r.train_loss;
  } else {
    record.diverged_at = r.diverged_at;
  }
  record.best_val_loss = r.best_val_loss;
  record.epochs = r.spent.epochs;
  record.tokens = r.spent.tokens;
  record.flops = r.spent.flops;
  record.seconds = r.spent.seconds;
  record.eval_seconds = r.eval_seconds;
  record.steps = r.spent.steps;
  return record;
}

Json to_json(const RunRecord& r) {
  Json j = {{"seed", r.seed},
            {"status", r.status},
            {"val_loss", number_or_null(r.val_loss)},
            {"best_val_loss", number_or_null(r.best_val_loss)},
            {"train_loss", number_or_null(r.train_loss)},
            {"epochs", r.epochs},
            {"steps", r.steps},
            {"tokens", r.tokens},
            {"flops", r.flops},
            {"seconds", r.seconds},
            {"eval_seconds", r.eval_seconds},
            {"diverged_at", r.diverged_at ? Json(*r.diverged_at) : Json(nullptr)}};
  if (!r.error.empty()) j["error"] = r.error;
  return j;
}

RunRecord from_json(const Json& j, const std::string& source) {
  const auto wrong = [&](const char* key) {
    throw engine::Error(engine::concat(source, ": '", key,
                                       "' is missing or not what it should be; remove this file to "
                                       "train the run again"));
  };
  const auto number = [&](const char* key) -> double {
    if (!j.is_object() || !j.contains(key) || !j[key].is_number()) wrong(key);
    return j[key].get<double>();
  };
  const auto maybe = [&](const char* key) -> std::optional<double> {
    if (!j.is_object() || !j.contains(key)) wrong(key);
    if (j[key].is_null()) return {};
    return number(key);
  };
  RunRecord r;
  r.seed = static_cast<std::int64_t>(number("seed"));
  if (!j.contains("status") || !j["status"].is_string()) wrong("status");
  r.status = j["status"].get<std::string>();
  if (r.status != "ok" && r.status != "diverged") wrong("status");
  r.val_loss = maybe("val_loss");
  r.best_val_loss = maybe("best_val_loss");
  r.train_loss = maybe("train_loss");
  if (r.status == "ok" && !r.val_loss) wrong("val_loss");
  r.epochs = number("epochs");
  r.steps = static_cast<std::int64_t>(number("steps"));
  r.tokens = number("tokens");
  r.flops = number("flops");
  r.seconds = number("seconds");
  r.eval_seconds = number("eval_seconds");
  if (const auto at = maybe("diverged_at")) r.diverged_at = static_cast<std::int64_t>(*at);
  return r;
}

RunStore::RunStore(fs::path folder, Json identity)
    : folder_(std::move(folder)), identity_(std::move(identity)) {
  const fs::path file = folder_ / kIdentity;
  std::error_code code;  // what cannot even be looked at is refused by create(), with the reason
  if (fs::exists(file, code)) {
    const Json there = train::read_json(file);
    engine::require(there == identity_, "--out ", folder_.string(), ": holds another comparison (",
                    difference(there, identity_, ""), "); choose another folder");
    return;
  }
  engine::require(!fs::exists(folder_, code) ||
                      (fs::is_directory(folder_, code) && fs::is_empty(folder_, code)),
                  "--out ", folder_.string(),
                  ": is there already and holds no comparison; choose a new or an empty folder");
}

void RunStore::create() {
  train::make_folder(folder_);
  if (!fs::exists(folder_ / kIdentity)) train::write_json(folder_ / kIdentity, identity_);
}

void refuse_comparison(const fs::path& folder) {
  std::error_code code;
  engine::require(!fs::exists(folder / kIdentity, code), "--out ", folder.string(),
                  ": holds a comparison; choose another folder");
}

fs::path RunStore::run_folder(const std::string& cell, const std::string& arm,
                              const RunKey& key) const {
  std::string leaf = "seed-" + std::to_string(key.seed);
  if (key.share != 1) leaf += "-budget-x" + Json(key.share).dump();
  return folder_ / path_part(cell) / path_part(arm) / leaf;
}

std::optional<RunRecord> RunStore::load(const fs::path& run_folder) const {
  const fs::path file = run_folder / kSummary;
  std::error_code code;  // as in the constructor
  if (!fs::exists(file, code)) return {};
  return from_json(train::read_json(file), file.string());
}

void RunStore::save(const fs::path& run_folder, const RunRecord& record) const {
  train::write_json(run_folder / kSummary, to_json(record));
}

int RunStore::look(std::int64_t seeds) {
  Json looks = load_extra(kLooks);
  if (!looks.is_array()) looks = Json::array();
  std::int64_t last = 0;
  for (const Json& l : looks) {
    engine::require(l.is_number_integer(), (folder_ / kLooks).string(),
                    ": not a list of numbers; remove the folder to start anew");
    last = std::max(last, l.get<std::int64_t>());
  }
  if (seeds > last) {
    looks.push_back(seeds);
    save_extra(kLooks, looks);
  }
  return std::max(1, static_cast<int>(looks.size()));
}

Json RunStore::load_extra(const std::string& name) const {
  const fs::path file = folder_ / name;
  return fs::exists(file) ? train::read_json(file) : Json(nullptr);
}

void RunStore::save_extra(const std::string& name, const Json& json) const {
  train::write_json(folder_ / name, json);
}

}  // namespace lab
