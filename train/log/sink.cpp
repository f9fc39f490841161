#include "train/log/sink.h"

#include <numbers>

#include "base/json.h"

namespace train {

std::string json_line(const Progress& p, const std::optional<double>& bytes_per_token) {
  base::Json out = {{"step", p.step},
                    {"tokens", p.spent.tokens},
                    {"flops", p.spent.flops},
                    {"seconds", p.spent.seconds},
                    {"train_loss", base::or_null(p.train_loss)},
                    {"val_loss", base::or_null(p.val_loss)},
                    {"val_bpb", nullptr},
                    {"lr", p.lr},
                    {"grad_norm", base::or_null(p.grad_norm)}};
  if (p.val_loss && bytes_per_token)
    out["val_bpb"] = base::or_null(bits_per_byte(*p.val_loss, *bytes_per_token));
  return base::json_compact(out) + "\n";
}

double bits_per_byte(double nats, double bytes_per_token) {
  return nats / (bytes_per_token * std::numbers::ln2);
}

}  // namespace train
