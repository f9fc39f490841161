// The schemas themselves: only what the validator knows, and the tables as the program has them.
#include "tests/schema/schemas.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "lab/runs/metrics.h"
#include "tests/golden_text.h"
#include "train/config/settings.h"

namespace {

using base::Json;
using tests::Schemas;

/// A line a member: what changes is a line.
Json a_line_each(const Json& members) {
  Json out = Json::object();
  for (const auto& [name, schema] : members.items()) out[name] = base::ready(schema.dump());
  return out;
}

Json object_of(const Json& members, bool required, bool closed) {
  Json out = {{"type", "object"}, {"properties", a_line_each(members)}};
  if (required) {
    Json names = Json::array();
    for (const auto& [name, schema] : members.items()) names.push_back(name);
    out["required"] = base::ready(names.dump());
  }
  if (closed) out["additionalProperties"] = false;
  return out;
}

Json schema_of(const train::Row& row) {
  using train::Overload;
  Json schema = std::visit(
      Overload{[](const train::Integers& d) {
                 Json out = {{"type", "integer"}, {"minimum", d.low}};
                 if (d.high < std::numeric_limits<std::int64_t>::max()) out["maximum"] = d.high;
                 return out;
               },
               [](const train::Seeds&) {
                 return Json{{"$ref", "common.json#/$defs/seed"}};
               },
               [](const train::Reals& d) {
                 return Json{{"type", "number"}, {"minimum", d.low}, {"maximum", d.high}};
               },
               [](const train::Rate&) {
                 return Json{{"type", "number"}, {"minimum", 0}, {"maximum", 1}};
               },
               [](const train::Switch&) {
                 return Json{{"type", "boolean"}};
               },
               [](const train::Choices& d) {
                 return Json{{"enum", d.list()}};
               },
               [](const train::Text&) {
                 return Json{{"type", "string"}};
               }},
      row.domain);
  if (std::holds_alternative<std::optional<double> train::Settings::*>(row.member))
    schema["type"] = {"number", "null"};
  return schema;
}

std::string tables() {
  Json settings = Json::object(), texts = Json::object(), values = Json::object(),
       spreads = Json::object();
  for (const train::Row& row : train::settings_table()) {
    settings[std::string(row.name)] = schema_of(row);
    texts[std::string(row.name)] = {{"type", "string"}};
  }
  for (const lab::Metric& m : lab::metrics()) {
    values[std::string(m.name)] = {{"type", {"number", "null"}}};
    spreads[std::string(m.name)] = {{"$ref", "common.json#/$defs/spread"}};
  }
  return base::json_text({{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                          {"$id", "tables.json"},
                          {"title", "What the tables of settings and metrics have; generated"},
                          {"$defs",
                           {{"config", object_of(settings, true, true)},
                            {"some", object_of(settings, false, true)},
                            {"texts", object_of(texts, false, true)},
                            {"metrics", object_of(values, true, false)},
                            {"some_metrics", object_of(values, false, false)},
                            {"spreads", object_of(spreads, true, false)}}}});
}

TEST(Schema, TheTablesAreAsTheProgramHasThem) {
  tests::expect_golden(tests::schema_folder() / "tables.json", tables());
}

TEST(Schema, UseOnlyWhatTheValidatorKnows) {
  const Schemas schemas;
  EXPECT_GT(schemas.files().size(), 20U);
  for (const std::string& error : schemas.own_errors()) ADD_FAILURE() << error;
}

// What every keyword is there for: one value that fits and one that does not.
TEST(Schema, TheValidatorSeesWhatIsWrong) {
  const Schemas schemas;
  const auto wrong = [&](const std::string& schema, const char* json) {
    return !schemas.errors(schema, Json::parse(json)).empty();
  };
  const std::string spent = "folder.json#/$defs/spent/properties/what",
                    common = "common.json#/$defs/";
  EXPECT_FALSE(wrong(spent, R"({"seconds": 1.5, "budgets": 2})"));
  EXPECT_TRUE(wrong(spent, R"({"seconds": 1.5})")) << "required";
  EXPECT_TRUE(wrong(spent, R"({"seconds": 1.5, "budgets": 2, "more": 1})")) << "additional";
  EXPECT_TRUE(wrong(spent, R"({"seconds": -1, "budgets": 2})")) << "minimum";
  EXPECT_TRUE(wrong(spent, R"({"seconds": null, "budgets": 2})")) << "type";
  EXPECT_TRUE(wrong(spent, "[]"));
  EXPECT_TRUE(wrong(common + "share", "1.5")) << "maximum";
  EXPECT_TRUE(wrong(common + "status", R"("fine")")) << "enum";
  EXPECT_TRUE(wrong(common + "hash", R"("0123")")) << "pattern";
  EXPECT_FALSE(wrong(common + "seed", R"("9007199254740993")"));
  EXPECT_TRUE(wrong(common + "seed", R"("1")")) << "anyOf";
  EXPECT_TRUE(wrong("event.json", R"({"event": "waiting", "steps": 1})")) << "oneOf";
  EXPECT_TRUE(wrong("event.json", R"({"event": "other"})")) << "const";
  EXPECT_FALSE(wrong("event.json", R"({"event": "waiting"})"));
  EXPECT_TRUE(wrong("list.json", "[]")) << "minItems";
  EXPECT_TRUE(wrong("list.json", R"([{"name": "x", "help": "y", "z": 1}])")) << "additional's own";
  EXPECT_TRUE(wrong("no-such.json", "1"));
  // What comes of a run that is given in bytes.
  EXPECT_TRUE(
      wrong("report.json#/$defs/arm/properties/runs", R"({"bytes": [1], "subtype": null})"));
  // By a reference beside other keys, and by a pattern.
  const std::string metrics = base::json_compact([] {
    Json json = {{"id", std::string(32, 'a')}, {"seed", 1}, {"status", "ok"}};
    for (const lab::Metric& m : lab::metrics()) json[std::string(m.name)] = nullptr;
    json["build"] = {{"isodrop", ""},  {"commit", ""}, {"source", ""},
                     {"compiler", ""}, {"isa", ""},    {"onednn", ""}};
    json["machine"] = {{"cpu", ""}, {"threads", 1}};
    json["probe.emb.mean_shift"] = 1;
    return json;
  }());
  EXPECT_EQ(schemas.errors("record.json", Json::parse(metrics)), std::vector<std::string>{});
  EXPECT_TRUE(
      wrong("record.json", (metrics.substr(0, metrics.size() - 1) + R"(,"new": 1})").c_str()))
      << "unevaluated";
}

// Real studies, those that are published.
TEST(Schema, PublishedStudiesAreAsTheirSchemaSays) {
  const Schemas schemas;
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::filesystem::path(ISODROP_SOURCE_DIR) / "docs/claims")) {
    if (entry.path().extension() != ".json") continue;
    ++count;
    std::ifstream in(entry.path());
    const auto errors = schemas.errors("published.json", Json::parse(in));
    EXPECT_TRUE(errors.empty()) << entry.path() << ": " << errors.front();
  }
  EXPECT_GT(count, 10);
}

}  // namespace
