// The reasons, as a person reads them.
#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

using testing::ProofOf;
using Lines = std::vector<std::string>;

TEST(Proof, OfARingStartsAtTheStillOne) {
  EXPECT_EQ(ProofOf(R"(
    io-3: holds L2, waits L1 continued
    audit-1: holds L1, waits L2 still
  )"),
            (Lines{
                "audit-1 (1001) slept through both looks (switch counts equal): it has not "
                "released mutex L1",
                "so io-3 (1000), which waits for mutex L1, has not left its wait: it has not "
                "released mutex L2",
                "audit-1 (1001) waits for mutex L2: none of them can go on",
            }));
}

TEST(Proof, OfARingMayStartAtOneThatWasWokenAndDidNotRun) {
  EXPECT_EQ(ProofOf(R"(
    io-3: holds L2, waits L1 continued
    audit-1: holds L1, waits L2 woken, runnable
  )")
                .front(),
            "audit-1 (1001) was woken and has not run yet (switch counts equal at both looks): it "
            "has not released mutex L1");
}

TEST(Proof, OfASelfDeadlock) {
  EXPECT_EQ(ProofOf("solo: holds L, waits L"),
            (Lines{
                "solo (1000) slept through both looks (switch counts equal): it has not released "
                "mutex L",
                "it waits for this itself",
            }));
}

TEST(Proof, OfAJoin) {
  EXPECT_EQ(ProofOf(R"(
    main: holds L, joins worker continued
    worker: waits L still
  )"),
            (Lines{
                "worker (1001) slept through both looks (switch counts equal): it has not ended",
                "so main (1000), which waits for the exit of worker (1001), has not left its "
                "wait: it has not released mutex L",
                "worker (1001) waits for mutex L: none of them can go on",
            }));
}

TEST(Proof, OfAProbableRingSaysWhatIsInferred) {
  Observation observation = testing::Observe("a: holds L, waits M\nb: holds M probable, waits L");
  observation.holds[1].evidence_note = "last releaser";
  EXPECT_EQ(Detect(observation).front().proof,
            (Lines{
                "a (1000) waits for mutex M, held by b (1001) (probable)",
                "b (1001) waits for mutex L, held by a (1000)",
                "all 2 slept through both looks (switch counts equal)",
                "not certain: last releaser",
            }));
}

TEST(Proof, OfAPool) {
  EXPECT_EQ(ProofOf("lock P: pool capacity=2\na: holds P, waits P\nb: holds P, waits P"),
            (Lines{
                "a (1000) waits for mutex P, held by a (1000) and 1 more holds that are stuck, too",
                "all 2 slept through both looks (switch counts equal)",
                "not certain: mutex P has several units, and who holds none might give one back",
                "1 waits for these and they for it: b (1001)",
            }));
}

TEST(Proof, OfAPoolWhoseUnitsAreAllAccountedFor) {
  EXPECT_EQ(ProofOf("lock P: pool capacity=2 in_use=2\na: holds P, waits P\nb: holds P, waits P"),
            (Lines{
                "mutex P: 2 of 2 units in use, none by anybody who can go on",
                "all 2 slept through both looks (switch counts equal)",
            }));
}

TEST(Proof, NamesHeldBackMembersTimeoutsAndDoubtsBehind) {
  const Lines proof = ProofOf(R"(
    a: holds L, waits M timed=20s
    b: holds M, waits L, stopped
    c: waits L probable
  )");
  ASSERT_EQ(proof.size(), 6U);
  EXPECT_EQ(Lines(proof.begin() + 3, proof.end()),
            (Lines{
                "b (1001) is stopped; to let it go on would not end this",
                "a (1000) gives up when its timeout is over",
                "1 of the 1 behind: what they wait for is probable only",
            }));
}

TEST(Proof, OfAClosedWorld) {
  const std::string text = R"(
    closed
    lock C: condition unknown
    lock L: unknown
    main: waits L
    worker: waits C event
  )";
  const Lines certain = {
      "all 2 threads of the memory space slept through both looks (switch counts equal)",
      "each waits without a timeout for a wake-up that only they could give",
      "main (1000) waits for mutex L: this is not idleness",
  };
  EXPECT_EQ(ProofOf(text), certain);
  Lines probable = certain;
  probable.emplace_back("not certain: the process has a signal handler or a timer, which might");
  EXPECT_EQ(ProofOf(text + "worker: signal"), probable);
}

TEST(Proof, OfAClosedWorldThatOnlyJoins) {
  const Lines probable = {
      "all 2 threads of the memory space slept through both looks (switch counts equal)",
      "each waits without a timeout for a wake-up that only they could give",
      "main (1000) waits for the exit of worker (1001): this is not idleness",
      "not certain: nobody waits for a lock; it may be meant to idle until killed",
  };
  EXPECT_EQ(ProofOf(R"(
    closed
    lock C: condition unknown
    main: joins worker
    worker: waits C event
  )"),
            probable);
}

TEST(Proof, OfALongRingIsBounded) {
  std::string ring;
  for (int i = 0; i < 1000; ++i) {
    ring += "t" + std::to_string(i) + ": holds L" + std::to_string(i) + ", waits L" +
            std::to_string((i + 1) % 1000) + "\n";
  }
  const Lines proof = ProofOf(ring);
  ASSERT_EQ(proof.size(), 18U);
  EXPECT_EQ(proof[16], "and so on for 984 more");
}

TEST(Proof, UsesTheAddressOfALockWithoutAName) {
  Observation observation = testing::Observe("a: holds L, waits L");
  observation.resources[0].symbol.clear();
  observation.resources[0].type = "std::mutex";
  observation.resources[0].where = "heap";
  EXPECT_EQ(Detect(observation).front().proof[0],
            "a (1000) slept through both looks (switch counts equal): it has not released "
            "std::mutex 0x5000 (heap)");
  observation.resources[0].id = {true, 0, 0, 8, 4711, 0x40};
  observation.resources[0].where = "/dev/shm/x";
  EXPECT_EQ(Detect(observation).front().proof[0],
            "a (1000) slept through both looks (switch counts equal): it has not released "
            "std::mutex offset 0x40 (/dev/shm/x)");
}

}  // namespace
}  // namespace ct
