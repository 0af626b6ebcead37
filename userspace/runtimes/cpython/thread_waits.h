// What a thread that sleeps in a futex call waits for, in the program's own terms.
#pragma once

#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtimes/cpython/code.h"
#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"
#include "runtimes/cpython/threads.h"
#include "runtimes/python.h"

namespace ct::cpython {

class ThreadWaitReader {
 public:
  ThreadWaitReader(Heap& heap, FrameReader& frames, CodeCache& codes)
      : heap_(heap), frames_(frames), codes_(codes) {}

  // Fills in what the threads of an interpreter are called and wait for.
  void Read(const FutexCalls& futexes, const std::vector<PythonGil>& gils,
            InterpreterView& interpreter);
  // Those that the threads wait for.
  [[nodiscard]] std::vector<PythonLock> TakeLocks();

 private:
  // A threading.Thread that has begun and not ended.
  struct ThreadObject {
    Address object = 0;
    std::uint64_t ident = 0;
    Address end = 0;  // what a join() waits for: up to 3.12 a lock, then a ThreadHandle
  };
  using Frames = std::vector<FrameView>;

  void ListThreads(InterpreterView& interpreter);
  void Describe(const FutexSleep& call, const std::vector<PythonGil>& gils, ThreadView& view);
  void ReadDeadline(const FutexSleep& call, PythonThread& thread);
  void ReadLockAt(Address lock);
  bool IsJoin(Address word, const Frames& frames, PythonAwait& wait);
  // The lock that sleeps on this word, as far as the innermost frames refer to it.
  Address FindLock(Address word, const Frames& frames);
  Address LockIn(Address value, Address word, int depth);
  // A call of Condition.wait(): what the frames outside of it make of it.
  void DescribeEvent(const Frames& frames, PythonAwait& wait);
  bool IsWaitForFutures(const FrameView& frame, PythonAwait& wait);
  std::vector<Address> Pending(Address futures);
  void SetObject(Address object, std::string_view attribute, PythonAwait& wait);
  bool Is(const FrameView& frame, std::string_view function, std::string_view file);

  Heap& heap_;
  FrameReader& frames_;
  CodeCache& codes_;
  std::vector<ThreadObject> threads_;
  std::unordered_set<std::uint64_t> idents_;  // of the interpreter's threads
  std::unordered_map<Address, PythonLock> locks_;
  std::uint64_t values_left_ = 1 << 20;  // slots and attributes in which locks are looked for
  std::uint64_t futures_left_ = 1 << 20;
};

}  // namespace ct::cpython
