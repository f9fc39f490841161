// How a regularizer's rate goes over the share of the budget spent.
#pragma once
#include <span>
#include <string_view>

namespace models {

struct ScheduleKind {
  std::string_view name;
  bool takes_fraction;                  // written NAME:F, F in (0, 1)
  double (*share)(double x, double F);  // of the rate, in [0, 1], at share x of the budget
  std::string_view formula, help, source;
};

/// The table. Adding a schedule is adding a row; each reaches the whole rate somewhere.
std::span<const ScheduleKind> schedule_kinds();

/// A row with its fraction. The default is constant.
struct RateSchedule {
  const ScheduleKind* kind = &schedule_kinds().front();
  double fraction = 0;
  double share(double x) const { return kind->share(x, fraction); }
  bool operator==(const RateSchedule&) const = default;
};

}  // namespace models
