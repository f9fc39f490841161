// A run as a value: all that its result depends on, and the id that follows from it.
#pragma once
#include <filesystem>
#include <string>

#include "base/json.h"
#include "train/config/settings.h"

namespace lab {

using base::Json;

/// Raise it with any change, even of one bit, to what the same settings and data compute: earlier
/// runs then have other ids and are not taken for today's.
inline constexpr int kNumerics = 3;

struct RunSpec {
  train::Settings settings;  // validated
  std::string data;          // hash of the data, 32 hex digits
  // Hash of the weights that it begins with (train/storage/initial_weights.h); empty: drawn.
  std::string init = {};
  // Owner of a run that must not be shared: one with a budget in seconds depends on the moment.
  // Empty: shared by all.
  std::string owner = {};
  int numerics = kNumerics;  // another one's runs are read where they were published, never made
};

/// What the result depends on and nothing else: settings that are not their default, the data's
/// hash, that of given initial weights, the numerics, the owner. Not in it: threads, recompute, the
/// preset's name, where the data and the weights lie, and a tokenizer that is a file or made of the
/// text, which the data's hash covers. A setting at its default is left out, so that one that is
/// added later, with the default that changes nothing, changes no id.
Json identity(const RunSpec& spec);

/// 32 hex digits of a JSON value (XXH3, 128 bits, of its shortest text with sorted keys and the
/// length before it).
std::string fingerprint(const Json& json);

/// With {hash}, the fingerprint of the rest: for files whose numbers decide something.
Json sealed(Json object);
/// Whether it is an object as sealed() made it.
bool is_sealed(const Json& json);

/// The fingerprint of its identity.
std::string run_id(const RunSpec& spec);

/// Whether a setting may change what a run computes.
bool decides_results(const train::Row& row);

/// The hash of the weights that the setting init_from names; empty if it names none. Reads all
/// of them. Throws base::Error if it cannot.
std::string init_hash(const std::string& init_from);
/// Of settings and data, with the hash of the weights that the settings name. Throws base::Error
/// if they cannot be read.
RunSpec run_spec(const train::Settings& settings, std::string data);

/// {schema, id, numerics, data, owner, settings}, and init where weights are given: settings in
/// full, so that a reader needs no table. Paths are absolute: a spec may be read from any folder.
Json to_json(const RunSpec& spec);
/// Trusts nothing: throws base::Error naming `source` if it is no spec, or not one for this
/// program.
RunSpec spec_from_json(const Json& json, const std::string& source);

}  // namespace lab
