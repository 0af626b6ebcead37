#include <gtest/gtest.h>

#include "tests/unit/detect/findings.h"

namespace ct {
namespace {

// A GIL that was looked at 40 times in two seconds; somebody waited in `first` looks of the first
// second and `second` of the other one.
Observation Contended(std::uint32_t first, std::uint32_t second) {
  Observation observation = testing::Observe("t1: runs\n");
  Resource resource;
  resource.kind = ResourceKind::kGil;
  observation.resources.push_back(resource);
  Frame frame;
  frame.origin = FrameOrigin::kPython;
  frame.function = "resize";
  frame.file = "/srv/shop/images.py";
  observation.stacks.push_back({{frame}, StackEnd::kComplete});
  GilContention gil;
  gil.resource = static_cast<ResourceIndex>(observation.resources.size() - 1);
  gil.process = 0;
  gil.holders.push_back({{11, 1},
                         "crunch",
                         static_cast<StackIndex>(observation.stacks.size() - 1),
                         false,
                         first + second});
  gil.slices = {{testing::kNow - 2 * kSecond, kSecond, kSecond, 20, first, kNoIndex, 0},
                {testing::kNow - kSecond, kSecond, kSecond, 20, second, kNoIndex, 0}};
  observation.contention.gils.push_back(gil);
  return observation;
}

TEST(GilContention, IsToldWhereSomebodyWaitsMostOfTheTime) {
  const Observation observation = Contended(0, 20);
  const std::vector<Finding> findings = Detect(observation);
  ASSERT_EQ(findings.size(), 1U);
  const Finding& finding = findings[0];
  EXPECT_EQ(finding.kind, FindingKind::kGilContention);
  EXPECT_EQ(finding.evidence, Evidence::kCertain);
  EXPECT_EQ(finding.ending, Ending::kMayEnd);
  EXPECT_EQ(finding.resources, std::vector{observation.contention.gils[0].resource});
  EXPECT_EQ(finding.since, testing::kNow - kSecond);
  EXPECT_EQ(finding.proof,
            std::vector<std::string>{"somebody waited for it in 50 % of the time, by 40 looks"});
  EXPECT_EQ(
      finding.advice,
      "Only one thread runs Python at a time: move what crunch does to another process, or into "
      "C code that releases the GIL");
  EXPECT_FALSE(IsHang(finding.kind));
}

// A service that serves from several threads is well.
TEST(GilContention, IsNotToldOfAFewWaits) { EXPECT_TRUE(Detect(Contended(5, 5)).empty()); }

TEST(GilContention, IsNotToldAfterAFewLooks) {
  Observation observation = Contended(20, 20);
  for (GilSlice& slice : observation.contention.gils[0].slices) slice.looks = slice.contended = 4;
  EXPECT_TRUE(Detect(observation).empty());
}

TEST(GilContention, AdvisesOnGarbage) {
  Observation observation = Contended(20, 20);
  observation.contention.gils[0].holders[0].collecting = true;
  EXPECT_EQ(Detect(observation).at(0).advice,
            "Fewer objects that live long, or gc.freeze() after the start");
}

TEST(GilContention, OfAProcessThatWasNotAskedForIsNotTold) {
  Observation observation = Contended(20, 20);
  observation.filter = "pid 1";
  observation.processes[0].selected = false;
  EXPECT_TRUE(Detect(observation).empty());
  observation.processes[0].selected = true;
  EXPECT_EQ(Detect(observation).size(), 1U);
}

// A file may say anything.
TEST(GilContention, ToleratesRowsThatReferToNothing) {
  Observation observation = Contended(20, 20);
  GilContention& gil = observation.contention.gils[0];
  gil.holders[0].stack = 99;
  EXPECT_EQ(Detect(observation).size(), 1U);
  gil.resource = 99;
  EXPECT_TRUE(Detect(observation).empty());
}

}  // namespace
}  // namespace ct
