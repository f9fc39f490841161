// The GPT computes what PyTorch computes: logits, every gradient, ten AdamW steps.
// ISODROP_GOLDEN=FILE holds it against a file of your own.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "tests/expect_error.h"
#include "tests/models/golden_check.h"

namespace tests {
namespace {

namespace fs = std::filesystem;

fs::path committed(const char* name) {
  return fs::path(ISODROP_SOURCE_DIR) / "tests" / "golden" / name;
}

void expect_golden(const fs::path& path) {
  try {
    for (const std::string& line : golden_mismatches(train::read_safetensors(path)))
      ADD_FAILURE() << path.string() << ": " << line;
  } catch (const std::exception& e) {
    ADD_FAILURE() << e.what();
  }
}

TEST(golden, WithoutBiases) { expect_golden(committed("gpt_nobias.safetensors")); }
TEST(golden, WithBiases) { expect_golden(committed("gpt_bias.safetensors")); }

// Between them every norm, placement and activation that PyTorch's side has.
TEST(golden, SwigluRmsnormSandwichQkNorm) {
  expect_golden(committed("gpt_swiglu_rmsnorm_sandwich_qk_norm.safetensors"));
}
TEST(golden, ReluPost) { expect_golden(committed("gpt_relu_post.safetensors")); }
TEST(golden, Deepnorm) { expect_golden(committed("gpt_deepnorm.safetensors")); }
TEST(golden, SeluWithoutNorms) { expect_golden(committed("gpt_selu_none.safetensors")); }

TEST(golden, FromEnvironment) {
  const char* given = std::getenv("ISODROP_GOLDEN");
  if (given == nullptr) GTEST_SKIP() << "set ISODROP_GOLDEN=FILE to check a golden file";
  fs::path path = given;
  // ctest runs this in its own folder; a relative path is meant from the caller's.
  if (const char* from = std::getenv("PWD"); from != nullptr && !fs::exists(path))
    path = fs::path(from) / path;
  expect_golden(path);
}

// The check itself fails when it should: one number in any tensor that it compares is off.
TEST(golden, NoticesOneWrongNumber) {
  const train::TensorFile file = train::read_safetensors(committed("gpt_bias.safetensors"));
  for (const char* name :
       {"logits", "grad/wte.weight", "grad/wpe.weight", "grad/h.2.attn.c_attn.bias",
        "grad/h.0.ln_1.weight", "losses", "grad_norms", "param/h.1.mlp.c_fc.weight"}) {
    train::TensorFile changed = file;
    std::vector<std::byte>& bytes = changed.tensors.at(name).bytes;
    float last = 0;
    std::memcpy(&last, bytes.data() + bytes.size() - sizeof last, sizeof last);
    last += 0.01F;
    std::memcpy(bytes.data() + bytes.size() - sizeof last, &last, sizeof last);
    EXPECT_FALSE(golden_mismatches(changed).empty()) << name;
  }
}

TEST(golden, RefusesAConfigurationTheModelDoesNotHave) {
  const train::TensorFile file = train::read_safetensors(committed("gpt_nobias.safetensors"));
  const auto with = [&](const std::string& from, const std::string& to) {
    train::TensorFile changed = file;
    std::string& config = changed.metadata.at("config");
    const auto at = config.find(from);
    EXPECT_NE(at, std::string::npos) << from << " in " << config;
    config.replace(at, from.size(), to);
    return changed;
  };
  EXPECT_ERROR(golden_mismatches(with("\"gelu\"", "\"mish\"")), "unknown activation 'mish'");
  EXPECT_ERROR(golden_mismatches(with("\"norm_place\": \"pre\"", "\"norm_place\": \"mid\"")),
               "unknown norm placement 'mid'");
  EXPECT_ERROR(golden_mismatches(with("\"norm_eps\": 1e-05", "\"norm_eps\": 1e-06")),
               "norm_eps=1e-06");
  EXPECT_ERROR(golden_mismatches(with("\"seed\": 1", "\"rotary\": 1")), "unknown 'rotary'");
  train::TensorFile plain = file;
  plain.metadata.clear();
  EXPECT_ERROR(golden_mismatches(plain), "not a golden file");
}

}  // namespace
}  // namespace tests
