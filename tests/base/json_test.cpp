#include "base/json.h"

#include <gtest/gtest.h>

namespace train {
namespace {

TEST(Json, TextIsThatOfDump) {
  const base::Json json = {{"a \"b\"\n", {1, 2.5, nullptr, "x\u00e9"}},
                           {"none", base::Json::object()},
                           {"nothing", base::Json::array()},
                           {"deep", {{{"x", {{"y", 1}}}}, {2}}},
                           {"last", true}};
  EXPECT_EQ(base::json_text(json), json.dump(2) + "\n");
  EXPECT_EQ(base::json_text(3), "3\n");
}

TEST(Json, WhatIsReadyIsWrittenAsItIs) {
  const base::Json json = {
      {"before", 1}, {"large", base::ready("[\n{\"x\":[1,2]}]")}, {"list", {base::ready("7")}}};
  EXPECT_EQ(base::json_text(json),
            "{\n  \"before\": 1,\n  \"large\": [\n{\"x\":[1,2]}],\n  \"list\": [\n    7\n  ]\n}\n");
  EXPECT_EQ(base::Json::parse(base::json_text(json))["large"][0]["x"][1], 2);
  EXPECT_THROW(base::json_compact(json), std::logic_error)
      << "never a list of bytes, never a torn line";
  EXPECT_EQ(base::json_compact({{"a", {1, 2}}, {"b", "x"}}), R"({"a":[1,2],"b":"x"})");
}

}  // namespace
}  // namespace train
