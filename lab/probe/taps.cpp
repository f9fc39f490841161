// Names and edges of a tape.
#include "lab/probe/taps.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "models/regularizers.h"

namespace lab {
namespace {

using engine::Node;
using engine::Ref;
using engine::Tape;
using models::HookId;

const Node* find(const Tape& tape, std::string_view name) {
  const auto& nodes = tape.nodes();
  const auto at =
      std::find_if(nodes.begin(), nodes.end(), [&](const Node& n) { return n.name == name; });
  return at == nodes.end() ? nullptr : &*at;
}

const Node& node(const Tape& tape, const std::string& name) {
  const Node* found = find(tape, name);
  base::require(found != nullptr, "the tape has no node ", name,
                ": taps are those of a model that models::record_gpt() recorded");
  return *found;
}

/// x before any noise of its own nodes: those that have a rate.
Ref before_noise(const Tape& tape, Ref x) {
  for (int producer = tape.value(x).producer; producer >= 0; producer = tape.value(x).producer) {
    const Node& n = tape.nodes()[static_cast<std::size_t>(producer)];
    if (!n.randomness.rate) break;
    x = n.in[0];
  }
  return x;
}

/// The first linear layer on the tape that anything made from x goes into.
Ref next_product(const Tape& tape, Ref x) {
  std::vector<bool> reached(tape.values().size());
  reached[static_cast<std::size_t>(x.id)] = true;
  for (const Node& n : tape.nodes()) {
    if (std::none_of(n.in.begin(), n.in.end(),
                     [&](Ref in) { return reached[static_cast<std::size_t>(in.id)]; }))
      continue;
    if (n.op->name() == "matmul") return n.out;
    reached[static_cast<std::size_t>(n.out.id)] = true;
  }
  return {};
}

}  // namespace

std::vector<Tap> find_taps(const Tape& tape) {
  std::vector<Tap> taps;
  const auto handed = [&](HookId hook, int layer, Ref x) {
    taps.push_back({hook, layer, x, {}, next_product(tape, x)});
  };
  const auto branch = [&](HookId hook, int layer, const std::string& residual) {
    handed(hook, layer, before_noise(tape, node(tape, residual).in[1]));
  };
  handed(HookId::kEmb, -1, node(tape, "embedding").out);
  const auto name = [](int layer, const char* of) {
    return "h." + std::to_string(layer) + "." + of;
  };
  for (int layer = 0; find(tape, name(layer, "attn")) != nullptr; ++layer) {
    // Evaluation may scale the product of weights and values in a node of its own.
    taps.push_back({HookId::kAttnWeights,
                    layer,
                    node(tape, name(layer, "attn")).in[0],
                    {},
                    node(tape, name(layer, "attn.c_proj")).in[0]});
    branch(HookId::kAttn, layer, name(layer, "attn.residual"));
    const Ref hidden = node(tape, name(layer, "mlp.c_proj")).in[0];
    taps.push_back({HookId::kMlpHidden, layer, {}, hidden, next_product(tape, hidden)});
    branch(HookId::kMlp, layer, name(layer, "mlp.residual"));
  }
  if (const Node* head = find(tape, "head")) {
    // Its own noise alone: without a last norm a branch's stands right before it, in the residual.
    Ref x = head->in[0];
    const std::string own = models::site_name(HookId::kLast, -1) + ".";
    for (int producer = tape.value(x).producer; producer >= 0; producer = tape.value(x).producer) {
      const Node& n = tape.nodes()[static_cast<std::size_t>(producer)];
      if (!std::string_view(n.name).starts_with(own)) break;
      x = n.in[0];
    }
    handed(HookId::kLast, -1, x);
  }
  return taps;
}

}  // namespace lab
