// CPython's locks, from the C frames around a glibc wait: threading.Lock is a semaphore (until
// 3.12) or a PyMutex whose waiter sleeps on a semaphore of its own (3.13 and later), the GIL a
// condition variable. Python/thread_pthread.h, parking_lot.c, ceval_gil.c.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "locks/frame_rules.h"

namespace ct {
namespace {

// struct _gil_runtime_state {interval, last_holder, locked, switch_number, cond...}, 3.7 to 3.15.
struct GilImage {
  std::uint64_t interval;  // microseconds; 5000 unless sys.setswitchinterval()
  std::uint64_t last_holder;
  std::uint32_t locked;
  std::uint32_t padding;
};
constexpr std::uint64_t kConditionInGil = 32;
constexpr std::uint64_t kMaxIntervalUs = 3'600'000'000;
// struct wait_entry {void* park_arg; uintptr_t addr; _PySemaphore sema...} of parking_lot.c
constexpr std::uint64_t kAddressBeforeSemaphore = 8;

// take_gil() is local: in a stripped binary its frame has no name, or that of a neighbour, and the
// next one is a function that calls it.
constexpr std::array kGilFunctions = std::to_array<std::string_view>({
    "take_gil",
    "PyEval_RestoreThread",
    "PyEval_AcquireThread",
    "PyEval_AcquireLock",
    "PyEval_EvalFrameDefault",
    "PyEval_InitThreads",
    "PyEval_Fini",
    "PyGILState_Ensure",
    "PyThreadState_Attach",
    "Py_MakePendingCalls",
});

bool IsGilFunction(const Frame& frame) {
  std::string_view name = frame.function;
  name = name.substr(0, name.find_first_of(" @.+(["));
  while (name.starts_with('_')) name.remove_prefix(1);
  return std::find(kGilFunctions.begin(), kGilFunctions.end(), name) != kGilFunctions.end();
}

void RefineGil(const DecodeContext& context, WaitReading& reading) {
  const auto frames = context.thread.frames;
  std::size_t caller = context.frames.callers;
  // Inlined, and a frame of its own only where there is debug information (Python/condvar.h).
  if (caller < frames.size() && frames[caller].function.starts_with("PyCOND_")) ++caller;
  const bool stripped = caller < frames.size() && frames[caller].function.empty();
  if (stripped) ++caller;
  if (caller >= frames.size() || !IsGilFunction(frames[caller])) return;
  const auto gil = reading.object > kConditionInGil
                       ? context.memory.ReadValue<GilImage>(reading.object - kConditionInGil)
                       : std::nullopt;
  const bool fits = gil && gil->interval != 0 && gil->interval <= kMaxIntervalUs &&
                    gil->locked <= 1 && gil->padding == 0;
  // The evaluation loop calls other functions without a name.
  if (stripped && !fits) return;
  reading.kind = ResourceKind::kGil;
  reading.implementation = Implementation::kCpython;
  reading.type = "GIL";
  ForgetTimeout(reading);  // every switch interval it asks the holder to let go, and waits on
  reading.purpose = WaitPurpose::kAcquire;
  if (fits) reading.object -= kConditionInGil;
  if (!fits) reading.evidence = Evidence::kProbable;
  reading.evidence_note = "condition variable of the GIL, frames in " + frames[caller].function;
}

void RefineLock(const DecodeContext& context, WaitReading& reading) {
  const auto frames = context.thread.frames;
  const std::size_t from = context.frames.callers;
  const bool parked = HasCaller(frames, from, "PyParkingLot_Park");
  const bool event = HasCaller(frames, from, "PyEvent_Wait");
  const bool acquires =
      HasCaller(frames, from, "PyThread_acquire_lock") || HasCaller(frames, from, "PyMutex_Lock");
  if (!parked && !acquires) return;
  reading.implementation = Implementation::kCpython;
  if (parked) {
    const auto lock =
        context.memory.ReadValue<std::uint64_t>(reading.object - kAddressBeforeSemaphore);
    if (lock && *lock != 0)
      reading.object = *lock;
    else
      reading.evidence = Evidence::kProbable;
  }
  if (event || !acquires) {
    reading.kind = ResourceKind::kPark;
    reading.purpose = WaitPurpose::kEvent;
    reading.type = "CPython event";
    reading.evidence_note = "frames in _PyParkingLot_Park";
    return;
  }
  reading.kind = ResourceKind::kMutex;
  const bool threading_lock = !parked || HasCaller(frames, from, "PyThread_acquire_lock") ||
                              HasCaller(frames, from, "lock_acquire");
  const bool recursive = HasCaller(frames, from, "rlock_acquire");
  reading.type = recursive ? "threading.RLock" : threading_lock ? "CPython lock" : "PyMutex";
  // A Condition, an Event, a Queue and a thread's join all wait by acquiring a lock of their own:
  // only Python's frames tell an idle worker from one that wants a lock.
  reading.purpose = threading_lock && !recursive ? WaitPurpose::kEvent : WaitPurpose::kAcquire;
  reading.evidence_note = "keeps no owner, frames in ";
  reading.evidence_note += parked ? "_PyMutex_LockTimed" : "PyThread_acquire_lock_timed";
}

}  // namespace

void RefineCpython(const DecodeContext& context, WaitReading& reading) {
  if (reading.implementation != Implementation::kGlibc &&
      reading.implementation != Implementation::kMusl) {
    return;
  }
  if (reading.kind == ResourceKind::kCondition) RefineGil(context, reading);
  if (reading.kind == ResourceKind::kSemaphore) RefineLock(context, reading);
}

}  // namespace ct
