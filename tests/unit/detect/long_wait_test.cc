#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

using testing::Findings;
using testing::ProofOf;

TEST(LongWait, FromTheOldestWaiterToTheRoot) {
  EXPECT_EQ(Findings(R"(
    a: waits L 3s
    b: holds L, waits M 5s
    c: holds M, runs
  )"),
            "LONG_WAIT certain, may end, for 5.0 s | a b wait | b>M | root c");
}

TEST(LongWait, WaitersThatShareTheRootAreOne) {
  std::string many = "holder: holds L\n";
  std::string names;
  for (int i = 0; i < 31; ++i) {
    many += "w" + std::to_string(i) + ": waits L 3s\n";
    names += (i == 0 ? "w" : " w") + std::to_string(i);
  }
  EXPECT_EQ(Findings(many),
            "LONG_WAIT certain, may end, for 3.0 s | " + names + " wait | w0>L | root holder");
}

TEST(LongWait, OneARoot) {
  EXPECT_EQ(Findings(R"(
    a: waits L 3s
    b: holds L, runs
    c: waits M 4s
    d: waits M 2s
    e: holds M, runs
  )"),
            "LONG_WAIT certain, may end, for 4.0 s | c d wait | c>M | root e\n"
            "LONG_WAIT certain, may end, for 3.0 s | a wait | a>L | root b");
}

TEST(LongWait, YoungWaitersAreOnlyCounted) {
  EXPECT_EQ(Findings(R"(
    a: waits L 3s
    b: waits L 300ms
    main: joins a
    c: holds L, runs
    d: joins c
  )"),
            "LONG_WAIT certain, may end, for 3.0 s | a wait | a>L | root c | behind b main");
}

TEST(LongWait, OfAnAgeThatTheUserSets) {
  const std::string text = "a: waits L 300ms\nb: holds L, runs";
  EXPECT_EQ(Findings(text), "");
  EXPECT_EQ(Findings(text, {.long_wait = 300 * kMillisecond}),
            "LONG_WAIT certain, may end, for 300 ms | a wait | a>L | root b");
}

TEST(LongWait, IdleWaitsAndJoinsNeverAlarm) {
  EXPECT_EQ(Findings(R"(
    lock C: condition unknown
    main: joins worker 3600s
    worker: waits C event 3600s
    other: waits C event 3600s
  )"),
            "");
}

TEST(LongWait, FollowsTheChainThroughAJoin) {
  EXPECT_EQ(Findings(R"(
    a: waits L 3s
    b: holds L, joins c
    c: runs
  )"),
            "LONG_WAIT certain, may end, for 3.0 s | a wait | a>L b>exit-of-c | root c");
}

TEST(LongWait, AHolderThatWaitsForAnEventIsTheRoot) {
  EXPECT_EQ(Findings(R"(
    lock C: condition unknown
    a: waits L 3s
    b: holds L, waits C event
  )"),
            "LONG_WAIT certain, may end, for 3.0 s | a wait | a>L | root b");
}

TEST(LongWait, AnUnknownHolderIsARootWithoutAName) {
  EXPECT_EQ(Findings(R"(
    lock R: rwlock unknown
    a: waits R 3s
    b: waits R 2s
  )"),
            "LONG_WAIT certain, may end, for 3.0 s | a b wait | a>R");
}

TEST(LongWait, IsAsSureAsItsWeakestEdge) {
  EXPECT_EQ(Findings("a: waits L 3s probable\nb: holds L, runs"),
            "LONG_WAIT probable, may end, for 3.0 s | a wait | a>L | root b");
  EXPECT_EQ(Findings("a: waits L 3s\nb: holds L probable, runs"),
            "LONG_WAIT probable, may end, for 3.0 s | a wait | a>L | root b");
  EXPECT_EQ(Findings("a: waits L 3s doubtful\nb: holds L, runs"), "");
}

TEST(LongWait, PrefersTheHolderThatIsKnownBest) {
  EXPECT_EQ(Findings(R"(
    lock pool: pool capacity=2
    a: waits pool 3s
    b: holds pool probable, runs
    c: holds pool, runs
  )"),
            "LONG_WAIT certain, may end, for 3.0 s | a wait | a>pool | root c");
}

TEST(LongWait, ARingThatIsNotProvenIsNoDeadlockButItsWaitsAreLong) {
  EXPECT_EQ(Findings(R"(
    a: holds L, waits M 9s continued
    b: holds M, waits L 8s continued
    c: waits L 7s
  )"),
            "LONG_WAIT certain, may end, for 9.0 s | a b c wait | a>M b>L | root a");
}

// Its holder may or may not be the one; the deadlock is told, and this wait is, too.
TEST(LongWait, WhoPerhapsWaitsForADeadlockIsToldApart) {
  EXPECT_EQ(Findings(R"(
    lock R: rwlock unknown
    a: holds L, holds R probable, waits M
    b: holds M, waits L
    c: waits R 3s
  )"),
            "DEADLOCK certain, never, for 10.0 s | a>M b>L\n"
            "LONG_WAIT probable, may end, for 3.0 s | c wait | c>R | root a");
}

TEST(LongWait, SaysWhatTheRootIs) {
  EXPECT_EQ(ProofOf("a: waits L\nb: holds L, stopped"),
            (std::vector<std::string>{"a (1000) waits for mutex L, held by b (1001)",
                                      "b (1001) is stopped"}));
  EXPECT_EQ(ProofOf("a: waits L\nb: holds L, throttled").back(),
            "b (1001) is throttled: its cgroup is out of CPU quota");
  EXPECT_EQ(ProofOf("a: waits L\nb: holds L, runs").back(), "b (1001) runs");
  EXPECT_EQ(ProofOf("lock L: unknown\na: waits L").back(),
            "a (1000) waits for mutex L, whose holder is unknown");

  Observation on_a_socket = testing::Observe("a: waits L\nb: holds L");
  on_a_socket.actors[1].syscall = {7, "poll", "socket 10.0.0.4:5432", {}};
  EXPECT_EQ(Detect(on_a_socket).front().proof.back(),
            "b (1001) sleeps in poll on socket 10.0.0.4:5432");
}

TEST(LongWait, AdvisesWhatLetsAHeldBackRootGoOn) {
  const auto advice = [](const std::string& state) {
    return Detect(testing::Observe("a: waits L\nb: holds L, " + state)).front().advice;
  };
  EXPECT_EQ(advice("stopped"), "Continue it: kill -CONT 1001");
  EXPECT_EQ(advice("traced"), "Let the debugger continue it");
  EXPECT_EQ(advice("frozen"), "Thaw its cgroup");
  EXPECT_EQ(advice("throttled"), "Raise the CPU quota of its cgroup");
  EXPECT_EQ(advice("runs"), "");
}

}  // namespace
}  // namespace ct
