// Records as the programs write them: each field has its place, and a record that lies about its
// length reads nothing beyond its own bytes.
#include "kernel/wait_sample.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ct {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

template <std::size_t kSize>
void SetName(char (&field)[kSize], std::string_view name) {
  std::memset(field, 0, kSize);
  std::memcpy(field, name.data(), std::min(name.size(), kSize));
}

// Every field set, to a value of its own; no flag.
ct_wait_record Record() {
  ct_wait_record record;
  std::memset(&record, 0, sizeof(record));
  record.kind = CT_RECORD_WAIT;
  record.tid = 101;
  record.tgid = 100;
  record.ns_tid = 11;
  record.ns_tgid = 10;
  record.pid_ns = 4'026'531'836;
  record.command = 9;
  record.expected = 2;
  record.waker_tid = 201;
  record.waker_tgid = 200;
  record.space = 0xffff'8880'0000'1000;
  record.address = 0x7f00'0000'1000;
  record.start_time = 5'000;
  record.leader_start_time = 4'000;
  record.begin = 70'000;
  record.woken_at = 79'000;
  record.end = 80'000;
  record.syscall = 202;
  for (std::size_t i = 0; i < CT_SYSCALL_ARGUMENTS; ++i) record.arguments[i] = 0x100 + i;
  for (std::size_t i = 0; i < CT_REGISTERS; ++i) record.registers[i] = 0x200 + i;
  record.thread_pointer = 0x300;
  for (std::uint32_t i = 0; i < CT_LOCK_WORDS; ++i) record.words[i] = 0x400 + i;
  SetName(record.comm, "io-3");
  SetName(record.leader_comm, "order-svc");
  SetName(record.waker_comm, "audit-1");
  return record;
}

