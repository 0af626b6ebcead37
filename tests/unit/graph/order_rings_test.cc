// Rings in the order of locks: of any length, and only those that can happen.
#include "graph/order_rings.h"

#include <algorithm>
#include <ctime>
#include <random>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/unit/graph/observation_builder.h"

namespace ct {
namespace {

std::uint64_t NoPlace(const LockOrderSighting& /*sighting*/) { return 0; }

OrderRings Find(const Observation& observation, ProcessIndex process = 0) {
  return FindOrderRings(observation, process, NoPlace);
}

// A line for each ring.
std::string Rings(const Observation& observation, ProcessIndex process = 0) {
  const OrderRings found = Find(observation, process);
  EXPECT_TRUE(found.complete);
  EXPECT_EQ(found.more, 0U);
  std::string text;
  for (const OrderRing& ring : found.rings) {
    if (!text.empty()) text += '\n';
    text += testing::Orders(observation, ring.steps) + (ring.any_thread ? " any" : "");
  }
  return text;
}

std::string Rings(std::string_view text) { return Rings(testing::Observe(text)); }

// L0>L1 by t0, L1>L2 by t1, ... and back.
std::string RingOf(int length) {
  std::string text;
  for (int i = 0; i < length; ++i) {
    text += fmt::format("order L{}>L{}: t{}\n", i, (i + 1) % length, i);
  }
  return text;
}

// Orders of a process with that many locks.
class Orders {
 public:
  explicit Orders(int locks) {
    observation_ = testing::Observe("main: runs");
    for (int i = 0; i < locks; ++i) {
      Resource lock;
      lock.kind = ResourceKind::kMutex;
      lock.id = {false, 1, 0x1000U + 64U * static_cast<std::uint64_t>(i), 0, 0, 0};
      observation_.resources.push_back(lock);
    }
  }
  void Add(ResourceIndex held, ResourceIndex wanted, pid_t tid,
           std::vector<ResourceIndex> guards = {}) {
    LockOrderSighting sighting;
    sighting.thread = {tid, 1};
    sighting.guards = std::move(guards);
    observation_.hold_activity.orders.push_back({held, wanted, 0, {sighting}, false});
  }
  [[nodiscard]] const Observation& observation() const { return observation_; }

