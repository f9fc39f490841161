// Where regularizers act in a recorded model, read off the tape alone: by the names of its nodes,
// their ops and what flows into what.
#pragma once
#include <vector>

#include "engine/tape.h"
#include "models/regularizer_table.h"

namespace lab {

/// One hook of one layer.
struct Tap {
  models::HookId hook = models::HookId::kEmb;
  int layer = -1;  // -1: in none
  // What the hook is handed, before anything acts on it; at attn_weights the packed q, k, v
  // (B,T,3C) that the weights come from. None where an op makes at once what the hook returns.
  engine::Ref handed;
  engine::Ref returned;  // what it returns, where it is handed nothing
  // The next product that what it returns goes into, before any activation: of the linear layer
  // that reads it, at attn_weights of the weights and the values. None behind the last hook where
  // the head is one with the loss.
  engine::Ref behind;
};

/// Every hook of a tape of models::record_gpt(), in the order of the tape. Throws base::Error
/// naming the node where one of its names is missing.
std::vector<Tap> find_taps(const engine::Tape& tape);

}  // namespace lab
