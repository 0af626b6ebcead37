// What must hold for the findings of any observation. A failure prints the seed that made it.
#include <algorithm>

#include <gtest/gtest.h>

#include "detect/detect.h"
#include "tests/unit/graph/oracle.h"
#include "tests/unit/graph/random_observation.h"
#include "track/finding_tracker.h"

namespace ct {
namespace {

using testing::ActorSet;
using testing::Oracle;

constexpr std::uint32_t kObservations = 4000;

const Wait& WaitOf(const Observation& observation, ActorIndex actor) {
  return *std::find_if(observation.waits.begin(), observation.waits.end(),
                       [actor](const Wait& wait) { return wait.actor == actor; });
}

bool HasUntimedKnot(const Observation& observation, StuckRules rules, const Finding& finding) {
  const std::vector<ActorSet> knots = Oracle(observation, rules).Knots();
  return std::any_of(knots.begin(), knots.end(), [&](const ActorSet& knot) {
    return std::find(finding.members.begin(), finding.members.end(), *knot.begin()) !=
           finding.members.end();
  });
}

// Members are stuck by definition; a certain deadlock has no guessed edge and a member that did not
// run.
void ExpectAccusationHolds(const Observation& observation, const Finding& finding) {
  const bool certain = finding.kind == FindingKind::kDeadlock;
  const StuckRules rules = certain ? StuckRules::Proven() : StuckRules::Likely();
  const ActorSet stuck = Oracle(observation, rules.WithTimed()).Stuck();
  EXPECT_EQ(finding.ending == Ending::kNever, HasUntimedKnot(observation, rules, finding));
  bool somebody_did_not_run = false;
  for (const ActorIndex member : finding.members) {
    EXPECT_TRUE(stuck.contains(member));
    const Wait& wait = WaitOf(observation, member);
    EXPECT_NE(wait.continuity, Continuity::kSeenOnce);
    somebody_did_not_run |= wait.continuity >= Continuity::kDidNotRun;
    if (certain) {
      EXPECT_EQ(wait.evidence, Evidence::kCertain);
    }
  }
  EXPECT_TRUE(somebody_did_not_run);
  EXPECT_FALSE(finding.proof.empty());
}

// Every knot that the rules of certain deadlocks allow is told.
void ExpectNothingMissed(const Observation& observation, const std::vector<Finding>& findings) {
  for (const ActorSet& knot : Oracle(observation, StuckRules::Proven()).Knots()) {
    const bool provable = std::any_of(knot.begin(), knot.end(), [&](ActorIndex actor) {
      return WaitOf(observation, actor).continuity == Continuity::kStill;
    });
    if (!provable) continue;
    EXPECT_TRUE(std::any_of(findings.begin(), findings.end(), [&](const Finding& finding) {
      return finding.kind == FindingKind::kDeadlock &&
             ActorSet(finding.members.begin(), finding.members.end()) == knot;
    }));
  }
}

TEST(DetectProperty, AccusesWhomTheRulesAccuseAndEverybodyOnce) {
  std::size_t deadlocks = 0;
  std::size_t probable = 0;
  for (std::uint32_t seed = 1; seed <= kObservations && !HasFailure(); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Observation observation = testing::RandomObservation(seed);
    const std::vector<Finding> findings = Detect(observation);
    ActorSet told;
    for (const Finding& finding : findings) {
      for (const ActorIndex actor : finding.members) {
        EXPECT_TRUE(told.insert(actor).second) << "told twice: " << actor;
      }
      for (const ActorIndex actor : finding.blocked_behind) {
        EXPECT_TRUE(told.insert(actor).second) << "told twice: " << actor;
      }
      deadlocks += finding.kind == FindingKind::kDeadlock ? 1 : 0;
      probable += finding.kind == FindingKind::kProbableDeadlock ? 1 : 0;
      if (!finding.ring.empty()) ExpectAccusationHolds(observation, finding);
    }
    ExpectNothingMissed(observation, findings);
  }
  // Observations without any would prove nothing.
  EXPECT_GT(deadlocks, kObservations / 10);
  EXPECT_GT(probable, kObservations / 40);
}

TEST(DetectProperty, ToleratesMalformedObservations) {
  FindingTracker tracker;
  std::size_t found = 0;
  for (std::uint32_t seed = 1; seed <= kObservations; ++seed) {
    const Observation observation = testing::MalformedObservation(seed);
    std::vector<Finding> findings = Detect(observation);
    found += tracker.Update(findings, observation).appeared.size();
  }
  EXPECT_GT(found, kObservations / 10);
}

}  // namespace
}  // namespace ct
