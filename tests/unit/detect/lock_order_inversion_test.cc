// Locks that are taken in opposite orders: told once, apart from deadlocks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

using ::testing::ElementsAre;
using testing::Findings;
using ::testing::HasSubstr;

constexpr const char* kInversion = "order A>B: writer\norder B>A: audit\n";

TEST(LockOrderInversion, IsTold) {
  const Observation observation = testing::Observe(kInversion);
  const std::vector<Finding> findings = Detect(observation);
  ASSERT_EQ(findings.size(), 1U);
  const Finding& finding = findings[0];
  EXPECT_EQ(testing::Summary(findings, observation),
            "LOCK_ORDER_INVERSION certain, may end, for 5.0 s | A>B writer, B>A audit");
  EXPECT_TRUE(finding.members.empty());
  EXPECT_EQ(finding.resources, (std::vector<ResourceIndex>{0, 1}));
  EXPECT_THAT(finding.proof, ElementsAre("writer (1000) had mutex A, and asked for mutex B",
                                         "audit (1001) had mutex B, and asked for mutex A",
                                         "no lock that two of them had keeps them apart"));
  EXPECT_EQ(finding.advice, "Take these locks in one order everywhere");
  EXPECT_FALSE(IsHang(finding.kind));
  EXPECT_TRUE(Concerns(finding, observation, 0));
}

TEST(LockOrderInversion, OfAnyLength) {
  for (const int length : {5, 40}) {
    std::string text;
    for (int i = 0; i < length; ++i) {
      text += "order L" + std::to_string(i) + ">L" + std::to_string((i + 1) % length) + ": t" +
              std::to_string(i) + "\n";
    }
    const std::vector<Finding> findings = Detect(testing::Observe(text));
    ASSERT_EQ(findings.size(), 1U);
    EXPECT_EQ(findings[0].orders.size(), static_cast<std::size_t>(length));
    EXPECT_EQ(findings[0].resources.size(), static_cast<std::size_t>(length));
    EXPECT_LE(findings[0].proof.size(), 18U);
  }
}

// It has existed since the last of what it takes was seen.
TEST(LockOrderInversion, SinceItsLastStepWasSeen) {
  EXPECT_EQ(Findings("order A>B: t1\norder B>A: t1 t1 t2"),
            "LOCK_ORDER_INVERSION certain, may end, for 3.0 s | A>B t1, B>A t2");
}

TEST(LockOrderInversion, NotByOneThreadNorUnderAGate) {
  EXPECT_EQ(Findings("order A>B: t1\norder B>A: t1"), "");
  EXPECT_EQ(Findings("order A>B: guard=G t1\norder B>A: guard=G t2"), "");
}

TEST(LockOrderInversion, ADeadlockIsToldInsteadOfIt) {
  EXPECT_EQ(Findings(std::string(kInversion) + "writer: holds A, waits B\naudit: holds B, waits A"),
            "DEADLOCK certain, never, for 10.0 s | writer>B audit>A");
  EXPECT_EQ(Findings(std::string(kInversion) + "x: holds A, waits A"),
            "DEADLOCK certain, never, for 10.0 s | x>A\n"
            "LOCK_ORDER_INVERSION certain, may end, for 5.0 s | A>B writer, B>A audit");
}

TEST(LockOrderInversion, IsProbableWhereAnotherLockMayHaveBeen) {
  const Observation observation = testing::Observe(std::string(kInversion));
  Observation heap = observation;
  heap.resources[1].symbol.clear();
  heap.resources[1].where = "heap";
  std::vector<Finding> findings = Detect(heap);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].evidence, Evidence::kProbable);
  EXPECT_EQ(findings[0].proof.back(),
            "not certain: mutex 0x5040 (heap) need not be one lock: another may have been at that "
            "address");
  heap.resources[1].where = ".bss of libshop.so";
  EXPECT_EQ(Detect(heap)[0].evidence, Evidence::kCertain);
  heap.resources[1].where = "stack";
  EXPECT_EQ(Detect(heap)[0].evidence, Evidence::kProbable);
}

