// The tracer's side of the reader process: everything that is read from a target (memory, files,
// /proc) is read there, in a process with few privileges that can be killed. A request has a
// deadline; a thread whose page never comes costs a counted loss, not the tracer.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/clock.h"
#include "base/result.h"
#include "locks/decode.h"
#include "model/frame.h"
#include "model/hold_probe.h"
#include "model/observation.h"
#include "model/registers.h"
#include "model/task_probe.h"
#include "runtimes/python_origins.h"
#include "runtimes/python_process.h"

namespace ct {

// Some of a target's memory, as it was.
struct MemoryCopy {
  std::uint64_t address = 0;
  std::string bytes;
};

// A sleeping thread, as the sweep saw it; or one that slept, as it was then.
struct ThreadToRead {
  pid_t tid = 0;
  pid_t ns_tid = 0;
  std::int64_t syscall = -1;
  std::array<std::uint64_t, 6> arguments{};
  Registers registers;
  bool want_lock = false;   // what it waits for and whom the lock names
  bool want_stack = false;  // implied by want_lock
  // Of a moment that is over: what memory was then, instead of what it is now. Of its stack there
  // may be several, the earliest first: each holds where no earlier one does, and nothing of the
  // stack is read but these.
  std::vector<MemoryCopy> copies;
  // Above the copies the stack is what it is now: the thread is still inside those calls.
  bool stack_goes_on = false;
};

// A lock reading plus where the lock lives.
struct LocatedWait {
  WaitReading reading;
  std::string symbol;
  std::string where;
  // process_shared: the file behind it.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t offset = 0;
  bool operator==(const LocatedWait&) const = default;
};

struct OwnerToRead {
  pid_t tid = 0;  // the waiter
  LocatedWait wait;
};

// A sleeping thread's live stack.
struct StackToScan {
  pid_t ns_tid = 0;
  Registers registers;
};

struct ReferrersToFind {
  std::uint64_t address = 0;   // of a lock that keeps no owner
  std::vector<pid_t> waiters;  // ns_tid: their stacks refer to it anyway
};

struct SpaceThread {
  pid_t ns_tid = 0;
  std::uint64_t thread_pointer = 0;  // 0: not known
};

struct MappedFile {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  auto operator<=>(const MappedFile&) const = default;
};

// A function that is to be probed; see probes/catalog.h for its name and its files.
struct FunctionToFind {
  std::string name;
  std::vector<std::string> files;
  std::vector<std::uint32_t> arguments;  // whose registers the probe needs
  bool want_returns = false;             // its return instructions, too
};

struct FunctionFound {
  std::uint32_t query = 0;  // index in ProcessToRead::functions; one may find several, or none
  ProbeSite site;
  std::string why_not;  // it is there and cannot be probed as is wanted; empty: it can
};

// A few bytes of memory as they are now; kMaxBytes at most.
struct MemoryToRead {
  static constexpr std::uint32_t kMaxBytes = 64;
  std::uint64_t address = 0;
  std::uint32_t bytes = 0;
};

// What an object at an address is called, and where it lies.
struct ObjectPlace {
  std::uint64_t address = 0;
  std::string symbol;  // the variable, where it has a name
  std::string where;   // see Resource::where
  // In memory that is shared: the file behind it; inode 0: it is private.
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t offset = 0;
  bool operator==(const ObjectPlace&) const = default;
};

// Of one request: with names as long as they are kept, far below the limit of one message.
inline constexpr std::size_t kMaxCodePoints = 4096;
inline constexpr std::size_t kMaxFunctions = 1024;
// Of one function; one that has more is not probed there.
inline constexpr std::size_t kMaxReturns = 256;

struct ProcessToRead {
  pid_t pid = 0;
  std::vector<ThreadToRead> threads;
  std::vector<SpaceThread> space_threads;  // every live thread of the memory space
  std::vector<OwnerToRead> owners;         // decoded before; who holds them now?
  std::vector<StackToScan> stacks;         // for all of `referrers`
  std::vector<ReferrersToFind> referrers;
  bool source_lines = false;
  std::uint32_t max_frames = 512;
  bool want_process = false;
  bool want_python = false;  // its interpreter's threads and asyncio's tasks, if it has one
  // Instead of the tasks: exceptions and coroutines that nobody takes care of. Walks its whole
  // heap.
  bool want_forgotten = false;
  std::vector<std::string> exclusive_classes;  // see PythonOptions
  // Of its interpreter only the threads, what they run, and what these (host tids) do just now:
  // cheap enough to be asked for many times a second.
  bool want_loops = false;
  std::vector<pid_t> loop_threads;
  bool loop_locks = false;  // which lock these wait for and who has it, which takes more to read
  // Of its interpreter only the threads, what they run and which of them wait for a lock.
  bool want_threads = false;
  bool want_task_probe = false;           // where it makes asyncio's tasks
  bool want_frame_probe = false;          // where its threads' Python frames are
  std::vector<CodePoint> code_points;     // which lines of Python these are; at most kMaxCodePoints
  std::vector<MappedFile> files;          // does it map these?
  std::vector<FunctionToFind> functions;  // at most kMaxFunctions
  std::vector<MemoryToRead> memory;       // at most kMaxFunctions
  std::vector<std::uint64_t> objects;     // what is at these addresses? At most kMaxFunctions
};

struct ThreadRead {
  pid_t tid = 0;
  std::optional<LocatedWait> wait;            // unset: in no futex wait
  Stack stack;                                // frames name ProcessRead::modules
  std::string syscall_object;                 // see Syscall::object
  std::optional<DurationNs> syscall_timeout;  // relative to the call's start
  bool gone = false;
  // What of it could not be read, as a Loss's reason; empty: nothing is missing.
  std::string not_seen;
  bool operator==(const ThreadRead&) const = default;
};

struct OwnerRead {
  pid_t tid = 0;
  bool confirmed = false;
  LocatedWait wait;
};

struct ReferrersFound {
  std::uint64_t address = 0;
  std::vector<pid_t> ns_tids;
  bool complete = false;  // every stack was read to its end
};

// What a process's own files say about it.
struct ProcessFacts {
  std::string executable;
  std::string cgroup;
  std::string language;
  // Has a handler for a signal that others send (not one for its own crashes).
  bool catches_signals = false;
};

struct ProcessRead {
  std::vector<ThreadRead> threads;  // those that could be read
  std::vector<Module> modules;
  std::vector<OwnerRead> owners;
  std::vector<ReferrersFound> referrers;
  std::optional<ProcessFacts> process;
  std::vector<MappedFile> mapped_files;   // those asked for that it does map
  std::optional<PythonProcess> python;    // asked for (one of the two), and it is one
  std::string python_error;               // it is one that is not known: why
  std::optional<TaskProbe> task_probe;    // asked for, and it has imported asyncio
  std::optional<FrameProbe> frame_probe;  // asked for, and it is a Python that is known
  CodePlaces places;                      // one a code point, unless it could not be read at all
  std::vector<FunctionFound> functions;   // at most kMaxFunctions: a loss says that there are more
  std::vector<MemoryCopy> memory;         // of those asked for, what could be read
  std::vector<ObjectPlace> objects;
  std::vector<pid_t> blocked;  // threads on which the reader had to be killed
  std::vector<Loss> losses;
};

struct ReaderOptions {
  // How long one thread's reading may take before the reader is killed: reading words and stacks
  // takes microseconds, but the first file:line of a large binary takes its debug information in.
  DurationNs patience = 2 * kSecond;
  // All of a Python process comes in one piece, which takes as long as PythonOptions::time at most,
  // and a little more to be sent. So do functions: a program may have half a million symbols.
  DurationNs python_patience = 4 * kSecond;
};

struct ReaderCost {
  DurationNs cpu = 0;
  std::uint64_t resident_bytes = 0;
  DurationNs waited = 0;  // wall time spent waiting for answers
  std::uint32_t restarts = 0;
};

class Reader {
 public:
  // Starts the reader process (this binary again). It is running when this returns, not yet ready.
  // Fails with kPermission where root lacks a capability that reading needs.
  static Result<std::unique_ptr<Reader>> Start(const ReaderOptions& options);
  virtual ~Reader() = default;

  // Never fails as a whole: what could not be read is in `losses`.
  virtual ProcessRead Read(const ProcessToRead& request) = 0;
  virtual ReaderCost cost() const = 0;
};

// The reader process itself: serves requests on the socket `fd` until the other end closes.
// Returns the exit status.
int RunReader(int fd);
// How the tracer starts it: argv[1].
inline constexpr const char* kReaderCommand = "internal-reader";

}  // namespace ct
