#include "lab/inspect/evaluate.h"

#include <algorithm>
#include <cmath>

#include "train/config/evaluation.h"
#include "train/log/sink.h"
#include "train/trainer.h"

namespace lab {

Answer ask(train::Predictor& predictor, const Question& q, const train::Settings& s,
           std::int64_t vocab) {
  const std::int64_t passes = train::parse_evaluation(s.evaluation).passes, rows = q.exam->rows(),
                     batch = predictor.batch_rows();
  const double row_scores = static_cast<double>(s.block_size) * static_cast<double>(vocab);
  const bool classes = q.task->target_kind() == train::TargetKind::kClass;
  const std::int64_t step =
      classes ? batch * std::max<std::int64_t>(
                            1, static_cast<std::int64_t>(kMostScores / row_scores) / batch)
              : rows;
  Answer out;
  ClassCalibration calibration;
  for (std::int64_t from = 0; from < rows; from += step) {
    const train::Predictions said =
        predictor.predict(*q.exam, passes, train::evaluation_masks(s), /*progress=*/1,
                          train::Keep::kAll, {from, from + step});
    const auto n = static_cast<double>(said.count());
    out.loss_sum += n * said.examined.loss;
    out.targets += n;
    if (!std::isfinite(out.loss_sum)) return out;
    if (classes)
      calibration.add(said);
    else
      out.calibration = lab::calibration(said, said);
  }
  if (classes) out.calibration = calibration.result();
  return out;
}

bool is_told(std::string_view metric) {
  return !metric.starts_with("scaled_") && metric != "temperature";
}

base::Json to_json(const Question& q, const Answer& answer, const train::Settings& s) {
  const double loss = answer.loss_sum / answer.targets;
  base::Json json = {{"schema", "isodrop-eval-1"},
                     {"on", q.what},
                     {"evaluation", s.evaluation},
                     {"targets", static_cast<std::int64_t>(answer.targets)},
                     {"loss", loss}};
  if (q.task->target_kind() == train::TargetKind::kClass) json["perplexity"] = std::exp(loss);
  if (q.bytes_per_token) json["bits_per_byte"] = train::bits_per_byte(loss, *q.bytes_per_token);
  for (const auto& [name, value] : answer.calibration)
    if (is_told(name)) json[name] = value;
  return json;
}

}  // namespace lab
