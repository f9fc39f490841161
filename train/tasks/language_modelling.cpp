#include "train/tasks/language_modelling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "data/synthetic/bayes.h"
#include "data/text/batches.h"
#include "data/text/corpus.h"
#include "train/config/architecture.h"
#include "train/tasks/load_corpus.h"

namespace train {
namespace {

constexpr std::size_t kTrainSubset = 32768;  // tokens of the fixed subset for the train loss

std::int32_t* ids(void* input) { return static_cast<std::int32_t*>(input); }

data::Batches batches(const data::Corpus& corpus, const Settings& s) {
  return {corpus.train, s.block_size, s.batch, s.seed,
          s.unique_tokens > 0 ? std::optional(s.unique_tokens) : std::nullopt};
}

class TokenFeed final : public Feed {
 public:
  TokenFeed(data::Batches batches, double tokens_per_epoch, const Settings& s, std::int64_t vocab)
      : batches_(std::move(batches)),
        tokens_per_epoch_(tokens_per_epoch),
        time_(s.block_size),
        vocab_(static_cast<std::uint64_t>(vocab)),
        noise_(s.target_noise),
        key_(engine::stream_key(s.seed, engine::Stream::kData)) {}
  void fill(std::uint64_t step, std::int64_t first_row, std::int64_t rows,
            std::span<void* const> inputs) override {
    batches_.fill(step, first_row, rows, ids(inputs[0]), ids(inputs[1]));
    if (noise_ == 0) return;
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t start = batches_.start(step, first_row + row) + 1;
      for (std::int64_t t = 0; t < time_; ++t) replace(start + t, ids(inputs[1])[row * time_ + t]);
    }
  }
  double tokens_per_epoch() const override { return tokens_per_epoch_; }

 private:
  /// Draws the noisy target of a place of the data, which depends on the place only.
  void replace(std::int64_t place, std::int32_t& target) const {
    static constexpr std::uint32_t kSite = engine::site_id("target_noise");
    engine::Sequence random(key_, kSite, static_cast<std::uint64_t>(place));
    if (random.uniform() < noise_) target = static_cast<std::int32_t>(random.below(vocab_));
  }

  data::Batches batches_;
  double tokens_per_epoch_;
  std::int64_t time_;
  std::uint64_t vocab_;
  double noise_;
  engine::Key key_;
};

class TokenExam final : public Exam {
 public:
  TokenExam(const data::Corpus& corpus, data::TokenSpan all, std::size_t most, std::int64_t time)
      : corpus_(&corpus), ids_(all.first(std::min(all.size(), most))), time_(time) {}
  /// Of its own.
  TokenExam(std::vector<std::int32_t> ids, std::int64_t time)
      : own_(std::move(ids)), ids_(own_), time_(time) {}
  std::int64_t rows() const override { return data::eval_windows(ids_, time_); }
  void fill(std::int64_t first, std::int64_t rows, std::span<void* const> inputs) const override {
    data::fill_eval(ids_, time_, first, rows, ids(inputs[0]), ids(inputs[1]));
  }
  std::int64_t tokens(std::int64_t row) const override {
    return std::clamp<std::int64_t>(tokens() - row * time_, 0, time_);
  }
  std::int64_t tokens() const override { return static_cast<std::int64_t>(ids_.size()) - 1; }
  /// With nothing before the window as context, like the model (bayes.h).
  std::vector<double> truth(std::int64_t row) const override {
    if (corpus_ == nullptr || !corpus_->language) return {};
    if (!filter_) filter_ = std::make_unique<data::BayesFilter>(*corpus_->language);
    const auto symbol = [&](std::int32_t id) {
      return corpus_->pieces()[static_cast<std::size_t>(id)].front();
    };
    const auto V = static_cast<std::size_t>(corpus_->vocab);
    std::vector<double> out(static_cast<std::size_t>(time_) * V);
    const data::TokenSpan window = ids_.subspan(static_cast<std::size_t>(row * time_),
                                                static_cast<std::size_t>(tokens(row)) + 1);
    filter_->start_anywhere();
    filter_->observe(symbol(window[0]));
    for (std::int64_t t = 0; t < tokens(row); ++t) {
      for (std::size_t v = 0; v < V; ++v)
        out[static_cast<std::size_t>(t) * V + v] =
            filter_->probability(symbol(static_cast<std::int32_t>(v)));
      filter_->observe(symbol(window[static_cast<std::size_t>(t) + 1]));
    }
    return out;
  }

 private:
  const data::Corpus* corpus_ = nullptr;  // of held-out text
  mutable std::unique_ptr<data::BayesFilter> filter_;
  std::vector<std::int32_t> own_;
  data::TokenSpan ids_;
  std::int64_t time_;
};

}  // namespace

nlohmann::ordered_json piece_json(const std::string& piece) {
  std::size_t at = 0;
  while (at < piece.size() && base::next_code_point(piece, at) != base::kInvalidUtf8) continue;
  if (at == piece.size()) return piece;
  nlohmann::ordered_json bytes = nlohmann::ordered_json::array();
  for (const char byte : piece) bytes.push_back(static_cast<unsigned char>(byte));
  return bytes;
}

