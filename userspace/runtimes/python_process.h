// What a Python process is doing, as plain data.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/clock.h"

namespace ct {

struct PythonCode {
  std::string function;  // qualified: "Pool.acquire"
  std::string file;
  bool operator==(const PythonCode&) const = default;
};

// An object whose with-block a frame is in.
struct PythonHold {
  std::string type;          // "asyncio.locks.Lock"
  std::uint64_t object = 0;  // address of the context manager
  bool entering = false;     // still in __enter__ or __aenter__: it waits for it
  bool is_async = false;     // async with
  // The object through which it is held (a @contextmanager, an ExitStack, a Condition, a generator
  // that is iterated over); 0: the frame's own with-block.
  std::uint64_t through = 0;
  // No with-block: it has called acquire() and, as far as its code stands in order, not release().
  bool bare = false;
  bool operator==(const PythonHold&) const = default;
};

// An object that a stack is in the middle of using, where others should not be.
struct PythonUse {
  std::string type;  // "sqlalchemy.orm.session.Session", "_thread._local"
  std::uint64_t object = 0;
  std::uint32_t frame = 0;  // the outermost frame inside of it; index in the stack's frames
  // A threading.local: the attribute that was stored and is read after the wait, and the line that
  // reads it. Else empty: a method of the object runs.
  std::string attribute;
  std::uint32_t read_line = 0;
  bool operator==(const PythonUse&) const = default;
};

struct PythonFrame {
  std::uint32_t code = 0;     // index in PythonProcess::codes
  std::uint32_t line = 0;     // of the current instruction; 0 = unknown
  std::uint64_t address = 0;  // of the interpreter's frame
  bool entry = false;         // called from C; of threads alone
  std::vector<PythonHold> holds;
  // Of the pool that the stack waits for, or of what hands out its units: who asks is further out.
  bool of_pool = false;
  bool operator==(const PythonFrame&) const = default;
};

// What the kernel says of a thread, as of just after its frames were read.
struct ThreadActivity {
  char state = 0;             // as /proc/PID/stat: 'R', 'S', 'D', 'T', ...; 0: not read
  std::int64_t syscall = -1;  // -1: it runs, or sleeps outside of system calls
  std::array<std::uint64_t, 6> arguments{};
  std::string object;     // what the call acts on: "socket 10.0.0.4:5432"; may be empty
  DurationNs cpu = 0;     // that it has used so far
  DurationNs queued = 0;  // for which it has waited for a CPU so far
  TimeNs read_at = 0;     // all of this, and the thread's frames, had been read by then
  bool operator==(const ThreadActivity&) const = default;
};

enum class PythonAwaitKind : std::uint8_t {
  kNothing,
  kUnknown,     // a future of which nothing else is known; of a thread: a lock
  kOne,         // children: that one task or future
  kAll,         // children: all of these must complete (gather, TaskGroup, wait(ALL_COMPLETED))
  kAny,         // children: any of these
  kObject,      // an object that keeps the future among its waiters
  kSleep,       // until the deadline
  kConcurrent,  // children: a concurrent.futures.Future
  // Of threads alone.
  kConcurrentAll,  // children: all of these concurrent.futures.Futures
  kConcurrentAny,
  kThread,  // children: the ident of a thread that has to end, unless it is not known
  kGil,     // object: PythonGil::address
};

// What a task is suspended on, or a thread blocked on.
struct PythonAwait {
  PythonAwaitKind kind = PythonAwaitKind::kNothing;
  // Of a task: what it is suspended on. Of a thread: the lock that its call waits in, or the futex
  // word, if that is all that is known.
  std::uint64_t future = 0;
  std::vector<std::uint64_t> children;
  // kObject: "asyncio.locks.Semaphore", the address, "_waiters". kConcurrent of a call in another
  // process: no type, the executor (PythonPool::object), "queued" if no worker has it yet.
  std::string type;
  std::uint64_t object = 0;
  std::string attribute;
  // The pool of which it waits for a unit (PythonPool::object); what is above is what it waits on
  // inside that. 0: none.
  std::uint64_t pool = 0;
  // kUnknown, of a task: nobody but the task itself refers to the future.
  bool unreferenced = false;
  bool operator==(const PythonAwait&) const = default;
};

struct PythonThread {
  pid_t native_id = 0;
  std::uint64_t address = 0;        // of its PyThreadState
  std::uint64_t ident = 0;          // pthread_self(), threading.get_ident()
  std::string name;                 // of its threading.Thread; empty: it has none
  std::vector<PythonFrame> frames;  // innermost first
  bool truncated = false;           // frames are missing at the outer end
  std::uint64_t running_loop = 0;   // the event loop that runs in it; 0: none
  std::uint64_t running_task = 0;   // the task that it is in the middle of; 0: none
  std::vector<PythonUse> uses;
  std::string task_name;          // of that task
  std::uint64_t instruction = 0;  // of the innermost frame
  // That frame stood at it for all of some hundred microseconds: inside of what it called, or
  // without a CPU.
  bool at_one_instruction = false;
  bool moved = false;  // or it was at another one within that time
  // When the loop came out of its selector: the loop's clock, seconds. Unset: it is inside, or the
  // loop is none of asyncio's own.
  std::optional<double> iteration_began;
  PythonAwait waits_for;           // in a call that blocks; only where its futex call was given
  bool timed = false;              // that call gives up by itself
  std::optional<double> deadline;  // when, by time.monotonic()
  // Not read from its memory: filled in by who reads it. The thread outside of its pid namespace
  // (0: not known), and whether it slept, with equal switch counts, while all this was read: then
  // what its loop's tasks do fits together.
  pid_t host_tid = 0;
  bool asleep = false;
  std::uint64_t switches = 0;
  std::optional<ThreadActivity> activity;  // of threads with an event loop, where asked for
  bool operator==(const PythonThread&) const = default;
};

// A threading.Lock or RLock that a thread waits for.
struct PythonLock {
  std::uint64_t address = 0;
  bool locked = false;
  bool keeps_owner = false;  // an RLock
  // Ident of the thread that has it; 0: none, or one that lives and is not Python's now.
  std::uint64_t owner = 0;
  bool operator==(const PythonLock&) const = default;
};

// A lock without an owner that somebody waits for: it is taken, nobody has it, and nothing in the
// program releases it without having taken it first.
struct PythonAbandonedLock {
  std::uint64_t lock = 0;
  std::vector<PythonFrame> takers;  // where acquire() is called for it without a with-block
  bool operator==(const PythonAbandonedLock&) const = default;
};

// Who completes a concurrent.futures.Future, or an asyncio one of anyio.to_thread, that somebody
// waits for: any one of them.
struct PythonCompletion {
  std::uint64_t future = 0;
  bool queued = false;         // the threads are those of the executor that it is queued for
  std::vector<pid_t> threads;  // native ids
  std::vector<std::uint64_t> tasks;
  bool operator==(const PythonCompletion&) const = default;
};

struct PythonGil {
  // A thread whose futex word lies in [address, address + size) waits for this GIL.
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  bool held = false;
  pid_t holder = 0;         // native id; 0: not held, or by a thread that is not listed
  bool collecting = false;  // the holder collects garbage
  bool operator==(const PythonGil&) const = default;
};

enum class PythonTaskState : std::uint8_t {
  kNotStarted,
  kWaiting,   // suspended, on what PythonTask::waits_for says
  kRunnable,  // suspended, and the loop will run it without anything else happening
  kRunning,
  kFinished,
  kCancelled,
};

// The stack that made tasks, as a probe in the kernel saw it.
struct PythonOrigin {
  std::vector<PythonFrame> frames;  // innermost first
  bool truncated = false;           // frames are missing at the outer end
  bool operator==(const PythonOrigin&) const = default;
};

struct PythonTask {
  static constexpr std::uint32_t kNoOrigin = ~0U;
  std::uint64_t address = 0;
  std::string name;
  PythonTaskState state = PythonTaskState::kNotStarted;
  std::uint64_t loop = 0;
  pid_t thread = 0;                  // native id of the thread that runs the loop; 0: none does
  std::uint32_t origin = kNoOrigin;  // not read from its memory: index in PythonProcess::origins
  std::vector<PythonFrame> frames;   // innermost first
  bool truncated = false;            // frames are missing at the inner end
  std::vector<PythonUse> uses;
  PythonAwait waits_for;
  // The earliest moment at which a timeout of this task ends the wait: the loop's clock, seconds.
  std::optional<double> deadline;
  std::uint32_t deadline_frame = 0;  // the frame that set it; index in frames
  // When the wait began, or the earliest moment at which it can have, by the loop's clock: a
  // deadline less the delay that it was set with.
  std::optional<double> not_before;
  bool began_then = false;  // it did begin at that moment
  std::string request;      // of a web service, for whom it works: "GET /orders/{id}"; else empty
  std::string client;       // who asked for that: "10.0.4.17"
  bool operator==(const PythonTask&) const = default;
};

// A task or thread from whose stack a unit of a pool can be reached.
struct PythonUnitHolder {
  std::uint64_t task = 0;    // PythonTask::address, or
  std::uint64_t thread = 0;  // PythonThread::address
  std::uint32_t frame = 0;   // of its stack: the one that refers to the unit; index
  std::uint32_t hops = 0;    // attributes between the frame's own objects and the unit
  bool in_block = false;     // through an object whose with-block the frame is in
  bool operator==(const PythonUnitHolder&) const = default;
};

// A unit of a pool that is in use.
struct PythonUnit {
  std::uint64_t object = 0;
  std::string type;
  std::vector<PythonUnitHolder> holders;  // the likeliest first
  // Of one without holders: what still refers to it, "global shop.db.conn".
  std::string referrer;
  bool operator==(const PythonUnit&) const = default;
};

// A pool for a unit of which somebody waits.
struct PythonPool {
  std::uint64_t object = 0;
  std::string type;
  std::optional<std::uint32_t> capacity;  // unset: no limit, or not known
  std::uint32_t idle = 0;
  std::uint32_t in_use = 0;  // by its own account; `units` are those that were found
  std::vector<PythonUnit> units;
  bool complete = false;  // everybody's objects were looked through
  // It keeps no account: `units` are those that somebody was seen to take, by what the code does.
  bool inferred = false;
  bool operator==(const PythonPool&) const = default;
};

// A future or task that ended with an exception which nobody has asked for.
struct PythonFailure {
  std::uint64_t future = 0;
  bool is_task = false;
  std::string name;     // of a task
  std::string type;     // of the exception: "ConnectionResetError", "shop.errors.PaymentFailed"
  std::string message;  // from its arguments, cut
  std::vector<PythonFrame> raised;  // its traceback, innermost first
  // Where the future was: known in asyncio's debug mode, or of a task from a probe.
  std::vector<PythonFrame> created;
  std::string referrer;           // who refers to it: "shop.jobs.running", "workers of main()"
  bool may_be_asked_for = false;  // a frame that is not over has it
  bool operator==(const PythonFailure&) const = default;
};

// A coroutine that was called and has not begun, and that no task, frame or queue has.
struct PythonUnawaited {
  std::uint64_t coroutine = 0;
  std::uint32_t code = 0;
  std::uint32_t line = 0;  // where its function begins
  std::string referrer;    // who refers to it: "shop.jobs.pending", "_jobs of a shop.Runner"
  bool operator==(const PythonUnawaited&) const = default;
};

// Something that was not read, by reason.
struct PythonSkip {
  std::string reason;
  std::uint64_t count = 0;
  bool operator==(const PythonSkip&) const = default;
};

struct PythonProcess {
  std::uint32_t version = 0;  // PY_VERSION_HEX
  std::vector<PythonCode> codes;
  std::vector<PythonThread> threads;
  std::vector<PythonTask> tasks;
  std::vector<PythonPool> pools;
  std::vector<PythonFailure> failures;         // of PythonOptions::forgotten
  std::vector<PythonUnawaited> unawaited;      // the same
  std::vector<PythonAbandonedLock> abandoned;  // the same
  std::vector<PythonGil> gils;                 // one an interpreter that has its own
  std::vector<PythonLock> locks;
  std::vector<PythonCompletion> completions;
  std::vector<PythonSkip> skips;
  std::vector<PythonOrigin> origins;  // by whoever reads it, where task origins are asked for

  [[nodiscard]] const PythonCode& CodeOf(const PythonFrame& frame) const {
    return codes[frame.code];
  }
  bool operator==(const PythonProcess&) const = default;
};

}  // namespace ct
