#include "kernel/wait_sample.h"

#include <algorithm>
#include <cstring>

namespace ct {
namespace {

constexpr std::uint64_t kMaxSyscall = 1'000'000;

std::string NameOf(const char (&name)[CT_COMM_LENGTH]) {
  return std::string(name, strnlen(name, sizeof(name)));
}

static_assert(kLockWords == CT_LOCK_WORDS && kLockWordsBefore == CT_LOCK_WORDS_BEFORE);
static_assert(WaitHistogram::kBuckets == CT_HISTOGRAM_BUCKETS);
static_assert(WaitHistogram::kFirstBit == CT_HISTOGRAM_FIRST_BIT);

}  // namespace

std::optional<WaitSample> ParseWait(std::span<const std::byte> bytes) {
  ct_wait_record record;
  if (bytes.size() < sizeof(record)) return std::nullopt;
  std::memcpy(&record, bytes.data(), sizeof(record));
  if (record.kind != CT_RECORD_WAIT) return std::nullopt;

  WaitSample wait;
  wait.id = {static_cast<pid_t>(record.tid), static_cast<TimeNs>(record.start_time)};
  wait.leader = {static_cast<pid_t>(record.tgid), static_cast<TimeNs>(record.leader_start_time)};
  wait.ns_tid = static_cast<pid_t>(record.ns_tid);
  wait.ns_pid = static_cast<pid_t>(record.ns_tgid);
  wait.pid_ns = record.pid_ns;
  wait.name = NameOf(record.comm);
  wait.leader_name = NameOf(record.leader_comm);
  wait.lock = {record.space, record.address, static_cast<pid_t>(record.tgid)};
  wait.command = record.command;
  wait.begin = static_cast<TimeNs>(record.begin);
  wait.end = static_cast<TimeNs>(record.end);
  if (record.flags & CT_WAIT_WOKEN) {
    wait.waker = Waker{static_cast<pid_t>(record.waker_tid), static_cast<pid_t>(record.waker_tgid),
                       NameOf(record.waker_comm)};
    wait.woken_at = static_cast<TimeNs>(record.woken_at);
  }
  wait.sampled = record.flags & CT_WAIT_SAMPLE;
  wait.timed_out = record.flags & CT_WAIT_TIMED_OUT;
  wait.restarted = record.flags & CT_WAIT_RESTARTED;
  wait.interrupted = record.flags & CT_WAIT_INTERRUPTED;
  wait.exited = record.flags & CT_WAIT_EXITED;
  if ((record.flags & CT_WAIT_WORDS) && (record.flags & CT_WAIT_WORD_MATCHED)) {
    wait.words.emplace();
    std::copy(std::begin(record.words), std::end(record.words), wait.words->begin());
  }
  wait.has_registers = record.flags & CT_WAIT_REGISTERS;
  if (wait.has_registers) {
    wait.syscall = record.syscall < kMaxSyscall ? static_cast<std::int64_t>(record.syscall) : -1;
    std::copy(std::begin(record.arguments), std::end(record.arguments), wait.arguments.begin());
    std::copy(std::begin(record.registers), std::end(record.registers),
              wait.registers.dwarf.begin());
    wait.registers.thread_pointer = record.thread_pointer;
  }
  const std::span<const std::byte> pages = bytes.subspan(sizeof(record));
  if (record.stack_offset <= pages.size() &&
      record.stack_bytes <= pages.size() - record.stack_offset) {
    const auto copied = pages.subspan(record.stack_offset, record.stack_bytes);
    wait.stack.assign(copied.begin(), copied.end());
  }
  return wait;
}

LockCount ParseLock(const ct_lock_key& key, const ct_lock_statistics& statistics) {
  LockCount lock;
  lock.key = {key.space, key.address, static_cast<pid_t>(key.tgid)};
  lock.waits.waits = statistics.waits;
  lock.waits.total = static_cast<DurationNs>(statistics.total);
  lock.waits.max = static_cast<DurationNs>(statistics.max);
  lock.waits.timeouts = statistics.timeouts;
  std::copy(std::begin(statistics.histogram), std::end(statistics.histogram),
            lock.waits.histogram.counts.begin());
  lock.holds = {statistics.holds, static_cast<DurationNs>(statistics.hold_total),
                static_cast<DurationNs>(statistics.hold_max)};
  lock.by_waiters = statistics.by_waiters;
  lock.given_to = static_cast<pid_t>(statistics.holder_tid);
  lock.given_at = static_cast<TimeNs>(statistics.acquired_at);
  return lock;
}

}  // namespace ct
