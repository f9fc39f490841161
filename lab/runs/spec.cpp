#include "lab/runs/spec.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/hash.h"
#include "base/text.h"
#include "data/tokenizer/tokenizer.h"
#include "train/storage/initial_weights.h"

namespace lab {
namespace {

constexpr int kSpecSchema = 2;

bool is_hash(const Json& j) {
  if (!j.is_string()) return false;
  const auto& text = j.get_ref<const std::string&>();
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// Whether the setting says what the tokenizer is. Of others the data's hash does: they may come
/// from another file, or have been trained before.
bool names_itself(const std::string& tokenizer) {
  const data::TokenizerKind& kind = *data::parse_tokenizer(tokenizer).kind;
  return kind.file.empty() && !kind.numbers;
}

}  // namespace

bool decides_results(const train::Row& row) {
  // Data and initial weights are in the id by their hash, however they were come by.
  constexpr std::array<std::string_view, 9> kNot = {
      "preset", "text", "val", "test", "csv", "bin_type", "init_from", "threads", "recompute"};
  return std::find(kNot.begin(), kNot.end(), row.name) == kNot.end();
}

Json identity(const RunSpec& spec) {
  static const train::Settings defaults;
  Json settings = Json::object();
  for (const train::Row& row : train::settings_table())
    if (!equal_in(row, spec.settings, defaults) && decides_results(row) &&
        (row.name != "tokenizer" || names_itself(spec.settings.tokenizer)))
      settings[std::string(row.name)] = json_value(spec.settings, row);
  Json json = {{"numerics", spec.numerics}, {"data", spec.data}, {"settings", settings}};
  if (!spec.init.empty()) json["init"] = spec.init;
  if (!spec.owner.empty()) json["owner"] = spec.owner;
  return json;
}

std::string fingerprint(const Json& json) {
  // nlohmann's plain object sorts its keys.
  return base::Hash().add(nlohmann::json(json).dump()).hex();
}

Json sealed(Json object) {
  object["hash"] = fingerprint(object);
  return object;
}

bool is_sealed(const Json& json) {
  if (!json.is_object() || !json.contains("hash")) return false;
  Json rest = json;
  rest.erase("hash");
  return json["hash"] == fingerprint(rest);
}

std::string init_hash(const std::string& init_from) {
  return init_from.empty() ? "" : train::read_initial_weights(init_from).hash;
}

RunSpec run_spec(const train::Settings& settings, std::string data) {
  return {settings, std::move(data), init_hash(settings.init_from)};
}

std::string run_id(const RunSpec& spec) { return fingerprint(identity(spec)); }

Json to_json(const RunSpec& spec) {
  const Json settings = train::to_json(train::with_absolute_paths(spec.settings));
  Json json = {{"schema", kSpecSchema}, {"id", run_id(spec)},  {"numerics", spec.numerics},
               {"data", spec.data},     {"owner", spec.owner}, {"settings", settings}};
  if (!spec.init.empty()) json["init"] = spec.init;
  return json;
}

RunSpec spec_from_json(const Json& json, const std::string& source) {
  const auto need = [&](bool ok, const auto&... why) {
    if (!ok)
      throw base::Error(
          base::concat(source, ": ", why..., "; 'isodrop compare … --plan DIR' writes specs"));
  };
  need(json.is_object() && json.contains("settings") && json.contains("schema"),
       "not a run's spec (no 'schema' or no 'settings')");
  if (json["schema"] != kSpecSchema)
    need(false, "a spec of schema ", base::quote(base::json_compact(json["schema"])),
         ", and this isodrop reads ", kSpecSchema);
  if (!json.contains("numerics") || json["numerics"] != kNumerics)
    need(false, "made for numerics ",
         base::quote(base::json_compact(json.value("numerics", Json(nullptr)))),
         ", and this isodrop computes ", kNumerics);
  need(json.contains("data") && is_hash(json["data"]), "'data' is not a hash of 32 hex digits");
  need(json.contains("owner") && json["owner"].is_string(), "'owner' is not a string");
  RunSpec spec{train::from_json(json["settings"], source),
               json["data"].get<std::string>(),
               {},
               json["owner"].get<std::string>()};
  if (json.contains("init")) {
    need(is_hash(json["init"]), "'init' is not a hash of 32 hex digits");
    spec.init = json["init"].get<std::string>();
  }
  need(spec.init.empty() == spec.settings.init_from.empty(),
       "'init' and the setting init_from: one without the other");
  const std::string id = run_id(spec);
  need(json.contains("id") && json["id"] == id, "its id is not that of its contents, ", id,
       ": it was edited by hand");
  return spec;
}

}  // namespace lab
