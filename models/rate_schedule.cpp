#include "models/rate_schedule.h"

#include <algorithm>
#include <array>

namespace models {
namespace {

constexpr std::string_view kLiu = "Liu et al. 2023, arXiv:2303.01500";

constexpr std::array kKinds{
    ScheduleKind{"constant", false, [](double, double) { return 1.0; }, "p", "the same throughout",
                 "Srivastava et al. 2014, JMLR 15"},
    ScheduleKind{"early", true, [](double x, double F) { return std::max(0.0, 1 - x / F); },
                 "p·max(0, 1 − x/F)", "falls in a line from p at the start to 0 at F, then stays 0",
                 kLiu},
    ScheduleKind{"early_cut", true, [](double x, double F) { return x < F ? 1.0 : 0.0; },
                 "p while x < F, then 0", "p up to F, then cut to 0", kLiu},
    ScheduleKind{"late", true, [](double x, double F) { return x < F ? 0.0 : 1.0; },
                 "0 while x < F, then p", "0 up to F, then p",
                 "Liu et al. 2023, arXiv:2303.01500; Xue et al. 2023, arXiv:2305.13230"},
    ScheduleKind{"linear", false, [](double x, double) { return std::clamp(x, 0.0, 1.0); }, "p·x",
                 "rises in a line from 0 at the start to p at the end",
                 "Zoph et al. 2018, arXiv:1707.07012 (ScheduledDropPath)"},
};

}  // namespace

std::span<const ScheduleKind> schedule_kinds() { return kKinds; }

}  // namespace models