 private:
  Observation observation_;
};

// In ms of this thread.
double TimeOf(const Observation& observation, OrderRings& found) {
  timespec begin{};
  timespec end{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
  found = Find(observation);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
  return 1e3 * static_cast<double>(end.tv_sec - begin.tv_sec) +
         1e-6 * static_cast<double>(end.tv_nsec - begin.tv_nsec);
}

TEST(OrderRings, NothingInNothing) { EXPECT_EQ(Rings(Observation()), ""); }

TEST(OrderRings, TwoLocksInOppositeOrders) {
  EXPECT_EQ(Rings("order A>B: t1\norder B>A: t2"), "A>B t1, B>A t2");
}

TEST(OrderRings, OneOrderIsNone) {
  EXPECT_EQ(Rings("order A>B: t1 t2\norder B>C: t1 t2\norder A>C: t1 t2"), "");
}

TEST(OrderRings, RingsOfAnyLength) {
  EXPECT_EQ(Rings(RingOf(5)), "L0>L1 t0, L1>L2 t1, L2>L3 t2, L3>L4 t3, L4>L0 t4");
  for (const int length : {2, 3, 40, 200}) {
    const Observation observation = testing::Observe(RingOf(length));
    const OrderRings found = Find(observation);
    ASSERT_EQ(found.rings.size(), 1U) << length;
    ASSERT_EQ(found.rings[0].steps.size(), static_cast<std::size_t>(length));
    for (std::size_t i = 0; i < found.rings[0].steps.size(); ++i) {
      EXPECT_EQ(found.rings[0].steps[i].order, static_cast<LockOrderIndex>(i));
    }
    EXPECT_TRUE(found.complete);
  }
}

TEST(OrderRings, OneThreadAloneIsNone) {
  EXPECT_EQ(Rings("order A>B: t1\norder B>A: t1"), "");
  EXPECT_EQ(Rings("order A>B: guard=C t1 guard=D t1 more\norder B>A: t1"), "");
}

// A thread for each step, however the sightings stand.
TEST(OrderRings, AThreadForEachStep) {
  EXPECT_EQ(Rings("order A>B: t1 t2\norder B>A: t1"), "A>B t2, B>A t1");
  EXPECT_EQ(Rings("order A>B: t1 t2\norder B>C: t1 t3\norder C>A: t1"), "A>B t2, B>C t3, C>A t1");
  EXPECT_EQ(Rings("order A>B: t1 t2\norder B>C: t1 t2\norder C>A: t1 t2"), "");
  // Each choice before the last has to be changed.
  std::string text;
  for (int i = 0; i < 12; ++i) {
    text += fmt::format("order L{}>L{}: t{} t{}\n", i, (i + 1) % 12, i, i + 1);
  }
  const Observation observation = testing::Observe(text + "order L0>L1: t0\n");
  EXPECT_EQ(Find(observation).rings.size(), 1U);
  text.clear();
  for (int i = 0; i < 12; ++i) {
    text += fmt::format("order L{}>L{}:", i, (i + 1) % 12);
    for (int thread = 0; thread < 11; ++thread) text += fmt::format(" t{}", thread);
    text += '\n';
  }
  EXPECT_EQ(Rings(text), "");
}

TEST(OrderRings, AnOrderThatManyThreadsHave) {
  EXPECT_EQ(Rings("order A>B: t1 t2 more\norder B>C: t1\norder C>A: t2"),
            "A>B t1, B>C t1, C>A t2 any");
  // Better by threads that were seen.
  EXPECT_EQ(Rings("order A>B: t1 t2 t3 more\norder B>C: t1\norder C>A: t2"),
            "A>B t3, B>C t1, C>A t2");
}

TEST(OrderRings, AGateKeepsThemApart) {
  EXPECT_EQ(Rings("order A>B: guard=G t1\norder B>A: guard=G t2"), "");
  EXPECT_EQ(Rings("order A>B: guard=G t1\norder B>A: guard=H t2"), "A>B t1, B>A t2");
  EXPECT_EQ(Rings("order A>B: guard=G t1\norder B>A: guard=G t2 t2"), "A>B t1, B>A t2");
  // Any two of three are enough.
  EXPECT_EQ(Rings("order A>B: guard=G t1\norder B>C: t2\norder C>A: guard=G t3"), "");
  // The gate's own orders make no ring either.
  EXPECT_EQ(Rings("order G>A: t1\norder G>B: t1 t2\norder G>A: t2\n"
                  "order A>B: guard=G t1\norder B>A: guard=G t2"),
            "");
}

// Where the threads that fit have guards that do not.
TEST(OrderRings, ThreadsAndGuardsTogether) {
  EXPECT_EQ(Rings("order A>B: guard=G t1 guard=H t2\norder B>C: guard=G t3 guard=H t1\n"
                  "order C>A: guard=G t4"),
            "");
  EXPECT_EQ(Rings("order A>B: guard=G t1 guard=H t2\norder B>C: guard=K t3 guard=H t1\n"
                  "order C>A: guard=G t4"),
            "A>B t2, B>C t3, C>A t4");
}

// Who has a third lock of the ring keeps out the one whose step that is.
TEST(OrderRings, NoStepHasAnothersLock) {
  EXPECT_EQ(Rings("order A>B: guard=C t1\norder B>C: t2\norder C>A: t3"), "");
}

TEST(OrderRings, ReadersDoNotWaitForReaders) {
  EXPECT_EQ(Rings("order A>B: reads=both t1\norder B>A: t2"), "A>B t1, B>A t2");
  EXPECT_EQ(Rings("order A>B: reads=both t1\norder B>A: reads=held t2"), "");
  EXPECT_EQ(Rings("order A>B: reads=held t1\norder B>A: reads=wanted t2"), "");
  EXPECT_EQ(Rings("order A>B: reads=held t1\norder B>A: reads=both t2 t3"), "A>B t1, B>A t3");
}

TEST(OrderRings, SignalsAreNoLocks) {
  const char* const orders = "order S>B: t1\norder B>S: t2";
  EXPECT_EQ(Rings(std::string("lock S: semaphore\n") + orders), "");
  EXPECT_EQ(Rings(std::string("lock S: semaphore capacity=3\n") + orders), "");
  EXPECT_EQ(Rings(std::string("lock S: semaphore capacity=1\n") + orders), "S>B t1, B>S t2");
  EXPECT_EQ(Rings(std::string("lock S: condition\n") + orders), "");
}

TEST(OrderRings, ProcessesAreNeverMixed) {
  const Observation observation = testing::Observe("order A>B: t1\nprocess other\norder B>A: t2");
  EXPECT_EQ(Rings(observation, 0), "");
  EXPECT_EQ(Rings(observation, 1), "");
}

// Each further ring has a pair of locks that none before it has.
TEST(OrderRings, AKnotIsToldByItsShortestRings) {
  EXPECT_EQ(Rings("order A>B: t1\norder B>A: t2\norder B>C: t4\norder C>A: t3"),
            "A>B t1, B>A t2\nA>B t1, B>C t4, C>A t3");
  EXPECT_EQ(Rings("order A>B: t1\norder B>A: t2\norder B>C: t1\norder C>B: t3"),
            "A>B t1, B>A t2\nB>C t1, C>B t3");
  // The short way back cannot be, the long one can.
  EXPECT_EQ(Rings("order A>B: t1\norder B>A: t1\norder B>C: t2\norder C>A: t3"),
            "A>B t1, B>C t2, C>A t3");
}

TEST(OrderRings, RingsAtTheSamePlacesAreOne) {
  Orders orders(6);
  for (ResourceIndex lock = 0; lock < 6; lock += 2) {
    orders.Add(lock, lock + 1, 1);
    orders.Add(lock + 1, lock, 2);
  }
  EXPECT_EQ(Find(orders.observation()).rings.size(), 3U);
  const OrderRings found =
      FindOrderRings(orders.observation(), 0, [](const LockOrderSighting& sighting) {
        return static_cast<std::uint64_t>(sighting.thread.tid);
      });
  ASSERT_EQ(found.rings.size(), 1U);
  EXPECT_EQ(found.rings[0].alike, 2U);
}

TEST(OrderRings, OfATangleOnlySomeAreTold) {
  Orders orders(40);
  for (ResourceIndex a = 0; a < 40; ++a) {
    for (ResourceIndex b = 0; b < 40; ++b) {
      if (a != b) orders.Add(a, b, a);
    }
  }
  const OrderRings found = Find(orders.observation());
  EXPECT_EQ(found.rings.size(), 16U);
  EXPECT_EQ(found.rings.size() + found.more, 40U * 39U / 2U);
  EXPECT_TRUE(found.complete);
}

TEST(OrderRings, IsTheSameWhateverTheOrderOfTheTables) {
  Observation observation =
      testing::Observe("order A>B: t1\norder B>A: t2\norder B>C: t1\norder C>D: t4\norder D>A: t3");
  const std::string expected = Rings(observation);
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    std::shuffle(observation.hold_activity.orders.begin(), observation.hold_activity.orders.end(),
                 random);
    EXPECT_EQ(Rings(observation), expected);
  }
}

TEST(OrderRings, ToleratesIndicesThatPointNowhere) {
  Observation observation = testing::Observe("order A>B: t1\norder B>A: t2");
  for (const std::int32_t nowhere : {-1, -7, 2, 1'000'000}) {
    Observation broken = observation;
    broken.hold_activity.orders[0].held = nowhere;
    EXPECT_EQ(Rings(broken), "");
    broken = observation;
    broken.hold_activity.orders[0].wanted = nowhere;
    EXPECT_EQ(Rings(broken), "");
    broken = observation;
    broken.hold_activity.orders[0].sightings[0].guards = {nowhere};
    EXPECT_EQ(Rings(broken), "A>B t1, B>A t2");
    EXPECT_EQ(Rings(broken, nowhere), "");
  }
}

// --- bounds -------------------------------------------------------------------------------------

// Far below on an idle machine.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kMostMs = 5000;
#else
constexpr double kMostMs = 500;
#endif

TEST(OrderRings, TenThousandOrdersWithoutARing) {
  Orders orders(1000);
  for (ResourceIndex i = 0; i < 10'000; ++i) {
    const ResourceIndex from = i % 989;
    orders.Add(from, from + 1 + i / 989, i % 64);
  }
  OrderRings found;
  EXPECT_LT(TimeOf(orders.observation(), found), kMostMs);
  EXPECT_TRUE(found.rings.empty());
  EXPECT_TRUE(found.complete);
}

TEST(OrderRings, ARingOfAThousand) {
  Orders orders(1000);
  for (ResourceIndex i = 0; i < 1000; ++i) orders.Add(i, (i + 1) % 1000, i);
  OrderRings found;
  EXPECT_LT(TimeOf(orders.observation(), found), kMostMs);
  ASSERT_EQ(found.rings.size(), 1U);
  EXPECT_EQ(found.rings[0].steps.size(), 1000U);
}

TEST(OrderRings, TenThousandOrdersInOneTangle) {
  for (const std::uint32_t threads : {1U, 2U, 64U, 5000U}) {
    Orders orders(3000);
    std::mt19937 random(threads);
    for (int i = 0; i < 10'000; ++i) {
      const auto from = static_cast<ResourceIndex>(random() % 3000);
      const auto to = static_cast<ResourceIndex>(random() % 3000);
      if (from != to) orders.Add(from, to, static_cast<pid_t>(random() % threads));
    }
    OrderRings found;
    EXPECT_LT(TimeOf(orders.observation(), found), kMostMs) << threads;
    if (threads == 1) {
      EXPECT_TRUE(found.rings.empty() && found.complete);
    }
    if (threads > 2) {
      EXPECT_FALSE(found.rings.empty());
    }
  }
}

// Three ways on from every lock, and only the last step of each of half a million rings does not
// fit, to the first.
TEST(OrderRings, AHardTangleIsGivenUpAndSaid) {
  constexpr ResourceIndex kLayers = 12;
  constexpr ResourceIndex kGate = 3 * kLayers + 1;
  Orders orders(3 * kLayers + 2);
  const ResourceIndex end = 3 * kLayers;
  pid_t tid = 1;
  for (ResourceIndex to = 0; to < 3; ++to) orders.Add(end, to, tid++, {kGate});
  for (ResourceIndex layer = 0; layer + 1 < kLayers; ++layer) {
    for (ResourceIndex way = 0; way < 9; ++way) {
      orders.Add(3 * layer + way / 3, 3 * (layer + 1) + way % 3, tid++);
    }
  }
  for (ResourceIndex from = end - 3; from < end; ++from) orders.Add(from, end, tid++, {kGate});
  OrderRings found;
  EXPECT_LT(TimeOf(orders.observation(), found), kMostMs);
  EXPECT_TRUE(found.rings.empty());
  EXPECT_FALSE(found.complete);
}

// --- compared with trying everything ------------------------------------------------------------

bool FitsBruteForce(const Observation& observation, const std::vector<LockOrderIndex>& ring,
                    std::vector<const LockOrderSighting*>& chosen) {
  if (chosen.size() == ring.size()) return true;
  const auto& orders = observation.hold_activity.orders;
  const LockOrder& order = orders[static_cast<std::size_t>(ring[chosen.size()])];
  for (const LockOrderSighting& sighting : order.sightings) {
    bool fits = true;
    for (const LockOrderSighting* other : chosen) {
      fits &= other->thread != sighting.thread;
      for (const ResourceIndex guard : sighting.guards) {
        fits &= std::count(other->guards.begin(), other->guards.end(), guard) == 0;
      }
    }
    for (const LockOrderIndex step : ring) {
      const ResourceIndex lock = orders[static_cast<std::size_t>(step)].held;
      fits &= std::count(sighting.guards.begin(), sighting.guards.end(), lock) == 0;
    }
    if (!fits) continue;
    chosen.push_back(&sighting);
    if (FitsBruteForce(observation, ring, chosen)) return true;
    chosen.pop_back();
  }
  return false;
}

// The pairs of locks that are in any ring that can be.
void CollectBruteForce(const Observation& observation, std::vector<LockOrderIndex>& ring,
                       std::set<LockOrderIndex>& covered, std::size_t& shortest) {
  const auto& orders = observation.hold_activity.orders;
  const auto at = [&](LockOrderIndex index) { return orders[static_cast<std::size_t>(index)]; };
  for (LockOrderIndex next = 0; next < static_cast<LockOrderIndex>(orders.size()); ++next) {
    if (at(next).held != at(ring.back()).wanted) continue;
    const bool closes = at(next).wanted == at(ring.front()).held;
    const bool visited = std::any_of(ring.begin(), ring.end(), [&](LockOrderIndex step) {
      return at(step).held == at(next).wanted;
    });
    if (visited && !closes) continue;
    ring.push_back(next);
    std::vector<const LockOrderSighting*> chosen;
    if (closes && FitsBruteForce(observation, ring, chosen)) {
      covered.insert(ring.begin(), ring.end());
      shortest = std::min(shortest, ring.size());
    }
    if (!closes) CollectBruteForce(observation, ring, covered, shortest);
    ring.pop_back();
  }
}

TEST(OrderRings, FindsWhatTryingEverythingFinds) {
  std::size_t with_rings = 0;
  for (std::uint32_t seed = 1; seed <= 1500 && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&](std::uint32_t n) { return static_cast<std::int32_t>(random() % n); };
    const std::uint32_t locks = 2 + random() % 4;
    Observation observation = Orders(static_cast<int>(locks) + 2).observation();
    std::set<std::pair<ResourceIndex, ResourceIndex>> known;
    for (std::uint32_t i = 0; i < 2 * locks; ++i) {
      LockOrder order;
      order.held = pick(locks);
      order.wanted = pick(locks);
      order.process = 0;
      if (order.held == order.wanted || !known.insert({order.held, order.wanted}).second) continue;
      for (std::uint32_t j = 0; j <= random() % 3; ++j) {
        LockOrderSighting sighting;
        sighting.thread = {1 + pick(4), 1};
        if (random() % 3 == 0) sighting.guards = {pick(locks + 2)};
        if (!sighting.guards.empty() &&
            (sighting.guards[0] == order.held || sighting.guards[0] == order.wanted)) {
          sighting.guards.clear();
        }
        order.sightings.push_back(sighting);
      }
      observation.hold_activity.orders.push_back(order);
    }
    std::set<LockOrderIndex> expected;
    std::size_t shortest = SIZE_MAX;
    const auto count = static_cast<LockOrderIndex>(observation.hold_activity.orders.size());
    for (LockOrderIndex first = 0; first < count; ++first) {
      std::vector<LockOrderIndex> ring = {first};
      CollectBruteForce(observation, ring, expected, shortest);
    }
    const OrderRings found = Find(observation);
    EXPECT_TRUE(found.complete);
    std::set<LockOrderIndex> covered;
    for (const OrderRing& ring : found.rings) {
      std::vector<LockOrderIndex> steps;
      for (const OrderStep& step : ring.steps) steps.push_back(step.order);
      std::vector<const LockOrderSighting*> chosen;
      EXPECT_TRUE(FitsBruteForce(observation, steps, chosen));
      const std::size_t before = covered.size();
      covered.insert(steps.begin(), steps.end());
      EXPECT_GT(covered.size(), before);
    }
    EXPECT_EQ(covered, expected);
    if (expected.empty()) continue;
    ++with_rings;
    EXPECT_EQ(found.rings.front().steps.size(), shortest);
  }
  EXPECT_GT(with_rings, 200U);
}

}  // namespace
}  // namespace ct
