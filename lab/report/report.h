// From run records to the answer, as one JSON document (schema below) that every format is made of.
#pragma once
#include <string>
#include <vector>

#include "lab/study/comparison.h"
#include "lab/study/speed.h"

namespace lab {

/// Version of the document's schema:
///   schema, budget,
///   corpus {name, tokenizer, vocab, train_tokens, val_tokens, val_tokens_evaluated, hash,
///           bayes_loss, bayes_loss_window},
///   environment {cpu, isa, threads, isodrop, onednn, compiler},
///   rules {margin, alpha, looks, note}, seeds, folder,
///   cells[] {epochs, unique_tokens,
///     arms[] {name, overrides,
///       runs[] {seed, status, val_loss, best_val_loss, train_loss, epochs, steps, tokens, flops,
///               seconds, eval_seconds, diverged_at},
///       val_loss, best_val_loss, train_loss, gap, excess, excess_window {mean, sd},
///       diverged, failed,
///       vs_baseline {n, diff, ci95, p, p_holm, verdict, more_seeds} (null for the first arm),
///       compute_equivalent {share, relation, text, rises} or null,
///       tokens_per_second, step_time_ratio, epochs}}
/// Losses are in nats per token, lists of two are [low, high], what isn't known is null.
inline constexpr int kReportSchema = 1;

Json make_report(Comparison& comparison, const std::vector<ArmSpeed>& speeds);

/// "text", "json", "csv", "md"
std::string render(const Json& report, const std::string& format, bool color);

}  // namespace lab
