// What the kernel keeps and sends of holds, in the tracer's own words.
#include "kernel/hold_record.h"

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

namespace ct {
namespace {

std::vector<std::byte> Bytes(const ct_hold_record& record, std::size_t pages) {
  std::vector<std::byte> bytes(sizeof(record) + pages * 4096);
  std::memcpy(bytes.data(), &record, sizeof(record));
  return bytes;
}

ct_hold_record Record() {
  ct_hold_record record{};
  record.kind = CT_RECORD_ORDER;
  record.tid = 101;
  record.tgid = 100;
  record.ns_tid = 3;
  record.space = 7;
  record.start_time = 11;
  record.leader_start_time = 10;
  record.at = 5000;
  record.wanted = 0x2000;
  record.wanted_probe = 4;
  record.guard_addresses[1] = 0x3000;
  record.guard_addresses[5] = 0x4000;
  record.held.address = 0x1000;
  record.held.asked = 1000;
  record.held.since = 1001;
  record.held.probe = 2;
  record.held.count = 1;
  record.held.flags = CT_HELD_PLACE | CT_HELD_CONTENDED;
  record.place.caller.sp = 0x7000;
  record.place.caller.ip = 0x400;
  record.now.sp = 0x6010;
  record.now.ip = 0x500;
  std::strcpy(record.comm, "worker");
  record.stack_offset = 0x10;
  record.stack_bytes = 4096 - 0x10;
  return record;
}

TEST(ParseHoldEvent, AnOrder) {
  const auto event = ParseHoldEvent(Bytes(Record(), 5));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, HoldEventKind::kOrder);
  EXPECT_EQ(event->id, (ThreadId{101, 11}));
  EXPECT_EQ(event->leader, (ThreadId{100, 10}));
  EXPECT_EQ(event->ns_tid, 3);
  EXPECT_EQ(event->name, "worker");
  EXPECT_EQ(event->at, 5000);
  EXPECT_EQ(event->wanted, 0x2000U);
  EXPECT_EQ(event->wanted_probe, 4U);
  EXPECT_EQ(event->guards, (std::vector<std::uint64_t>{0x3000, 0x4000}));
  EXPECT_EQ(event->held.address, 0x1000U);
  EXPECT_TRUE(event->held.contended);
  EXPECT_FALSE(event->held.asking);
  ASSERT_TRUE(event->held.place);
  EXPECT_EQ(event->held.place->registers.sp(), 0x7000U);
  EXPECT_EQ(event->held.place->registers.pc(), 0x400U);
  EXPECT_EQ(event->held.place->stack.size(), 256U);
  EXPECT_EQ(event->now.registers.sp(), 0x6010U);
  EXPECT_EQ(event->now.stack.size(), 4096U - 0x10);
}

TEST(ParseHoldEvent, OfPythonCodeWithoutFramesOfTheInterpretersOwn) {
  ct_hold_record record = Record();
  record.kind = CT_RECORD_LONG_HOLD;
  record.place.python.codes[1] = 0x9000;
  record.place.python.offsets[1] = 12;
  record.now_python.codes[0] = 0x9100;
  record.now_python.offsets[0] = 4;
  record.now_python.codes[3] = 0x9200;
  const auto event = ParseHoldEvent(Bytes(record, 5));
  ASSERT_TRUE(event);
  ASSERT_TRUE(event->held.place);
  EXPECT_EQ(event->held.place->python, (std::vector<CodePoint>{{0x9000, 12}}));
  EXPECT_EQ(event->now.python, (std::vector<CodePoint>{{0x9100, 4}, {0x9200, 0}}));
}

TEST(ParseHoldEvent, WithoutAPlaceOrAStack) {
  ct_hold_record record = Record();
  record.kind = CT_RECORD_LONG_HOLD;
  record.held.flags = 0;
  record.stack_bytes = 0;
  const auto event = ParseHoldEvent(Bytes(record, 0));
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, HoldEventKind::kLongHold);
  EXPECT_FALSE(event->held.place);
  EXPECT_TRUE(event->now.stack.empty());
}

