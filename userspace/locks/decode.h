// From a thread's system call, frames and a few words of memory to: what does it wait for, and
// whom does the lock's own memory name as its holder? Pure but for Memory reads: no kernel, no
// process. facts: glibc 2.31-2.42, musl 1.2, Rust 1.95; each decoder cites its own.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include <sys/types.h>

#include "model/edge.h"
#include "model/frame.h"
#include "model/registers.h"
#include "model/resource.h"
#include "target/memory.h"

namespace ct {

// What the decoder may ask about threads. Thread ids here are those of the waiter's own pid
// namespace, as lock words hold them.
class ThreadDirectory {
 public:
  virtual ~ThreadDirectory() = default;
  // A live thread of the waiter's memory space.
  virtual bool InSameSpace(pid_t ns_tid) const = 0;
  // A live thread of anybody that the waiter's pid namespace can see.
  virtual bool Exists(pid_t ns_tid) const = 0;
  // The live thread of the same space whose thread pointer (fs base) is this; 0 if none.
  virtual pid_t ByThreadPointer(std::uint64_t thread_pointer) const = 0;
};

// A blocked thread as the kernel shows it.
struct BlockedThread {
  pid_t ns_tid = 0;
  std::int64_t syscall = -1;                 // x86-64 number
  std::array<std::uint64_t, 6> arguments{};  // rdi rsi rdx r10 r8 r9
  Registers registers;
  std::span<const Frame> frames;       // innermost first, already symbolized; may be empty
  std::span<const Module> modules;     // what Frame::module indexes
  std::span<const std::uint64_t> cfa;  // one per frame (see UnwoundStack)
};

// How a lock's memory names its owner.
enum class OwnerFormat : std::uint8_t {
  kNone,           // it does not
  kTid,            // a 32-bit tid at owner_address
  kTidInWord,      // the low 30 bits of the futex word
  kThreadPointer,  // the owner's thread pointer (fs base), 64 bits at owner_address
};

// What a blocked thread waits for. `object` is the lock object's address in the target (not always
// the futex word).
struct WaitReading {
  ResourceKind kind = ResourceKind::kFutex;
  Implementation implementation = Implementation::kUnknown;
  std::string type;  // "pthread_mutex_t (recursive)"; "std::mutex" where frames show it
  std::uint64_t object = 0;
  std::uint64_t futex_word = 0;  // 0: not a futex
  bool process_shared = false;   // the futex call lacks FUTEX_PRIVATE_FLAG *and* the object is
                                 // one that two processes can share (a join is not)
  AccessMode mode = AccessMode::kExclusive;
  WaitPurpose purpose = WaitPurpose::kEvent;
  Evidence evidence = Evidence::kUnknown;  // of kind, object and owner together
  std::string evidence_note;

  // The holder that the lock's memory names, in the waiter's pid namespace. 0 = none named.
  pid_t owner_ns_tid = 0;
  std::uint32_t readers = 0;  // that have it at the moment of word_matches; 0 while a writer has it
  std::uint64_t owner_address = 0;
  // Where the lock counts its readers (glibc: in the bits from 3 on); 0: it does not.
  std::uint64_t readers_address = 0;
  OwnerFormat owner_format = OwnerFormat::kNone;
  bool holders_known = false;  // owner_ns_tid is the whole set of holders
  bool robust = false;         // the kernel hands it over if its owner dies
  bool owner_died = false;     // robust: FUTEX_OWNER_DIED is set
  std::optional<std::uint32_t> capacity;

  bool timed = false;
  // The timeout as the target passed it: nanoseconds, relative or absolute, on which clock.
  std::optional<std::int64_t> timeout_ns;
  bool timeout_is_absolute = false;
  bool timeout_is_realtime = false;
  bool private_futex = false;
  std::uint32_t expected = 0;  // the value of the futex word that the kernel fell asleep on
  // *futex_word == expected value when the owner was read: without it the owner may be stale.
  bool word_matches = false;
  bool operator==(const WaitReading&) const = default;
};

// nullopt: the thread is in no futex wait. A futex wait that no decoder knows comes back as
// kFutex with evidence kUnknown. Deterministic; reads at most a few hundred bytes.
std::optional<WaitReading> DecodeWait(const BlockedThread& thread, Memory& memory,
                                      const ThreadDirectory& threads);

// Reads again who holds the lock that `reading` described (the word and the owner may have moved
// on). Returns false if the wait can no longer be confirmed.
bool RefreshOwner(WaitReading& reading, Memory& memory, const ThreadDirectory& threads);

}  // namespace ct
