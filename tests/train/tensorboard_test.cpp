// TensorBoard's files: framing, sums, and what stands in them.
#include "train/log/tensorboard.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <map>

#include "tests/temp_folder.h"
#include "tests/train/small_corpus.h"
#include "train/run.h"
#include "train/sampling.h"
#include "train/watches.h"

namespace train {
namespace {

namespace fs = std::filesystem;

std::uint64_t number(std::string_view bytes) {
  std::uint64_t n = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) n = n << 8 | static_cast<unsigned char>(bytes[i]);
  return n;
}

/// CRC-32C bit by bit, written apart from the one that is tested.
std::uint32_t plain_crc(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78U : 0);
  }
  return ~crc;
}

struct Event {
  std::int64_t step = 0;
  std::string version;
  double wall_time = 0;
  std::map<std::string, float> values;
  std::map<std::string, std::string> texts;
  std::string session;
};

/// Reads protocol buffers by hand: what is on the wire is the format.
struct Wire {
  std::string_view rest;
  std::uint64_t varint() {
    std::uint64_t n = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(rest.at(0));
      rest.remove_prefix(1);
      n |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return n;
    }
  }
  std::string_view bytes(std::size_t n) {
    const std::string_view out = rest.substr(0, n);
    EXPECT_EQ(out.size(), n);
    rest.remove_prefix(n);
    return out;
  }
};

/// The one field of a message that is expected to have no other.
std::string_view only(std::string_view message, std::uint64_t field) {
  Wire wire{message};
  EXPECT_EQ(wire.varint(), field << 3 | 2);
  const std::string_view out = wire.bytes(wire.varint());
  EXPECT_TRUE(wire.rest.empty());
  return out;
}

/// Of a tensor of strings with one element.
std::string text_in(std::string_view tensor) {
  Wire wire{tensor};
  EXPECT_EQ(wire.varint(), 1U << 3 | 0U);
  EXPECT_EQ(wire.varint(), 7U) << "DT_STRING";
  EXPECT_EQ(wire.varint(), 2U << 3 | 2U);
  Wire size{only(wire.bytes(wire.varint()), 2)};
  EXPECT_EQ(size.varint(), 1U << 3 | 0U);
  EXPECT_EQ(size.varint(), 1U);
  return std::string(only(wire.rest, 8));
}

Event parse(std::string_view record) {
  Event event;
  for (Wire wire{record}; !wire.rest.empty();) {
    switch (const std::uint64_t key = wire.varint()) {
      case 1 << 3 | 1:
        event.wall_time = std::bit_cast<double>(number(wire.bytes(8)));
        break;
      case 2 << 3 | 0:
        event.step = static_cast<std::int64_t>(wire.varint());
        break;
      case 3 << 3 | 2:
        event.version = wire.bytes(wire.varint());
        break;
      case 7 << 3 | 2:
        event.session = wire.bytes(wire.varint());
        break;
      case 5 << 3 | 2:
        for (Wire summary{wire.bytes(wire.varint())}; !summary.rest.empty();) {
          EXPECT_EQ(summary.varint(), 1U << 3 | 2U);
          std::string tag;
          for (Wire item{summary.bytes(summary.varint())}; !item.rest.empty();)
            switch (const std::uint64_t field = item.varint()) {
              case 1 << 3 | 2:
                tag = item.bytes(item.varint());
                break;
              case 2 << 3 | 5:
                EXPECT_TRUE(event.values
                                .emplace(tag, std::bit_cast<float>(static_cast<std::uint32_t>(
                                                  number(item.bytes(4)))))
                                .second)
                    << tag;
                break;
              case 8 << 3 | 2:
                event.texts[tag] = text_in(item.bytes(item.varint()));
                break;
              case 9 << 3 | 2:
                EXPECT_EQ(only(only(item.bytes(item.varint()), 1), 1), "text") << "the plugin";
                break;
              default:
                ADD_FAILURE() << "field " << field;
                return event;
            }
        }
        break;
      default:
        ADD_FAILURE() << "field " << key;
        return event;
    }
  }
  return event;
}

std::uint32_t masked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xA282EAD8U; }

std::vector<Event> events_of(const std::string& file) {
  std::vector<Event> out;
  for (std::string_view rest = file; !rest.empty();) {
    if (rest.size() < 16) {
      ADD_FAILURE() << "cut off";
      return out;
    }
    const std::uint64_t size = number(rest.substr(0, 8));
    EXPECT_EQ(number(rest.substr(8, 4)), masked(plain_crc(rest.substr(0, 8))));
    EXPECT_LE(size + 16, rest.size());
    const std::string_view body = rest.substr(12, size);
    EXPECT_EQ(number(rest.substr(12 + size, 4)), masked(plain_crc(body)));
    out.push_back(parse(body));
    rest.remove_prefix(size + 16);
  }
  return out;
}

