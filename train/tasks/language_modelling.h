// Language modelling: predict every next token of a corpus.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/text/corpus.h"
#include "train/tasks/task.h"

namespace train {

class LanguageModelling : public Task {
 public:
  explicit LanguageModelling(data::Corpus corpus) : corpus_(std::move(corpus)) {}
  const data::Corpus& corpus() const { return corpus_; }
  const data::Corpus* text_corpus() const override { return &corpus_; }

  std::string_view name() const override { return "lm"; }
  DataSummary describe(const Settings& settings) const override;
  std::string data_hash() const override { return corpus_.hash; }
  /// The tokenizer's pieces, or the file with its definition and the hash of it.
  nlohmann::ordered_json encoding() const override;
  std::vector<KeptFile> files() const override;
  const data::Tokenizer* tokenizer() const override { return corpus_.codec.get(); }
  std::size_t bytes() const override;
  models::GptConfig model(const Settings& settings) const override;
  /// Batches (batches.h).
  std::unique_ptr<Feed> feed(const Settings& settings) const override;
  /// Windows of T that do not overlap, so every token but the first counts once: the first
  /// settings.eval_tokens (0: all) of validation and test, the first 32768 reachable training
  /// tokens.
  std::unique_ptr<Exam> exam(const Settings& settings, Split split) const override;
  bool own_exams() const override { return corpus_.own_texts; }
  DataConstants constants() const override;
  /// The share of held-out text that is in the training text, if at least 1 %.
  std::vector<std::string> notes() const override;

 private:
  /// share_in_training() of the validation and the test split, computed once.
  const std::array<std::optional<double>, 2>& in_training() const;

  data::Corpus corpus_;
  mutable std::optional<std::array<std::optional<double>, 2>> in_training_;
};

/// A string, or the list of its bytes if the piece is not UTF-8 (half a character, of byte).
nlohmann::ordered_json piece_json(const std::string& piece);

/// Of load_corpus(settings).
std::unique_ptr<Task> load_language_modelling(const Settings& settings);

}  // namespace train