DataSummary LanguageModelling::describe(const Settings& settings) const {
  const data::Corpus& c = corpus_;
  const auto evaluated = [&](Split split) -> std::uint64_t {
    const auto examined = exam(settings, split);
    return examined ? static_cast<std::uint64_t>(examined->tokens()) : 0;
  };
  const std::uint64_t val = evaluated(Split::kVal), test = evaluated(Split::kTest);
  const auto on = [](std::uint64_t tokens, const data::HeldOut& split) {
    std::string text = base::grouped(tokens, "token");
    if (tokens + 1 < split.ids.size())
      text += fmt::format(" of {} (a subset)", base::grouped(split.ids.size()));
    return text;
  };
  std::string text =
      fmt::format("Corpus {}: {} symbols, validation on {}", c.name, c.vocab, on(val, c.val));
  text += test > 0 ? fmt::format(", test on {}", on(test, c.test)) : ", no test split";
  if (c.own_texts) text += "; each seed gets its own text";
  if (c.bayes_loss && c.bayes_loss_window)
    text +=
        fmt::format("; best possible loss {:.4f}, with T tokens of context {:.4f}{}", *c.bayes_loss,
                    *c.bayes_loss_window, c.own_texts ? " (of the first seed)" : "");
  for (const std::string& note : notes()) text += "; " + note;
  const auto& [val_in_train, test_in_train] = in_training();
  return {text,
          {{"name", c.name},
           {"tokenizer", c.tokenizer},
           {"vocab", c.vocab},
           {"train_tokens", c.train.size()},
           {"val_tokens", c.val.ids.size()},
           {"val_tokens_evaluated", val},
           {"val_bytes_per_token", base::or_null(c.val.bytes_per_token)},
           {"val_in_train", base::or_null(val_in_train)},
           {"test_tokens", c.test.ids.size()},
           {"test_tokens_evaluated", test},
           {"test_in_train", base::or_null(test_in_train)},
           {"own_texts", c.own_texts},
           {"hash", c.hash},
           {"bayes_loss", base::or_null(c.bayes_loss)},
           {"bayes_loss_window", base::or_null(c.bayes_loss_window)}}};
}

nlohmann::ordered_json LanguageModelling::encoding() const {
  const auto kept = files();
  if (!kept.empty())
    return {{"tokenizer", corpus_.tokenizer},
            {"vocab", corpus_.vocab},
            {"file", kept.front().name},
            {"hash", base::Hash().add(kept.front().bytes).hex()}};
  if (corpus_.codec && corpus_.pieces().empty())
    return {{"tokenizer", corpus_.tokenizer}, {"vocab", corpus_.vocab}};
  nlohmann::ordered_json pieces = nlohmann::ordered_json::array();
  for (const std::string& piece : corpus_.pieces()) pieces.push_back(piece_json(piece));
  return {{"tokenizer", corpus_.tokenizer}, {"pieces", std::move(pieces)}};
}

std::vector<KeptFile> LanguageModelling::files() const {
  if (!corpus_.codec || corpus_.codec->definition().empty()) return {};
  return {
      {std::string(base::row_named(data::tokenizer_kinds(), corpus_.tokenizer, "tokenizer").file),
       corpus_.codec->definition()}};
}

std::size_t LanguageModelling::bytes() const {
  // Parts of one text, or none of it: what is mapped takes what is free.
  return corpus_.train.bytes() + corpus_.val.ids.bytes() + corpus_.test.ids.bytes();
}

models::GptConfig LanguageModelling::model(const Settings& settings) const {
  return gpt_config(settings, corpus_.vocab);
}

std::unique_ptr<Feed> LanguageModelling::feed(const Settings& settings) const {
  data::Batches all = batches(corpus_, settings);
  const std::int64_t windows = all.windows_per_epoch();
  const double tokens = windows > 0 ? static_cast<double>(windows * settings.block_size)
                                    : static_cast<double>(corpus_.train.size());
  return std::make_unique<TokenFeed>(std::move(all), tokens, settings, corpus_.vocab);
}

std::unique_ptr<Exam> LanguageModelling::exam(const Settings& settings, Split split) const {
  const std::int64_t T = settings.block_size;
  const auto most = static_cast<std::size_t>(settings.eval_tokens);
  const auto held_out = [&](const data::HeldOut& of) {
    return std::make_unique<TokenExam>(corpus_, of.ids, most == 0 ? of.ids.size() : most + 1, T);
  };
  switch (split) {
    case Split::kVal:
      return held_out(corpus_.val);
    case Split::kTest:
      return corpus_.test.ids.empty() ? nullptr : held_out(corpus_.test);
    case Split::kTrainSubset:
      break;
  }
  const data::Batches all = batches(corpus_, settings);
  const auto part = all.reachable().first(std::min(all.reachable().size(), kTrainSubset));
  return std::make_unique<TokenExam>(std::vector(part.begin(), part.end()), T);
}

DataConstants LanguageModelling::constants() const {
  const bool tested = !corpus_.test.ids.empty();
  return {.bayes_loss = corpus_.bayes_loss,
          .bayes_loss_window = corpus_.bayes_loss_window,
          .val_bytes_per_token = corpus_.val.bytes_per_token,
          .test_bytes_per_token = tested ? corpus_.test.bytes_per_token : std::nullopt,
          .uniform_loss = std::log(static_cast<double>(corpus_.vocab))};
}

const std::array<std::optional<double>, 2>& LanguageModelling::in_training() const {
  if (!in_training_)
    in_training_ = {data::share_in_training(corpus_, corpus_.val),
                    data::share_in_training(corpus_, corpus_.test)};
  return *in_training_;
}

std::vector<std::string> LanguageModelling::notes() const {
  std::vector<std::string> out;
  constexpr std::string_view kNames[] = {"validation", "test"};
  for (std::size_t i = 0; i < in_training().size(); ++i)
    if (const double share = in_training()[i].value_or(0); share >= 0.01)
      out.push_back(
          fmt::format("{:.0f} % of the {} text is in the training text", 100 * share, kNames[i]));
  return out;
}

std::unique_ptr<Task> load_language_modelling(const Settings& settings) {
  return std::make_unique<LanguageModelling>(load_corpus(settings));
}

}  // namespace train
