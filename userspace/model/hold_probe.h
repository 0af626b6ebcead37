// Probes on functions that acquire and release (tier 2): what each means, and where it goes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/edge.h"
#include "model/resource.h"

namespace ct {

// What a call of the function does to the object that it is about.
enum class HoldRole : std::uint8_t {
  kAcquire,     // may wait for it, and has it when it comes back (unless it says that it failed)
  kTryAcquire,  // never waits: orders nothing
  kRelease,
  kConditionWait,  // lets go of the mutex that is its key, waits, and has it again afterwards
  kBegin,          // the object is made: what was known of its address was of another
  kEnd,            // the object is no more
};

// How an acquire that has come back is known to have succeeded.
enum class SuccessRule : std::uint8_t {
  kReturns,      // it always has: pthread_rwlock_rdlock, sem_wait
  kOwnerWord,    // the lock's own memory names the thread (OwnerWord::has_owner)
  kReturnValue,  // by probes on its return instructions: HoldProbe::succeeds
};

// Which values of rax mean that it was acquired.
enum class ReturnValue : std::uint8_t {
  kAny,
  kZero,     // an errno, or -1, otherwise
  kNonZero,  // a pointer
  kOne,      // CPython's PY_LOCK_ACQUIRED
  kTrue,     // a bool, which is only al: a compiler leaves in the rest of rax what was there
};

// What the lock's own memory says; offsets are from its address.
struct OwnerWord {
  bool has_state = false;  // a 32-bit word that is 0 while nobody has it
  std::int32_t state_at = 0;
  bool has_owner = false;  // a 32-bit word that is its owner's tid, as the process sees it
  std::int32_t owner_at = 0;
  bool is_glibc_mutex = false;  // a kind at +16 says what a second acquire by its owner does
  bool operator==(const OwnerWord&) const = default;
};

// Where in one process a function is probed. Offsets are of the file, as a uprobe has them.
struct ProbeSite {
  std::string function;  // as found: "pthread_mutex_lock", "app::ConnectionPool::acquire(int)"
  std::string module;    // path of its file, as the process names it; for people
  std::uint64_t map_begin = 0;  // the mapping that it is in
  std::uint64_t map_end = 0;
  std::uint64_t inode = 0;            // as fstat() of the file has it
  std::uint64_t function_offset = 0;  // of its first instruction
  std::uint64_t entry_offset = 0;     // of the instruction that is probed: every call passes it
  std::uint64_t entry_address = 0;    // the same, in the process's memory
  bool emulated = false;              // the kernel emulates it there; else it is single-stepped
  std::uint32_t pushed = 0;  // bytes between the stack pointer there and the return address
  std::string why;           // for people: "+14 jne: first emulated instruction"
  std::vector<std::uint64_t> returns;  // offsets of its return instructions, if they were wanted
  bool operator==(const ProbeSite&) const = default;
};

// One function of one process, and what it does.
struct HoldProbe {
  std::string family;  // "glibc mutex": probes that are armed, and come off, together
  HoldRole role = HoldRole::kAcquire;
  ResourceKind kind = ResourceKind::kMutex;
  Implementation implementation = Implementation::kUnknown;
  std::string type;  // as its user would write it: "pthread_mutex_t", "ConnectionPool"
  AccessMode mode = AccessMode::kExclusive;
  // Which argument is the object: 0 to 5, in the registers of the System V ABI.
  std::uint32_t key_argument = 0;
  // A pool whose release is told which unit comes back: the value that its acquire returned.
  bool has_unit = false;
  std::uint32_t unit_argument = 1;
  std::uint32_t capacity = 0;  // of a pool; 0: not known
  SuccessRule success = SuccessRule::kReturns;
  ReturnValue succeeds = ReturnValue::kAny;
  OwnerWord owner;
  ProbeSite site;
  bool operator==(const HoldProbe&) const = default;
};

}  // namespace ct
