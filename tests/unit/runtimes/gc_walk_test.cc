// The garbage collector's lists, whole and broken.
#include "runtimes/cpython/gc_walk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_heap.h"

namespace ct::cpython {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Address kInterpreter = 0x8000000;
constexpr Address kGenerations = kInterpreter + 672;
constexpr Address kFrozen = kInterpreter + 752;
constexpr Address kFlag = 1;

class GcWalks : public testing::Test {
 protected:
  GcWalks() {
    for (const Address head : {kGenerations, kGenerations + 24, kGenerations + 48, kFrozen}) {
      Ring(head, {});
    }
  }
  // A list of these objects, with flags in its pointers as a collector leaves them.
  void Ring(Address head, const std::vector<Address>& objects) {
    Address last = head;
    for (const Address object : objects) {
      Link(last, object - 16);
      last = object - 16;
    }
    Link(last, head);
  }
  void Link(Address from, Address to) {
    fake_.memory.Write(from, to | kFlag);
    fake_.memory.Write(to + 8, from | kFlag);
  }
  std::vector<Address> Walk(const GcWalk::Limits& limits = {}) {
    std::vector<Address> seen;
    GcWalk walk(fake_.heap, fake_.memory, limits);
    complete_ = walk.Walk(kInterpreter, [&](Address object, Address type) {
      EXPECT_EQ(type, fake_.heap.Word(object + 8));
      seen.push_back(object);
    });
    return seen;
  }
  FakeHeap fake_;
  bool complete_ = false;
};

TEST_F(GcWalks, VisitsTheObjectsOfAllGenerations) {
  const Address a = fake_.List({}), b = fake_.List({}), c = fake_.List({}), d = fake_.List({});
  Ring(kGenerations, {a});
  Ring(kGenerations + 48, {b, c});
  Ring(kFrozen, {d});
  EXPECT_THAT(Walk(), ElementsAre(a, b, c, d));
  EXPECT_TRUE(complete_);
  EXPECT_THAT(fake_.heap.skips().Take(), IsEmpty());
}

TEST_F(GcWalks, GoesOnFromTheOtherEndWhereAListIsBroken) {
  const Address a = fake_.List({}), b = fake_.List({}), c = fake_.List({}), d = fake_.List({});
  Ring(kGenerations, {a, b, c, d});
  fake_.memory.Write<Address>(b - 8, 0x1230);  // whose neighbour it says it is
  EXPECT_THAT(Walk(), ElementsAre(a, d, c, b));
  EXPECT_TRUE(complete_);
}

TEST_F(GcWalks, SaysWhatItCouldNotReach) {
  const Address a = fake_.List({}), b = fake_.List({}), c = fake_.List({});
  Ring(kGenerations, {a, b, c});
  fake_.memory.Write<Address>(b - 16, 0);
  fake_.memory.Write<Address>(b - 8, 0);
  EXPECT_THAT(Walk(), ElementsAre(a, c));
  EXPECT_FALSE(complete_);
  EXPECT_THAT(
      fake_.heap.skips().Take(),
      ElementsAre(PythonSkip{"objects of the heap whose lists changed while they were read", 1}));
}

TEST_F(GcWalks, EndsWhereAListHasNoEnd) {
  const Address a = fake_.List({}), b = fake_.List({});
  Ring(kGenerations, {a, b});
  Link(b - 16, a - 16);  // the head is not in the ring any more
  EXPECT_THAT(Walk({.objects = 1000}), ElementsAre());
  EXPECT_FALSE(complete_);
  fake_.memory.Write<Address>(a - 8, kGenerations);
  // From both ends there is nothing but these.
  EXPECT_THAT(Walk({.objects = 1000}), ElementsAre(a, b));
}

// A collection has moved b and c behind d while the walk was at b.
TEST_F(GcWalks, LeavesAListThatIsNotItsOwn) {
  const Address a = fake_.List({}), b = fake_.List({}), c = fake_.List({}), d = fake_.List({});
  Ring(kGenerations, {a, b});
  Ring(kGenerations + 24, {d});
  Link(b - 16, c - 16);
  Link(c - 16, kGenerations + 24);
  EXPECT_THAT(Walk(), ElementsAre(a, b, c, d));
  EXPECT_FALSE(complete_);
}

TEST_F(GcWalks, KeepsToItsLimits) {
  std::vector<Address> many;
  for (int i = 0; i < 100; ++i) many.push_back(fake_.List({}));
  Ring(kGenerations, many);
  EXPECT_EQ(Walk({.objects = 10}).size(), 10U);
  EXPECT_FALSE(complete_);
  EXPECT_THAT(fake_.heap.skips().Take(),
              ElementsAre(PythonSkip{"objects of the heap beyond the limit", 1}));
}

}  // namespace
}  // namespace ct::cpython
