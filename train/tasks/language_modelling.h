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
  /// Of tokenizers with a definition its hash and the file that has it, of others their pieces.
  nlohmann::ordered_json encoding() const override;
  std::vector<KeptFile> files() const override;
  const data::Tokenizer* tokenizer() const override { return corpus_.codec.get(); }
  std::size_t bytes() const override;
  models::GptConfig model(const Settings& settings) const override;
  /// Batches (batches.h).
  std::unique_ptr<Feed> feed(const Settings& settings) const override;
  /// Windows of T that don't overlap, tail included: every token but the first counts once. Of the
  /// validation and the test split the first settings.eval_tokens (0: all), of what training can
  /// reach the first 32768.
  std::unique_ptr<Exam> exam(const Settings& settings, Split split) const override;
  bool own_exams() const override { return corpus_.own_texts; }
  DataConstants constants() const override;
  /// How much of the held-out splits is in the training split, from a hundredth on.
  std::vector<std::string> notes() const override;

 private:
  /// share_in_training() of the validation and the test split, computed once.
  const std::array<std::optional<double>, 2>& in_training() const;

  data::Corpus corpus_;
  mutable std::optional<std::array<std::optional<double>, 2>> in_training_;
};

/// Text as a string, or where it is not UTF-8 (half a character, of the byte tokenizer) as the list
/// of its bytes.
nlohmann::ordered_json piece_json(const std::string& piece);

/// Of load_corpus(settings).
std::unique_ptr<Task> load_language_modelling(const Settings& settings);

}  // namespace train
