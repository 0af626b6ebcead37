// From a catalog, and what of it a process has, to probes in the order in which they are armed.
#include "observe/hold_probes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ct {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

CatalogFunction Function(const char* name, HoldRole role) {
  CatalogFunction function;
  function.name = name;
  function.role = role;
  return function;
}

std::vector<CatalogFamily> Catalog() {
  CatalogFamily mutex;
  mutex.name = "mutex";
  mutex.files = {"libc.so.6"};
  mutex.owner.has_owner = true;
  mutex.functions = {Function("lock", HoldRole::kAcquire),
                     Function("wait", HoldRole::kConditionWait),
                     Function("unlock", HoldRole::kRelease), Function("destroy", HoldRole::kEnd)};
  CatalogFamily pool;
  pool.name = "pool";
  pool.files = {"exe"};
  pool.kind = ResourceKind::kPool;
  pool.has_units = true;
  pool.capacity = 3;
  pool.functions = {Function("get", HoldRole::kAcquire), Function("put", HoldRole::kRelease)};
  pool.functions[0].success = SuccessRule::kReturnValue;
  return {mutex, pool};
}

FunctionFound Found(std::uint32_t query, const char* name, std::string why_not = "") {
  FunctionFound found;
  found.query = query;
  found.site.function = name;
  found.site.entry_offset = 0x1000 + query;
  found.why_not = std::move(why_not);
  return found;
}

std::vector<std::string> Names(const FamilyProbes& family) {
  std::vector<std::string> names;
  for (const HoldProbe& probe : family.probes) names.push_back(probe.site.function);
  return names;
}

TEST(SelectProbes, ReleasesComeBeforeAcquires) {
  const auto selection = SelectProbes(
      Catalog(),
      std::vector{Found(0, "lock"), Found(1, "wait"), Found(2, "unlock"), Found(3, "destroy")});
  ASSERT_EQ(selection.families.size(), 1U);
  EXPECT_THAT(Names(selection.families[0]), ElementsAre("destroy", "unlock", "wait", "lock"));
  EXPECT_THAT(selection.refused, IsEmpty());
}

TEST(SelectProbes, AProbeIsWhatTheCatalogSays) {
  const auto selection = SelectProbes(Catalog(), std::vector{Found(4, "get"), Found(5, "put")});
  ASSERT_EQ(selection.families.size(), 1U);
  const HoldProbe& get = selection.families[0].probes[1];
  EXPECT_EQ(get.family, "pool");
  EXPECT_EQ(get.kind, ResourceKind::kPool);
  EXPECT_EQ(get.capacity, 3U);
  EXPECT_TRUE(get.has_unit);
  EXPECT_EQ(get.success, SuccessRule::kReturnValue);
  EXPECT_EQ(get.site.entry_offset, 0x1004U);
}

TEST(SelectProbes, WhatAProcessDoesNotHaveIsNoFault) {
  const auto selection = SelectProbes(Catalog(), {});
  EXPECT_THAT(selection.families, IsEmpty());
  EXPECT_THAT(selection.refused, IsEmpty());
}

TEST(SelectProbes, AllOverloadsAreProbed) {
  const auto selection = SelectProbes(
      Catalog(), std::vector{Found(4, "get()"), Found(4, "get(int)"), Found(5, "put")});
  ASSERT_EQ(selection.families.size(), 1U);
  EXPECT_THAT(Names(selection.families[0]), ElementsAre("put", "get()", "get(int)"));
}

TEST(SelectProbes, AFamilyWithoutAReleaseIsRefusedWithWhy) {
  const auto selection = SelectProbes(
      Catalog(), std::vector{Found(4, "get"), Found(5, "put", "it leaves by a tail call")});
  EXPECT_THAT(selection.families, IsEmpty());
  EXPECT_THAT(selection.refused, ElementsAre("pool: put: it leaves by a tail call",
                                             HasSubstr("no release of it can be probed")));
}

// The owner's word says who has the mutex afterwards, if not exactly since when.
TEST(SelectProbes, AConditionsWaitDoesWithoutItsReturns) {
  const auto selection = SelectProbes(
      Catalog(),
      std::vector{Found(0, "lock"), Found(1, "wait", "it leaves by a jump"), Found(2, "unlock")});
  ASSERT_EQ(selection.families.size(), 1U);
  EXPECT_THAT(Names(selection.families[0]), ElementsAre("unlock", "wait", "lock"));
}

}  // namespace
}  // namespace ct
