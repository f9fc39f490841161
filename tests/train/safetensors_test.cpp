// Weights go to a file and come back, and a file is trusted in nothing.
#include "train/storage/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/expect_error.h"
#include "tests/temp_folder.h"

namespace train {
namespace {

namespace fs = std::filesystem;
using tests::TempFolder;

void declare(engine::Params& params) {
  params.declare("a.weight", {3, 2}, {engine::Init::Kind::kNormal, 0.5});
  params.declare("b", {5}, {engine::Init::Kind::kConstant, 2});
}

fs::path written(const TempFolder& folder, const std::string& header, const std::string& data,
                 std::int64_t claimed = -1) {
  const auto length =
      claimed < 0 ? static_cast<std::uint64_t>(header.size()) : static_cast<std::uint64_t>(claimed);
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return folder.write("file.safetensors", bytes + header + data);
}

TEST(Safetensors, WhatIsWrittenIsReadBack) {
  const TempFolder folder;
  const fs::path path = folder.path() / "model.safetensors";
  engine::Params params, other;
  declare(params);
  declare(other);
  params.allocate(1);
  other.allocate(2);
  write_safetensors(path, params, {{"note", "mine"}});
  const TensorFile file = read_safetensors(path);
  EXPECT_EQ(file.metadata.at("format"), "isodrop");
  EXPECT_EQ(file.metadata.at("note"), "mine");
  ASSERT_EQ(file.tensors.size(), 2U);
  EXPECT_EQ(file.at("a.weight").shape, (std::vector<std::int64_t>{3, 2}));
  EXPECT_EQ(file.at("b").f32(), std::vector<float>(5, 2.0F));
  EXPECT_NE(std::memcmp(other.value(0), params.value(0), 24), 0);
  load_parameters(other, file);
  EXPECT_EQ(std::memcmp(other.value(0), params.value(0), 24), 0);
  for (const auto& entry : fs::directory_iterator(folder.path()))
    EXPECT_EQ(entry.path(), path) << "a temporary file stayed";
}

TEST(Safetensors, FollowsTheFormat) {
  const TempFolder folder;
  const fs::path path = folder.path() / "model.safetensors";
  engine::Params params;
  declare(params);
  params.allocate(1);
  write_safetensors(path, params, {});
  std::ifstream in(path, std::ios::binary);
  std::uint64_t length = 0;
  in.read(reinterpret_cast<char*>(&length), 8);
  std::string header(length, '\0');
  in.read(header.data(), static_cast<std::streamsize>(length));
  const auto json = nlohmann::json::parse(header);
  EXPECT_EQ(length % 8, 0U);
  EXPECT_EQ(fs::file_size(path), 8 + length + 4 * (6 + 5));
  EXPECT_EQ(json["a.weight"]["dtype"], "F32");
  EXPECT_EQ(json["a.weight"]["data_offsets"], (nlohmann::json{0, 24}));
  EXPECT_EQ(json["b"]["data_offsets"], (nlohmann::json{24, 44}));
  float first = 0;
  in.read(reinterpret_cast<char*>(&first), 4);
  EXPECT_EQ(first, *params.value(0));
}

TEST(Safetensors, RefusesWhatIsNoSafetensorsFile) {
  const TempFolder folder;
  EXPECT_ERROR(read_safetensors(folder.path() / "no.file"), "no such file");
  EXPECT_ERROR(read_safetensors(folder.path()), "not a file");
  EXPECT_ERROR(read_safetensors(folder.write("short", "abc")), "shorter than 8 bytes");
  const std::string data(16, '\0');
  const auto refuse = [&](const std::string& header, const char* why, std::int64_t claimed = -1) {
    EXPECT_ERROR(read_safetensors(written(folder, header, data, claimed)), why);
  };
  const auto entry = [](const char* dtype, const char* shape, const char* range) {
    return base::concat(R"({"t":{"dtype":")", dtype, R"(","shape":)", shape, R"(,"data_offsets":)",
                        range, "}}");
  };
  EXPECT_EQ(read_safetensors(written(folder, entry("F32", "[2,2]", "[0,16]"), data)).at("t").f32(),
            std::vector<float>(4));
  refuse("{}", "does not fit", 1000);
  refuse("{}", "does not fit", std::int64_t{1} << 62);
  refuse("{", "header");
  refuse("[]", "not an object");
  refuse(R"({"t":{}})", "header");
  refuse(R"({"t":7})", "header");
  refuse(R"({"__metadata__":{"a":1}})", "header");
  refuse(entry("F8_E4M3", "[2,2]", "[0,4]"), "dtype 'F8_E4M3'");
  refuse(entry("F32", "[2,3]", "[0,16]"), "do not match its shape");
  refuse(entry("F32", "[4294967296,4294967296]", "[0,0]"), "larger than the file");
  refuse(entry("F32", "[-2]", "[0,8]"), "bad shape");
  refuse(entry("F32", "[2]", "[0,16]"), "do not match its shape");
  refuse(entry("F32", "[4]", "[8,24]"), "do not match its shape");
  refuse(entry("F32", "[2]", "[8,0]"), "do not match its shape");
  refuse(entry("F32", "[2]", "[0]"), "bad data_offsets");
  refuse(entry("F32", "[4]", R"({"0":0,"1":16})"), "bad data_offsets");
  refuse(entry("F32", R"({"0":4})", "[0,16]"), "bad shape");
  refuse(entry("F32", "[0,18446744073709551615]", "[0,0]"), "larger than the file");
  const auto two = [&](const char* first, const char* second, const char* shape) {
    const auto one = [&](const char* name, const char* range) {
      return base::concat('"', name, R"(":{"dtype":"F32","shape":)", shape, R"(,"data_offsets":)",
                          range, "}");
    };
    return base::concat('{', one("a", first), ',', one("b", second), '}');
  };
  EXPECT_EQ(read_safetensors(written(folder, two("[8,16]", "[0,8]", "[2]"), data)).tensors.size(),
            2U);
  refuse(two("[0,8]", "[0,8]", "[2]"), "byte 0 of its data belongs to two tensors");
  refuse(two("[0,8]", "[4,12]", "[2]"), "byte 4 of its data belongs to two tensors");
  refuse(two("[0,4]", "[8,12]", "[1]"), "byte 4 of its data belongs to none");
  refuse(two("[4,8]", "[8,16]", "[1]"), "do not match its shape");
  refuse(two("[0,4]", "[4,8]", "[1]"), "byte 8 of its data belongs to no tensor");
  refuse("{}", "byte 0 of its data belongs to no tensor");
  const std::string once = entry("F32", "[4]", "[0,16]").substr(1);
  refuse("{" + once.substr(0, once.size() - 1) + "," + once, "the key 't' is repeated");
  refuse(R"({"__metadata__":{"xxh3_128":"0"},)" + once, "do not match the checksum");
  refuse(R"({"__metadata__":{"format":"isodrop"},)" + once, "no checksum");
  refuse(R"({"__metadata__":[]})", "__metadata__ is not an object");
  const std::string none = R"({"__metadata__":null,)" + once;
  EXPECT_EQ(read_safetensors(written(folder, none, data)).tensors.size(), 1U);
}

TEST(Safetensors, NamesTheTensorThatIsMissingOrDiffers) {
  const TempFolder folder;
  engine::Params params, wider, more;
  declare(params);
  params.allocate(1);
  const fs::path path = folder.path() / "model.safetensors";
  write_safetensors(path, params, {});
  const TensorFile file = read_safetensors(path);
  wider.declare("a.weight", {3, 3}, {});
  wider.allocate(1);
  EXPECT_ERROR(load_parameters(wider, file), "'a.weight' is not F32 of shape (3,3)");
  more.declare("c", {5}, {});
  more.allocate(1);
  EXPECT_ERROR(load_parameters(more, file), "has no tensor 'c'");
  EXPECT_ERROR(file.at("a.weight").i32(), "I32 expected");
}

TEST(Safetensors, AWriteThatFailsLeavesTheOldFile) {
  const TempFolder folder;
  const fs::path path = folder.write("old", "precious");
  engine::Params params;
  declare(params);
  params.allocate(1);
  EXPECT_ERROR(write_safetensors(path / "under-a-file", params, {}), "cannot write");
  EXPECT_ERROR(write_safetensors(folder.path() / "no" / "folder", params, {}), "cannot write");
  EXPECT_EQ(folder.read("old"), "precious");
}

}  // namespace
}  // namespace train