TEST(LockOrderInversion, IsProbableWhereAThreadIsNotKnown) {
  const std::vector<Finding> findings =
      Detect(testing::Observe("order A>B: t1 t2 more\norder B>C: t1\norder C>A: t2"));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].evidence, Evidence::kProbable);
  EXPECT_THAT(findings[0].proof.back(), HasSubstr("one thread was seen at two of these steps"));
}

TEST(LockOrderInversion, OfAPoolNeedsAllItsUnits) {
  const std::vector<Finding> findings =
      Detect(testing::Observe("lock P: pool capacity=4\norder P>B: t1\norder B>P: t2"));
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].evidence, Evidence::kProbable);
  EXPECT_EQ(findings[0].proof.back(),
            "not certain: mutex P has 4 units, and all of them must be in use");
}

TEST(LockOrderInversion, IsOfTheProcessesThatWereAskedFor) {
  Observation observation =
      testing::Observe(std::string(kInversion) + "process other\norder C>D: c\norder D>C: d");
  EXPECT_EQ(Detect(observation).size(), 2U);
  observation.filter = "pid 2000";
  observation.processes[0].selected = false;
  EXPECT_EQ(testing::Summary(Detect(observation), observation),
            "LOCK_ORDER_INVERSION certain, may end, for 5.0 s | C>D c, D>C d");
}

// The reader's own lines; and equal ones of other locks are one finding.
TEST(LockOrderInversion, SaysWhereAndTellsAPlaceOnce) {
  Observation observation =
      testing::Observe(std::string(kInversion) + "order C>D: writer\norder D>C: audit");
  const auto stack = [&](const char* function, std::uint32_t line) {
    Frame lock;
    lock.function = "pthread_mutex_lock";
    Frame own;
    own.function = function;
    own.file = "/src/ledger.cc";
    own.line = line;
    observation.stacks.push_back({{lock, own}, StackEnd::kComplete});
    return static_cast<StackIndex>(observation.stacks.size() - 1);
  };
  for (LockOrder& order : observation.hold_activity.orders) {
    const bool writes = order.sightings[0].thread_name == "writer";
    order.sightings[0].held_at = stack(writes ? "Ledger::Post()" : "Audit::Run()", 71);
    order.sightings[0].wanted_at = stack(writes ? "Account::Debit()" : "Ledger::Append()", 40);
  }
  const std::vector<Finding> findings = Detect(observation);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].proof[0],
            "writer (1000) had mutex A, taken in Ledger::Post ledger.cc:71, and asked for mutex B "
            "in Account::Debit ledger.cc:40");
  EXPECT_EQ(findings[0].proof.back(), "1 more ring of other locks at the same places");
}

TEST(LockOrderInversion, OfATangleSaysHowManyAreNotTold) {
  std::string text;
  for (int a = 0; a < 10; ++a) {
    for (int b = 0; b < 10; ++b) {
      if (a == b) continue;
      text += "order L" + std::to_string(a) + ">L" + std::to_string(b) + ": t" + std::to_string(a) +
              "\n";
    }
  }
  const std::vector<Finding> findings = Detect(testing::Observe(text));
  ASSERT_EQ(findings.size(), 16U);
  EXPECT_EQ(findings[15].proof.back(), "29 more inversions of this process are not told: too many");
}

TEST(LockOrderInversion, SaysWhatWasTooMuchToBeDecided) {
  std::string text;
  int thread = 0;
  const auto add = [&](const std::string& pair, const char* guard) {
    text += "order " + pair + ": " + guard + " t" + std::to_string(thread++) + "\n";
  };
  const auto name = [](int layer, int way) {
    return "L" + std::to_string(layer) + "x" + std::to_string(way);
  };
  for (int way = 0; way < 3; ++way) {
    add("E>" + name(0, way), "guard=G");
    add(name(11, way) + ">E", "guard=G");
    for (int layer = 0; layer < 11; ++layer) {
      for (int next = 0; next < 3; ++next) add(name(layer, way) + ">" + name(layer + 1, next), "");
    }
  }
  std::vector<Loss> undecided;
  EXPECT_TRUE(Detect(testing::Observe(text), {}, &undecided).empty());
  EXPECT_THAT(undecided, ElementsAre(Loss{"orders of locks: too many rings to look at each", 1,
                                          true, "pid 1000 (app)"}));
}

}  // namespace
}  // namespace ct