TEST(ParseHoldEvent, WhatIsNoneIsNothing) {
  const std::vector<std::byte> bytes = Bytes(Record(), 1);
  EXPECT_FALSE(ParseHoldEvent(std::span(bytes).first(sizeof(ct_hold_record) - 1)));
  ct_hold_record other = Record();
  other.kind = CT_RECORD_WAIT;
  EXPECT_FALSE(ParseHoldEvent(Bytes(other, 1)));
  // A stack that is said to be longer than the record.
  ct_hold_record beyond = Record();
  beyond.stack_bytes = 4097;
  EXPECT_TRUE(ParseHoldEvent(Bytes(beyond, 1))->now.stack.empty());
  beyond.stack_offset = ~0U;
  EXPECT_TRUE(ParseHoldEvent(Bytes(beyond, 1))->now.stack.empty());
}

TEST(ParseThreadHolds, OnlyTheFirstHaveTheirPlaces) {
  ct_thread_holds holds{};
  holds.tgid = 100;
  holds.ns_tid = 5;
  holds.depth = 1000;  // more than there can be
  for (ct_held& held : holds.held) held.flags = CT_HELD_PLACE | CT_HELD_ASKING | CT_HELD_AGAIN;
  const ThreadHolds thread = ParseThreadHolds(101, holds);
  EXPECT_EQ(thread.tid, 101);
  EXPECT_EQ(thread.pid, 100);
  ASSERT_EQ(thread.held.size(), 32U);
  EXPECT_TRUE(thread.held[15].place);
  EXPECT_FALSE(thread.held[16].place);
  EXPECT_TRUE(thread.held[0].asking);
  EXPECT_TRUE(thread.held[0].again);
}

TEST(DescribeProbe, SaysWhatTheProgramsNeed) {
  HoldProbe probe;
  probe.kind = ResourceKind::kPool;
  probe.has_unit = true;
  probe.success = SuccessRule::kReturnValue;
  probe.succeeds = ReturnValue::kNonZero;
  probe.site.returns = {1};
  probe.site.pushed = 8;
  const ct_hold_probe pool = DescribeProbe(100, 3, probe, true);
  EXPECT_EQ(pool.flags, CT_PROBE_COUNTED | CT_PROBE_UNITS | CT_PROBE_BY_RETURN);
  EXPECT_EQ(pool.tgid, 100U);
  EXPECT_EQ(pool.family, 3U);
  EXPECT_EQ(pool.pushed, 8U);
  EXPECT_EQ(pool.succeeds, CT_RETURN_NONZERO);

  HoldProbe mutex;
  mutex.success = SuccessRule::kOwnerWord;
  mutex.owner = {true, 0, true, 8, true};
  EXPECT_EQ(pool.flags & CT_PROBE_PYTHON, 0U) << "a pool's frames are those of C";
  HoldProbe semaphore;
  semaphore.kind = ResourceKind::kSemaphore;
  EXPECT_NE(DescribeProbe(100, 4, semaphore, true).flags & CT_PROBE_PYTHON, 0U);
  EXPECT_EQ(DescribeProbe(100, 4, semaphore, false).flags & CT_PROBE_PYTHON, 0U);
  const ct_hold_probe lock = DescribeProbe(100, 4, mutex, true);
  EXPECT_EQ(lock.flags, CT_PROBE_BY_OWNER | CT_PROBE_STATE | CT_PROBE_OWNER | CT_PROBE_GLIBC_MUTEX);
  EXPECT_EQ(lock.owner_at, 8);
  mutex.owner.has_owner = false;
  EXPECT_EQ(DescribeProbe(100, 4, mutex, true).flags & CT_PROBE_BY_OWNER, 0U)
      << "there is no such word";
}

}  // namespace
}  // namespace ct
