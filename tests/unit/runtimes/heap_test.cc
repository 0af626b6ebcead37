#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_heap.h"
#include "runtimes/cpython/page_cache.h"

namespace ct::cpython {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr Address kWild = 0x7fff12345678;
constexpr std::size_t kLimit = 100;

TEST(Heap, ReadsStrings) {
  FakeHeap fake;
  EXPECT_EQ(fake.heap.Str(fake.Str("hello"), 256), "hello");
  EXPECT_EQ(fake.heap.Str(fake.Str("hello"), 3), "hel");
  EXPECT_EQ(fake.heap.Str(fake.Str(""), 3), "");
  const Address wide = fake.New(80, fake.heap.TypeOf(fake.Str(""))->address);
  fake.memory.Write<std::uint64_t>(wide + 16, 3);
  fake.memory.Write<std::uint32_t>(wide + 32, 2 << 2 | 1 << 5);
  fake.memory.Write(wide + 72, std::array<std::uint16_t, 3>{'a', 0xe4, 0xd800});
  EXPECT_EQ(fake.heap.Str(wide, 256), "a\u00e4\ufffd");
  EXPECT_EQ(fake.heap.Str(wide, 2), "a");  // never half a character
}

TEST(Heap, RefusesStringsThatAreNone) {
  FakeHeap fake;
  EXPECT_EQ(fake.heap.Str(0, 256), std::nullopt);
  EXPECT_EQ(fake.heap.Str(kWild, 256), std::nullopt);
  EXPECT_EQ(fake.heap.Str(fake.List({}), 256), std::nullopt);
  const Address long_one = fake.Str("short");
  fake.memory.Write<std::uint64_t>(long_one + 16, ~0ULL);
  EXPECT_EQ(fake.heap.Str(long_one, 1 << 20), std::nullopt);
  const Address no_width = fake.Str("short");
  fake.memory.Write<std::uint32_t>(no_width + 32, 0xff);
  EXPECT_EQ(fake.heap.Str(no_width, 256), std::nullopt);
}

TEST(Heap, ReadsContainers) {
  FakeHeap fake;
  const Address a = fake.Str("a");
  const Address b = fake.Str("b");
  EXPECT_THAT(fake.heap.Elements(fake.List({a, b}), kLimit), ElementsAre(a, b));
  EXPECT_THAT(fake.heap.Elements(fake.Tuple({b, a}), kLimit), ElementsAre(b, a));
  EXPECT_THAT(fake.heap.Elements(fake.Set({a, b}, 8), kLimit), UnorderedElementsAre(a, b));
  EXPECT_THAT(fake.heap.Elements(fake.Dict({{"x", a}, {"y", b}}), kLimit), ElementsAre(a, b));
  EXPECT_THAT(fake.heap.Elements(a, kLimit), IsEmpty());
  EXPECT_EQ(fake.heap.DictGet(fake.Dict({{"x", a}, {"y", b}}), "y"), b);
  EXPECT_EQ(fake.heap.DictGet(fake.Dict({{"x", a}, {"y", b}}), "z"), 0u);
}

TEST(Heap, ReadsDequesOfManyBlocks) {
  FakeHeap fake;
  std::vector<Address> items;
  for (int i = 0; i < 90; ++i) items.push_back(fake.Str("item"));
  EXPECT_EQ(fake.heap.Elements(fake.Deque(items), kLimit), items);
}

TEST(Heap, BoundsContainersAndCountsWhatIsLeftOut) {
  FakeHeap fake;
  const std::vector<Address> items(130, fake.Str("x"));
  for (const Address container :
       {fake.List(items), fake.Tuple(items), fake.Set(items, 512), fake.Deque(items)}) {
    EXPECT_THAT(fake.heap.Elements(container, kLimit), SizeIs(kLimit));
    EXPECT_THAT(fake.heap.skips().Take(),
                ElementsAre(PythonSkip{"elements of a container beyond the limit", 30}));
    EXPECT_THAT(fake.heap.SomeElements(container, kLimit), SizeIs(kLimit));
    EXPECT_THAT(fake.heap.skips().Take(), IsEmpty());
  }
}

TEST(Heap, ContainersOfASizeThatTheyCannotHaveAreOneSkip) {
  FakeHeap fake;
  const Address item = fake.Str("x");
  const Address tuple = fake.Tuple({item});
  const Address list = fake.List({item});
  const Address deque = fake.Deque({item});
  for (const std::uint64_t size : {std::uint64_t{9'760'832}, ~std::uint64_t{0}}) {
    fake.memory.Write(tuple + 16, size);
    fake.memory.Write(list + 16, size);
    fake.memory.Write(list + 32, size);
    fake.memory.Write(deque + 16, size);
    fake.memory.Write(deque + 32, kWild);
    for (const Address container : {tuple, list, deque}) {
      EXPECT_THAT(fake.heap.Elements(container, kLimit), IsEmpty());
      EXPECT_THAT(fake.heap.skips().Take(),
                  ElementsAre(PythonSkip{"containers of a size that they cannot have", 1}));
    }
  }
  // Nor is a table that is no power of two, or has more elements than slots.
  const Address set = fake.Set({item}, 8);
  fake.memory.Write<std::uint64_t>(set + 32, ~0ULL - 1);
  EXPECT_THAT(fake.heap.Elements(set, kLimit), IsEmpty());
  fake.memory.Write<std::uint64_t>(set + 32, 0);
  EXPECT_THAT(fake.heap.Elements(set, kLimit), IsEmpty());
}

// What was freed and is part of something else by now: a type where a size was, or where the keys
// of a dict had the number of their entries.
TEST(Heap, ContainersThatChangeWhileTheyAreReadAreOneSkip) {
  FakeHeap fake;
  const std::uint64_t some_type = 0x94f040;
  const Address tuple = fake.Tuple({fake.Str("x")});
  fake.memory.Write(tuple + 16, some_type);
  const Address dict = fake.Dict({{"x", fake.Str("v")}});
  const Address keys = fake.heap.Word(dict + 32);
  fake.memory.Write<std::uint8_t>(keys + 8, 32);
  fake.memory.Write(keys + 24, some_type);
  PageCache cached(fake.memory);
  Heap heap(cached, *OffsetsOf(11), fake.memory);
  for (const Address container : {tuple, dict}) {
    EXPECT_THAT(heap.Elements(container, kLimit), IsEmpty());
    EXPECT_THAT(heap.skips().Take(),
                ElementsAre(PythonSkip{"containers of a size that they cannot have", 1}));
    fake.memory.Write<std::uint64_t>(container, 0);  // freed
    EXPECT_THAT(heap.Elements(container, kLimit), IsEmpty());
    EXPECT_THAT(heap.skips().Take(),
                ElementsAre(PythonSkip{"containers that changed while they were read", 1}));
  }
}

TEST(Heap, WhatHasBeenFreedIsNoContainer) {
  FakeHeap fake;
  const Address item = fake.Str("x");
  const Address dict = fake.Dict({{"x", item}});
  for (const Address container :
       {fake.List({item}), fake.Tuple({item}), fake.Set({item}, 8), fake.Deque({item}), dict}) {
    fake.memory.Write<std::uint64_t>(container, 0);
    EXPECT_THAT(fake.heap.Elements(container, kLimit), IsEmpty());
  }
  EXPECT_EQ(fake.heap.DictGet(dict, "x"), 0u);
  EXPECT_THAT(fake.heap.skips().Take(), IsEmpty());
}

TEST(Heap, EndsOnDequesThatAreCycles) {
  FakeHeap fake;
  const Address deque = fake.Deque(std::vector<Address>(70, fake.Str("x")));
  const Address block = fake.heap.Word(deque + 24);
  fake.memory.Write(block + 65 * 8, block);
  fake.memory.Write<std::uint64_t>(deque + 16, ~0ULL);
  EXPECT_LE(fake.heap.Elements(deque, 1000).size(), 1000u);
  fake.memory.Write<std::uint64_t>(deque + 40, ~0ULL);
  EXPECT_THAT(fake.heap.Elements(deque, 1000), IsEmpty());
}

TEST(Heap, EndsOnDictsWithWildKeys) {
  FakeHeap fake;
  const Address dict = fake.Dict({{"x", fake.Str("v")}});
  const Address keys = fake.heap.Word(dict + 32);
  fake.memory.Write<std::uint64_t>(keys + 24, 1ULL << 40);
  EXPECT_EQ(fake.heap.DictGet(dict, "y"), 0u);
  fake.memory.Write<std::uint8_t>(keys + 8, 255);
  EXPECT_EQ(fake.heap.DictGet(dict, "x"), 0u);
  fake.memory.Write(dict + 32, kWild);
  EXPECT_EQ(fake.heap.DictGet(dict, "x"), 0u);
}

TEST(Heap, FindsAttributesInTheDictInValuesAndInSlots) {
  FakeHeap fake;
  const Address value = fake.Str("value");
  // The dict of an instance at a place that the type names.
  const Address plain = fake.NewType("Plain", 0);
  fake.memory.Write<std::int64_t>(plain + 288, 16);
  const Address with_dict = fake.New(64, plain);
  fake.memory.Write(with_dict + 16, fake.Dict({{"other", with_dict}, {"name", value}}));
  EXPECT_EQ(fake.heap.Attribute(with_dict, "name"), value);
  EXPECT_EQ(fake.heap.Attribute(with_dict, "missing"), 0u);
  // Values in the order of the type's keys.
  const Address managed = fake.NewType("Managed", 1 << 4 | 1 << 9);
  fake.memory.Write(managed + 872, fake.heap.Word(fake.Dict({{"a", 8}, {"name", 8}}) + 32));
  const Address with_values = fake.New(64, managed);
  const Address values = fake.New(64, 0);
  fake.memory.Write(values + 8, value);
  fake.memory.Write(with_values - 32, values);
  fake.memory.Write<Address>(with_values - 24, 0);
  EXPECT_EQ(fake.heap.Attribute(with_values, "name"), value);
  // A slot.
  const Address member = fake.New(64, 0);
  fake.memory.Write<std::uint64_t>(member + 16, 24);
  const Address descriptor = fake.New(64, fake.NewType("member_descriptor", 0));
  fake.memory.Write(descriptor + 40, member);
  const Address slotted = fake.NewType("Slotted", 1 << 9);
  fake.memory.Write(slotted + 264, fake.Dict({{"name", descriptor}}));
  const Address with_slot = fake.New(64, slotted);
  fake.memory.Write(with_slot + 24, value);
  EXPECT_EQ(fake.heap.Attribute(with_slot, "name"), value);
}

TEST(Heap, NamesTypesWithTheirModule) {
  FakeHeap fake;
  const Address type = fake.NewType("Lock", 1 << 9);
  fake.memory.Write(type + 264, fake.Dict({{"__module__", fake.Str("asyncio.locks")}}));
  const Type* found = fake.heap.TypeOf(fake.New(32, type));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name, "asyncio.locks.Lock");
  EXPECT_EQ(found->short_name(), "Lock");
}

TEST(Heap, KnowsTheLayoutOfSubclasses) {
  FakeHeap fake;
  const Address future = fake.NewType("_asyncio.Future", 0);
  const Address gathering = fake.NewType("_GatheringFuture", 1 << 9);
  fake.memory.Write(gathering + 256, future);
  EXPECT_EQ(fake.heap.KindOf(fake.New(32, gathering)), Kind::kFuture);
}

TEST(Heap, EndsOnTypesThatAreCycles) {
  FakeHeap fake;
  const Address type = fake.NewType("Loop", 1 << 9);
  fake.memory.Write(type + 256, type);  // its own base
  const Address object = fake.New(32, type);
  fake.memory.Write(type + 264, object);  // its dict is one of its instances
  EXPECT_EQ(fake.heap.KindOf(object), Kind::kOther);
  // Each type's dict is an instance of the next.
  std::vector<Address> types;
  for (int i = 0; i < 20'000; ++i) {
    types.push_back(fake.NewType("T", 1 << 9));
    if (i > 0) fake.memory.Write(types[i - 1] + 264, fake.New(16, types[i]));
  }
  EXPECT_EQ(fake.heap.KindOf(fake.New(16, types.front())), Kind::kOther);
}

}  // namespace
}  // namespace ct::cpython