// The bytes on the heap and not one more, so that a sanitizer sees what is read beyond.
class Bytes {
 public:
  Bytes(const ct_wait_record& record, std::string_view pages)
      : size_(sizeof(record) + pages.size()), bytes_(new std::byte[size_]) {
    std::memcpy(bytes_.get(), &record, sizeof(record));
    std::copy_n(std::as_bytes(std::span(pages)).data(), pages.size(),
                bytes_.get() + sizeof(record));
  }
  [[nodiscard]] std::span<const std::byte> all() const { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> bytes_;
};

std::optional<WaitSample> Parse(const ct_wait_record& record, std::string_view pages = {}) {
  return ParseWait(Bytes(record, pages).all());
}

std::optional<WaitSample> ParseFlags(unsigned flags) {
  ct_wait_record record = Record();
  record.flags = static_cast<ct_u16>(flags);
  return Parse(record);
}

std::string Text(const std::vector<std::byte>& bytes) {
  std::string text;
  for (const std::byte byte : bytes) text += static_cast<char>(byte);
  return text;
}

TEST(ParseWait, TellsWhoWaitedForWhatAndWhen) {
  const auto wait = Parse(Record());
  ASSERT_TRUE(wait);
  EXPECT_EQ(wait->id, (ThreadId{101, 5'000}));
  EXPECT_EQ(wait->leader, (ThreadId{100, 4'000}));
  EXPECT_EQ(wait->ns_tid, 11);
  EXPECT_EQ(wait->ns_pid, 10);
  EXPECT_EQ(wait->pid_ns, 4'026'531'836U);
  EXPECT_EQ(wait->name, "io-3");
  EXPECT_EQ(wait->leader_name, "order-svc");
  EXPECT_EQ(wait->lock, (LockKey{0xffff'8880'0000'1000, 0x7f00'0000'1000, 100}));
  EXPECT_EQ(wait->command, 9U);
  EXPECT_EQ(wait->begin, 70'000);
  EXPECT_EQ(wait->end, 80'000);
  EXPECT_EQ(wait->duration(), 10'000);
}

TEST(ParseWait, WithoutFlagsTellsNothingElse) {
  const auto wait = Parse(Record());
  ASSERT_TRUE(wait);
  EXPECT_FALSE(wait->waker);
  EXPECT_EQ(wait->woken_at, 0);
  EXPECT_FALSE(wait->sampled);
  EXPECT_FALSE(wait->timed_out);
  EXPECT_FALSE(wait->restarted);
  EXPECT_FALSE(wait->interrupted);
  EXPECT_FALSE(wait->exited);
  EXPECT_FALSE(wait->words);
  EXPECT_FALSE(wait->has_registers);
  EXPECT_EQ(wait->syscall, -1);
  EXPECT_THAT(wait->arguments, Each(0U));
  EXPECT_THAT(wait->registers.dwarf, Each(0U));
  EXPECT_EQ(wait->registers.thread_pointer, 0U);
  EXPECT_THAT(wait->stack, IsEmpty());
}

TEST(ParseWait, RefusesWhatIsTooShort) {
  const Bytes bytes(Record(), "");
  EXPECT_TRUE(ParseWait(bytes.all()));
  EXPECT_FALSE(ParseWait(bytes.all().first(sizeof(ct_wait_record) - 1)));
  EXPECT_FALSE(ParseWait({}));
}

TEST(ParseWait, RefusesRecordsOfOtherKinds) {
  for (const ct_u16 kind : {CT_RECORD_INVALID, CT_RECORD_TASK, CT_RECORD_SWEEP_END}) {
    ct_wait_record record = Record();
    record.kind = kind;
    EXPECT_FALSE(Parse(record)) << kind;
  }
  ct_wait_record unknown = Record();
  unknown.kind = 0x105;  // one whose low byte is a wait's
  EXPECT_FALSE(Parse(unknown));
}

TEST(ParseWait, TakesEachFlagForItself) {
  const auto flags = [](const WaitSample& wait) {
    return std::vector<bool>{wait.sampled,      wait.timed_out, wait.restarted,
                             wait.interrupted,  wait.exited,    wait.waker.has_value(),
                             wait.has_registers};
  };
  const std::vector<unsigned> all = {CT_WAIT_SAMPLE,      CT_WAIT_TIMED_OUT, CT_WAIT_RESTARTED,
                                     CT_WAIT_INTERRUPTED, CT_WAIT_EXITED,    CT_WAIT_WOKEN,
                                     CT_WAIT_REGISTERS};
  for (std::size_t i = 0; i < all.size(); ++i) {
    std::vector<bool> expected(all.size(), false);
    expected[i] = true;
    EXPECT_EQ(flags(*ParseFlags(all[i])), expected) << i;
  }
  EXPECT_EQ(flags(*ParseFlags(~0U)), std::vector<bool>(all.size(), true));
}

TEST(ParseWait, TellsWhoWokeIt) {
  const auto wait = ParseFlags(CT_WAIT_WOKEN);
  ASSERT_TRUE(wait && wait->waker);
  EXPECT_EQ(wait->waker->tid, 201);
  EXPECT_EQ(wait->waker->pid, 200);
  EXPECT_EQ(wait->waker->name, "audit-1");
  EXPECT_EQ(wait->woken_at, 79'000);
}

TEST(ParseWait, OfAWaitThatBeganBeforeHasNoBegin) {
  ct_wait_record record = Record();
  record.flags = CT_WAIT_BEGAN_BEFORE;
  record.begin = 0;
  EXPECT_EQ(Parse(record)->begin, 0);
}

TEST(ParseWait, KeepsWordsOnlyIfTheFutexWordWasTheExpectedOne) {
  EXPECT_FALSE(ParseFlags(CT_WAIT_WORDS)->words);
  EXPECT_FALSE(ParseFlags(CT_WAIT_WORD_MATCHED)->words);
  const auto wait = ParseFlags(CT_WAIT_WORDS | CT_WAIT_WORD_MATCHED);
  ASSERT_TRUE(wait->words);
  ASSERT_EQ(wait->words->size(), std::size_t{CT_LOCK_WORDS});
  for (std::size_t i = 0; i < CT_LOCK_WORDS; ++i) EXPECT_EQ((*wait->words)[i], 0x400 + i);
}

TEST(ParseWait, KeepsRegistersAndTheCall) {
  const auto wait = ParseFlags(CT_WAIT_REGISTERS);
  EXPECT_EQ(wait->syscall, 202);
  EXPECT_THAT(wait->arguments, ElementsAre(0x100, 0x101, 0x102, 0x103, 0x104, 0x105));
  ASSERT_EQ(wait->registers.dwarf.size(), std::size_t{CT_REGISTERS});
  for (std::size_t i = 0; i < CT_REGISTERS; ++i) EXPECT_EQ(wait->registers.dwarf[i], 0x200 + i);
  EXPECT_EQ(wait->registers.thread_pointer, 0x300U);
}

TEST(ParseWait, TakesAnImpossibleCallForNone) {
  for (const ct_u64 number : {~0ULL, 1'000'000ULL}) {
    ct_wait_record record = Record();
    record.flags = CT_WAIT_REGISTERS;
    record.syscall = number;
    EXPECT_EQ(Parse(record)->syscall, -1);
  }
}

TEST(ParseWait, EndsNamesWithoutNulAtTheirField) {
  ct_wait_record record = Record();
  record.flags = CT_WAIT_WOKEN;
  SetName(record.comm, "abcdefghijklmnop");
  SetName(record.leader_comm, "bcdefghijklmnopq");
  SetName(record.waker_comm, "cdefghijklmnopqr");
  const auto wait = Parse(record);
  EXPECT_EQ(wait->name, "abcdefghijklmnop");
  EXPECT_EQ(wait->leader_name, "bcdefghijklmnopq");
  EXPECT_EQ(wait->waker->name, "cdefghijklmnopqr");
}

// --- the stack ----------------------------------------------------------------------------------

std::string StackOf(ct_u32 offset, ct_u32 bytes, std::string_view pages) {
  ct_wait_record record = Record();
  record.stack_offset = offset;
  record.stack_bytes = bytes;
  const auto wait = Parse(record, pages);
  return wait ? Text(wait->stack) : "no record";
}

TEST(ParseWait, TakesTheStackOutOfItsPages) {
  EXPECT_EQ(StackOf(0, 8, "01234567"), "01234567");
  EXPECT_EQ(StackOf(3, 5, "01234567"), "34567");
  EXPECT_EQ(StackOf(3, 2, "01234567"), "34");
  EXPECT_EQ(StackOf(8, 0, "01234567"), "");
}

TEST(ParseWait, HasNoStackWhereItWouldEndBeyondTheRecord) {
  EXPECT_EQ(StackOf(0, 9, "01234567"), "");
  EXPECT_EQ(StackOf(4, 5, "01234567"), "");
  EXPECT_EQ(StackOf(8, 1, "01234567"), "");
  EXPECT_EQ(StackOf(9, 0, "01234567"), "");
  EXPECT_EQ(StackOf(0, 1, ""), "");
  // Where a sum of 32 bits would wrap around.
  EXPECT_EQ(StackOf(8, 0xffff'fff8, "01234567"), "");
  EXPECT_EQ(StackOf(0xffff'fffc, 8, "01234567"), "");
  EXPECT_EQ(StackOf(0xffff'ffff, 0xffff'ffff, "01234567"), "");
}

// --- locks --------------------------------------------------------------------------------------

TEST(ParseLock, TellsWhatWasCounted) {
  const ct_lock_key key{0xffff'8880'0000'1000, 0x7f00'0000'1000, 100, 0};
  ct_lock_statistics statistics;
  std::memset(&statistics, 0, sizeof(statistics));
  statistics.waits = 1'000;
  statistics.total = 50'000'000;
  statistics.max = 900'000;
  statistics.timeouts = 12;
  statistics.holds = 800;
  statistics.hold_total = 40'000'000;
  statistics.hold_max = 700'000;
  statistics.acquired_at = 1;
  statistics.holder_tid = 3;
  for (ct_u32 i = 0; i < CT_HISTOGRAM_BUCKETS; ++i) statistics.histogram[i] = 10 + i;

  const LockCount lock = ParseLock(key, statistics);
  EXPECT_EQ(lock.key, (LockKey{0xffff'8880'0000'1000, 0x7f00'0000'1000, 100}));
  WaitTotals waits;
  waits.waits = 1'000;
  waits.total = 50'000'000;
  waits.max = 900'000;
  waits.timeouts = 12;
  for (std::size_t i = 0; i < WaitHistogram::kBuckets; ++i) waits.histogram.counts[i] = 10 + i;
  EXPECT_EQ(lock.waits, waits);
  EXPECT_EQ(lock.holds, (HoldTotals{800, 40'000'000, 700'000}));
}

}  // namespace
}  // namespace ct