TEST(TensorBoardFile, SumsAreCastagnoliTurned) {
  EXPECT_EQ(plain_crc("123456789"), 0xE3069283U) << "the published check value";
  EXPECT_EQ(masked_crc("123456789"), masked(0xE3069283U));
  EXPECT_EQ(masked_crc(""), masked(0));
}

TEST(TensorBoardFile, HoldsWhatARunTells) {
  const tests::TempFolder folder;
  TensorBoard board(folder.path(), 2.0);
  Progress p;
  p.step = 300, p.train_loss = 2.5, p.lr = 1e-3, p.grad_norm = 0.75;
  board.progress(p);
  p.step = 1'000'000'000'000, p.val_loss = 1.5;
  board.progress(p);
  p.train_loss = NAN;
  board.progress(p);
  board.norms({7, {{"wte", 1, 2, 3}, {"h.0", 4, 5, 6}}});
  const std::vector<Event> events = events_of(folder.read(board.path().filename()));
  EXPECT_TRUE(board.path().filename().string().starts_with("events.out.tfevents."));
  ASSERT_EQ(events.size(), 5U) << "there before the file is closed";
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_GT(events[0].wall_time, 1.7e9);
  EXPECT_EQ(events[1].step, 300);
  using Values = std::map<std::string, float>;
  EXPECT_EQ(events[1].values,
            (Values{{"loss/train", 2.5F}, {"learning_rate", 1e-3F}, {"gradient_norm", 0.75F}}));
  EXPECT_EQ(events[2].step, 1'000'000'000'000);
  EXPECT_EQ(events[2].values.at("loss/val"), 1.5F);
  EXPECT_NEAR(events[2].values.at("bpb/val"), 1.5 / 2 / std::log(2), 1e-6);
  EXPECT_TRUE(std::isnan(events[3].values.at("loss/train")));
  EXPECT_EQ(events[4].step, 7);
  EXPECT_EQ(events[4].values, (Values{{"weight_norm/wte", 1},
                                      {"layer_gradient_norm/wte", 2},
                                      {"update_norm/wte", 3},
                                      {"weight_norm/h.0", 4},
                                      {"layer_gradient_norm/h.0", 5},
                                      {"update_norm/h.0", 6}}));
}

TEST(TensorBoardFile, ARunThatGoesOnBeginsASessionAtItsNextStep) {
  const tests::TempFolder folder;
  TensorBoard first(folder.path(), {}), next(folder.path(), {}, 41);
  EXPECT_EQ(events_of(folder.read(first.path().filename())).size(), 1U);
  const std::vector<Event> events = events_of(folder.read(next.path().filename()));
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_EQ(events[1].step, 41);
  EXPECT_EQ(events[1].session, "\b\1") << "SessionLog: status START";
  EXPECT_LT(first.path(), next.path()) << "read in this order, also within one second";
}

TEST(TensorBoardFile, WhatALaterPartOfARunSaysAgainIsCutOff) {
  const tests::TempFolder folder;
  fs::path path;
  {
    TensorBoard board(folder.path(), {});
    path = board.path().filename();
    for (const std::int64_t step : {10, 20, 30}) {
      Progress p;
      p.step = step;
      board.progress(p);
    }
  }
  const std::string whole = folder.read(path);
  folder.write("events.out.tfevents.1.else", whole);
  cut_events(folder.path(), 30);
  EXPECT_EQ(folder.read(path), whole);
  folder.write(path, whole + whole.substr(0, 20));  // killed as it wrote
  cut_events(folder.path(), 20);
  const std::vector<Event> events = events_of(folder.read(path));
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].version, "brain.Event:2");
  EXPECT_EQ(events[2].step, 20);
  EXPECT_EQ(folder.read("events.out.tfevents.1.else"), whole) << "somebody else's";
  for (std::size_t at = 0; at < whole.size(); ++at) {  // no byte is trusted
    std::string wrong = whole;
    wrong[at] = static_cast<char>(wrong[at] ^ 0x81);
    folder.write(path, wrong);
    cut_events(folder.path(), 30);
    EXPECT_TRUE(whole.starts_with(folder.read(path))) << at;
  }
}

TEST(TensorBoardFile, HoldsTextsAsTheyAre) {
  const tests::TempFolder folder;
  TensorBoard board(folder.path(), {});
  board.text({5, "a *b*\n  c\xC3\xA9"});
  board.text({6, ""});
  const std::vector<Event> events = events_of(folder.read(board.path().filename()));
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[1].step, 5);
  EXPECT_EQ(events[1].texts.at("sample"), "    a *b*\n      c\xC3\xA9");
  EXPECT_EQ(events[2].texts.at("sample"), "    ");
}

