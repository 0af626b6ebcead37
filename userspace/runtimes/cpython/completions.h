// Who completes a concurrent.futures.Future that somebody waits for, or the future of a call that a
// thread of anyio's makes.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtimes/cpython/code.h"
#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"
#include "runtimes/cpython/threads.h"

namespace ct::cpython {

class CompletionReader {
 public:
  CompletionReader(Heap& heap, FrameReader& frames, CodeCache& codes)
      : heap_(heap), frames_(frames), codes_(codes) {}

  // Of all that the threads and tasks of the process wait for.
  std::vector<PythonCompletion> Read(const std::vector<InterpreterView>& interpreters,
                                     const std::vector<PythonTask>& tasks);

 private:
  void Want(const PythonAwait& wait);
  // From the frames of a thread that works for a ThreadPoolExecutor.
  void ReadWorker(const ThreadView& view);
  void ReadAnyioWorker(const ThreadView& view);
  void ReadQueue(Address queue, const std::vector<pid_t>& workers);
  void ReadLoop(const PythonThread& thread);
  // Functions that a loop is about to call.
  std::vector<Address> CalledNext(Address loop);
  std::vector<Address> CalledNextByUvloop(Address loop, const Type& type);
  std::vector<Address> Fields(Address object, const Type& type);
  void ReadChain(Address future);
  std::vector<Address> QueuedItems(Address queue);
  // What a function has closed over.
  std::vector<Address> Closure(Address function);
  PythonCompletion* Wanted(Address future);

  Heap& heap_;
  FrameReader& frames_;
  CodeCache& codes_;
  std::unordered_map<Address, PythonCompletion> found_;      // by future that somebody waits for
  std::unordered_set<Address> unknown_;                      // futures of which no more is known
  std::unordered_map<Address, std::vector<pid_t>> workers_;  // by work queue
  std::uint64_t workers_left_ = 1 << 20;                     // of all queued calls together
};

}  // namespace ct::cpython
