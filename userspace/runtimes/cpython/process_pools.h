// Calls that a worker process of a concurrent.futures.ProcessPoolExecutor makes for somebody who
// waits here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "runtimes/cpython/code.h"
#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"

namespace ct::cpython {

class ProcessPoolReader {
 public:
  ProcessPoolReader(Heap& heap, FrameReader& frames, CodeCache& codes)
      : heap_(heap), frames_(frames), codes_(codes) {}

  // Of a process whose tasks and threads were read with their waits: adds the executors whose calls
  // they wait for, and says in the waits (`object`, `attribute`) which that is and how far the call
  // has come.
  void Read(PythonProcess& process);

 private:
  struct Call {
    Address executor = 0;
    bool queued = false;  // it is not handed to the workers yet
  };

  static bool HasWaits(const PythonProcess& process);
  // From the frames of the thread that every executor with workers has.
  void ReadManager(const PythonThread& thread, PythonProcess& process);
  std::string Workers(Address processes, std::optional<std::uint32_t> most);
  void Note(PythonAwait& wait) const;

  Heap& heap_;
  FrameReader& frames_;
  CodeCache& codes_;
  std::unordered_map<Address, Call> calls_;  // by future
};

}  // namespace ct::cpython
