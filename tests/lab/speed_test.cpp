#include "lab/study/speed.h"

#include <gtest/gtest.h>

#include <string>

namespace lab {
namespace {

TEST(Speed, StepsAreTakenInTurnsAndRatiosWithinRounds) {
  std::string order;
  int steps = 0;
  const TimedStep first = [&](double progress) {
    order += progress < 0.5 ? "a" : "b";
    return ++steps <= 4 ? 1000.0 : 1.0;  // two rounds of warm-up
  };
  const TimedStep arm = [&](double progress) {
    order += progress < 0.5 ? "A" : "B";
    return progress < 0.5 ? 2.0 : 4.0;
  };
  const std::vector<double> phases = {0.25, 0.75};
  const PairedTimes times = time_in_turns(first, arm, phases, 2, 1e9);
  EXPECT_EQ(order, "aAbBaAbBaAbBaAbB");
  EXPECT_EQ(times.first, (std::vector<double>{1, 1}));
  EXPECT_EQ(times.arm, (std::vector<double>{3, 3}));
  EXPECT_EQ(time_in_turns(first, arm, phases, 50, -1).arm.size(), 3U) << "time is up at once";

  const ArmSpeed speed = speed_of({{1, 10, 1, 1, 1}, {2, 20, 3, 4, 6}}, 12);
  EXPECT_EQ(speed.step_time_ratio, 3);  // of 2, 2, 3, 4, 6
  EXPECT_EQ(speed.ratio_low, 2);
  EXPECT_EQ(speed.ratio_high, 4);
  EXPECT_EQ(speed.tokens_per_second, 3);  // 12 / 4
  EXPECT_EQ(speed.rounds, 5);
}

}  // namespace
}  // namespace lab