class Norming : public testing::Test {
 protected:
  Norming() {
    settings.n_layer = 2, settings.n_head = 2, settings.n_embd = 16, settings.block_size = 8;
    settings.batch = 4, settings.budget = "10steps", settings.dropout = 0.1;
    settings.grad_accum = 2;
  }
  struct Kept : Sink {
    std::vector<StepNorms> all;
    std::vector<DrawnText> texts;
    void progress(const Progress&) override {}
    void norms(const StepNorms& n) override { all.push_back(n); }
    void text(const DrawnText& t) override { texts.push_back(t); }
  };
  Settings settings;
  const LanguageModelling task{tests::small_corpus(300, 50)};
};

TEST_F(Norming, ChangesNoBit) {
  Trainer plain(settings, task), watched(settings, task);
  Kept kept;
  const RunResult a = run(plain), b = run(watched, {&kept}, {}, 3);
  EXPECT_EQ(a.val_loss, b.val_loss);
  const engine::Params &x = plain.params(), &y = watched.params();
  for (int i = 0; i < static_cast<int>(x.list().size()); ++i)
    EXPECT_EQ(std::vector(x.value(i), x.value(i) + x[i].shape.numel()),
              std::vector(y.value(i), y.value(i) + y[i].shape.numel()));
  ASSERT_EQ(kept.all.size(), 3U);
  EXPECT_EQ(kept.all[0].step, 3);
  EXPECT_EQ(kept.all[2].step, 9);
}

TEST_F(Norming, TextsAreOfTheModelAsItIsAndChangeNoBit) {
  settings.eval_interval = 4;
  Trainer plain(settings, task), watched(settings, task);
  Kept kept;
  TextWatch texts(watched, *task.tokenizer(), 30, kept);
  EXPECT_EQ(run(plain).val_loss, run(watched, {&texts}).val_loss);
  ASSERT_EQ(kept.texts.size(), 3U);
  EXPECT_EQ(kept.texts[0].step, 4);
  EXPECT_EQ(kept.texts[2].step, 10);
  EXPECT_NE(kept.texts[0].text, kept.texts[2].text);
  // The last one is what `isodrop sample` draws of the weights that the run ends with.
  engine::Params params;
  Decoder decoder(params, task.model(settings));
  params.allocate(1);
  params.copy_from(watched.params());
  decoder.allocate();
  std::vector<std::int32_t> ids;
  generate(decoder, opening(*task.tokenizer()), 30, default_keep(settings.block_size), {}, 0,
           [&](const Sampled& s) { ids.push_back(s.token); });
  EXPECT_EQ(kept.texts[2].text, task.tokenizer()->decode(ids));
}

TEST_F(Norming, AreThoseOfTheStep) {
  Trainer trainer(settings, task);
  NormWatch watch(1);
  const engine::Params& params = trainer.params();
  std::vector<std::vector<float>> before;
  for (int i = 0; i < static_cast<int>(params.list().size()); ++i)
    before.emplace_back(params.value(i), params.value(i) + params[i].shape.numel());
  watch.before(trainer);
  trainer.advance();
  const auto norms = watch.after(trainer);
  ASSERT_TRUE(norms);
  std::map<std::string, LayerNorms> wanted;  // of squares
  double gradient = 0;
  for (int i = 0; i < static_cast<int>(params.list().size()); ++i)
    for (std::size_t k = 0; k < before[static_cast<std::size_t>(i)].size(); ++k) {
      LayerNorms& w = wanted[layer_of(params[i].name)];
      const double now = params.value(i)[k], was = before[static_cast<std::size_t>(i)][k];
      w.weight += now * now, w.update += (now - was) * (now - was);
      w.gradient += std::pow(params.grad(i)[k], 2);
    }
  ASSERT_EQ(norms->layers.size(), wanted.size());
  for (const LayerNorms& n : norms->layers) {
    EXPECT_NEAR(n.weight, std::sqrt(wanted.at(n.name).weight), 1e-9) << n.name;
    EXPECT_NEAR(n.update, std::sqrt(wanted.at(n.name).update), 1e-9) << n.name;
    EXPECT_GT(n.update, 0) << n.name;
    gradient += n.gradient * n.gradient;
  }
  EXPECT_NEAR(std::sqrt(gradient), trainer.state().grad_norm, 1e-5) << "of all layers together";
  EXPECT_EQ(layer_of("h.10.attn.c_attn.weight"), "h.10");
  EXPECT_EQ(layer_of("wte.weight"), "wte");
}

}  // namespace
}  // namespace train
