// What nobody takes care of, from two looks to findings.
#include "observe/python_forgotten.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detect/detect.h"

namespace ct {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

PythonFailure Failure(std::uint64_t future, const std::string& name) {
  PythonFailure failure;
  failure.future = future;
  failure.is_task = true;
  failure.name = name;
  failure.type = "ValueError";
  failure.message = "no price";
  failure.raised = {PythonFrame{0, 12, 0x10, false, {}}};
  failure.referrer = "shop.running";
  return failure;
}

PythonProcess Shop() {
  PythonProcess process;
  process.codes = {{"refresh", "/srv/shop.py"}, {"send_mail", "/srv/mail.py"}};
  process.failures = {Failure(0x100, "b"), Failure(0x200, "a")};
  process.unawaited = {{0x300, 1, 7, "shop.pending"}, {0x400, 1, 7, "shop.pending"}};
  return process;
}

Observation Build(const PythonProcess& first, const PythonProcess& second) {
  Observation observation;
  Process process;
  process.id.tid = 42;
  observation.processes.push_back(process);
  AddForgotten({first, second, 1, 2}, 0, observation);
  return observation;
}

// Answers with the same each time, and counts.
class CountingReader final : public Reader {
 public:
  explicit CountingReader(PythonProcess process) : process_(std::move(process)) {}
  ProcessRead Read(const ProcessToRead& request) override {
    EXPECT_TRUE(request.want_forgotten);
    ++readings;
    ProcessRead answer;
    answer.python = process_;
    return answer;
  }
  [[nodiscard]] ReaderCost cost() const override { return {}; }

  int readings = 0;

 private:
  PythonProcess process_;
};

int ReadingsOf(const PythonProcess& process) {
  CountingReader reader(process);
  std::vector<Loss> losses;
  EXPECT_TRUE(LookForForgotten(reader, 42, nullptr, losses));
  return reader.readings;
}

TEST(PythonForgotten, WhatOneReadingShowsASecondHasToConfirm) {
  EXPECT_EQ(ReadingsOf(PythonProcess()), 1) << "there is nothing to confirm";
  EXPECT_EQ(ReadingsOf(Shop()), 2);
  PythonProcess locked;
  locked.abandoned.emplace_back().lock = 0x500;
  EXPECT_EQ(ReadingsOf(locked), 2);
  PythonProcess torn;
  torn.skips = {{"objects of the heap", 3}};
  EXPECT_EQ(ReadingsOf(torn), 2) << "the other reading may see what this one has missed";
}

TEST(PythonForgotten, ThoseOfOnePlaceAreOneFinding) {
  const Observation observation = Build(Shop(), Shop());
  const std::vector<Finding> findings = Detect(observation);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].kind, FindingKind::kSwallowedException);
  EXPECT_EQ(findings[0].evidence, Evidence::kCertain);
  EXPECT_EQ(findings[0].ending, Ending::kMayEnd);
  EXPECT_THAT(findings[0].exceptions, ElementsAre(0, 1));
  EXPECT_EQ(observation.swallowed_exceptions[0].name, "a");
  EXPECT_EQ(findings[1].kind, FindingKind::kNeverAwaited);
  EXPECT_EQ(findings[1].evidence, Evidence::kProbable);
  ASSERT_EQ(observation.never_awaited.size(), 1U);
  EXPECT_EQ(observation.never_awaited[0].count, 2U);
  EXPECT_EQ(observation.never_awaited[0].referrer, "shop.pending");
  EXPECT_TRUE(observation.searched_for_forgotten);
}

TEST(PythonForgotten, WhatIsInOneLookAloneIsTakenCareOf) {
  PythonProcess other = Shop();
  other.failures = {Failure(0x100, "b")};
  other.failures[0].type = "KeyError";  // another one where the first was
  other.unawaited = {{0x300, 1, 8, "shop.pending"}, {0x500, 1, 7, "shop.pending"}};
  for (const Observation& observation : {Build(Shop(), other), Build(other, Shop())}) {
    EXPECT_THAT(observation.swallowed_exceptions, IsEmpty());
    EXPECT_THAT(observation.never_awaited, IsEmpty());
  }
}

TEST(PythonForgotten, WhoMayStillAskMakesItProbable) {
  PythonProcess other = Shop();
  other.failures[0].may_be_asked_for = true;
  EXPECT_EQ(Build(other, Shop()).swallowed_exceptions[1].evidence, Evidence::kProbable);
  EXPECT_EQ(Build(Shop(), other).swallowed_exceptions[1].evidence, Evidence::kProbable);
}

TEST(PythonForgotten, OnlyThoseOfSelectedProcessesAreTold) {
  Observation observation = Build(Shop(), Shop());
  observation.filter = "pid 42";
  EXPECT_THAT(Detect(observation), IsEmpty());
  observation.processes[0].selected = true;
  EXPECT_EQ(Detect(observation).size(), 2U);
  EXPECT_TRUE(Concerns(Detect(observation)[0], observation, 0));
}

// Somebody waits since 5 s for a lock that both looks found abandoned.
class AbandonedLock : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kLock = 0x500;
  AbandonedLock() {
    look_.second = Shop();
    PythonFrame taker;
    taker.line = 12;
    look_.second.abandoned = {{kLock, {taker}}};
    look_.first = look_.second;
    look_.begin = 10 * kSecond;
    Process process;
    process.id.tid = 42;
    process.space = 3;
    observation_.processes.push_back(process);
    observation_.actors.emplace_back().process = 0;
    Resource& lock = observation_.resources.emplace_back();
    lock.kind = ResourceKind::kMutex;
    lock.implementation = Implementation::kCpython;
    lock.id.space = 3;
    lock.id.address = kLock;
    Wait& wait = observation_.waits.emplace_back();
    wait.actor = 0;
    wait.resource = 0;
    wait.since = 5 * kSecond;
  }
  Abandoned Marked() {
    AddAbandoned(AbandonedIn(look_), 0, observation_);
    return observation_.resources[0].abandoned;
  }
  PythonLook look_;
  Observation observation_;
};

TEST_F(AbandonedLock, IsMarkedWithWhoTakesIt) {
  EXPECT_EQ(Marked(), Abandoned::kUnreferenced);
  EXPECT_EQ(observation_.resources[0].where, "acquire() in refresh shop.py:12");
}

TEST_F(AbandonedLock, MustBeSoInBothLooks) {
  look_.first.abandoned.clear();
  EXPECT_EQ(Marked(), Abandoned::kNo);
}

TEST_F(AbandonedLock, IsNoneForWhoHasWaitedOnlySince) {
  observation_.waits[0].since = 11 * kSecond;
  EXPECT_EQ(Marked(), Abandoned::kNo);
}

TEST_F(AbandonedLock, IsNoneIfSomebodyIsSeenToHaveIt) {
  observation_.holds.emplace_back().resource = 0;
  EXPECT_EQ(Marked(), Abandoned::kNo);
}

TEST_F(AbandonedLock, IsNoneOfAnotherProcessOrOneThatMoves) {
  observation_.resources[0].changed_hands = true;
  EXPECT_EQ(Marked(), Abandoned::kNo);
  observation_.resources[0].changed_hands = false;
  observation_.resources[0].id.space = 4;
  EXPECT_EQ(Marked(), Abandoned::kNo);
}

}  // namespace
}  // namespace ct
