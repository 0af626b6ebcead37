#include "kernel/time_order.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ct {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Event {
  int name = 0;
  TimeNs end = 0;
};

using Order = TimeOrder<Event, &Event::end>;

constexpr TimeNs kAll = std::numeric_limits<TimeNs>::max();

std::vector<int> Names(const std::vector<Event>& events) {
  std::vector<int> names;
  for (const Event& event : events) names.push_back(event.name);
  return names;
}

TEST(TimeOrder, HandsOutByTime) {
  Order order;
  for (const auto& [name, end] : {std::pair{1, 30}, {2, 10}, {3, 40}, {4, 20}}) {
    order.Add({name, end});
  }
  EXPECT_THAT(Names(order.TakeUntil(kAll)), ElementsAre(2, 4, 1, 3));
  EXPECT_THAT(order.TakeUntil(kAll), IsEmpty());
  EXPECT_EQ(order.late(), 0U);
}

TEST(TimeOrder, KeepsBackWhatEndedAtTheBoundOrAfter) {
  Order order;
  for (const auto& [name, end] : {std::pair{1, 19}, {2, 20}, {3, 21}}) order.Add({name, end});
  EXPECT_THAT(Names(order.TakeUntil(20)), ElementsAre(1));
  EXPECT_EQ(order.size(), 2U);
  EXPECT_THAT(order.TakeUntil(20), IsEmpty());
  EXPECT_THAT(Names(order.TakeUntil(21)), ElementsAre(2));
  EXPECT_THAT(Names(order.TakeUntil(22)), ElementsAre(3));
  EXPECT_EQ(order.size(), 0U);
}

TEST(TimeOrder, PutsWhatCameLaterBeforeWhatIsStillKept) {
  Order order;
  order.Add({1, 10});
  order.Add({2, 30});
  EXPECT_THAT(Names(order.TakeUntil(20)), ElementsAre(1));
  order.Add({3, 25});
  EXPECT_THAT(Names(order.TakeUntil(kAll)), ElementsAre(3, 2));
  EXPECT_EQ(order.late(), 0U);
}

TEST(TimeOrder, HandsOutWhatIsLateAllTheSameAndCountsIt) {
  Order order;
  order.Add({1, 30});
  EXPECT_THAT(Names(order.TakeUntil(kAll)), ElementsAre(1));
  order.Add({2, 29});
  order.Add({3, 5});
  order.Add({4, 30});  // as old as the youngest that was handed out: in order
  EXPECT_EQ(order.late(), 2U);
  EXPECT_THAT(Names(order.TakeUntil(kAll)), ElementsAre(3, 2, 4));
  // What was late does not turn the clock back.
  order.Add({5, 20});
  EXPECT_EQ(order.late(), 3U);
}

TEST(TimeOrder, HandsOutEachOnceInOrder) {
  std::mt19937 random(977);
  Order order;
  std::vector<TimeNs> taken;
  for (int i = 0; i < 1000; ++i) {
    // Nearly in order: off by at most 50.
    order.Add({i, 100 + 10 * i - static_cast<TimeNs>(random() % 50)});
    for (const Event& event : order.TakeUntil(100 + 10 * i - 100)) taken.push_back(event.end);
  }
  for (const Event& event : order.TakeUntil(kAll)) taken.push_back(event.end);
  EXPECT_EQ(taken.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(taken.begin(), taken.end()));
  EXPECT_EQ(order.late(), 0U);
}

}  // namespace
}  // namespace ct
