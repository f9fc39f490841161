#include "lab/runs/curve.h"

#include <cmath>
#include <sstream>
#include <string>

#include "base/error.h"
#include "base/files.h"
#include "base/json.h"

namespace lab {

std::vector<CurvePoint> read_curve(const std::filesystem::path& file, base::Whose whose) {
  constexpr std::int64_t kMostBytes = std::int64_t{1} << 30;
  std::vector<CurvePoint> points;
  std::error_code none;  // not begun
  if (!std::filesystem::exists(std::filesystem::symlink_status(file, none))) return points;
  std::istringstream in;
  try {
    in.str(base::read_whole(file, whose, kMostBytes));
  } catch (const base::NotThere&) {
    return points;  // renamed or removed since
  }
  std::string line;
  while (std::getline(in, line) && !in.eof()) {  // a line without its end is still being written
    const std::string where = file.string() + ", line " + std::to_string(points.size() + 1);
    constexpr const char* kWayOut = "remove the run's folder to make the run again";
    const base::Json json = base::parse_json(line, where, kWayOut);
    const auto number = [&](const char* key) -> std::optional<double> {
      const auto it = json.is_object() ? json.find(key) : json.end();
      if (it != json.end() && it->is_null()) return {};
      const double x = it != json.end() && it->is_number() ? it->get<double>() : NAN;
      base::require(std::isfinite(x), where, ": '", key, "' is missing or no number; ", kWayOut);
      return x;
    };
    const auto known = [&](const char* key) {
      const auto x = number(key);
      base::require(x.has_value(), where, ": '", key, "' is null; ", kWayOut);
      return *x;
    };
    points.push_back({known("step"), known("flops"), number("train_loss"), number("val_loss")});
  }
  return points;
}

}  // namespace lab
