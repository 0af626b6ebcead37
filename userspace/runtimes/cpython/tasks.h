// asyncio's tasks: those of the C implementation (_asyncio.Task and what derives from it).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "runtimes/cpython/bare_acquires.h"
#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/holds.h"
#include "runtimes/cpython/requests.h"
#include "runtimes/cpython/threads.h"
#include "runtimes/cpython/uses.h"
#include "runtimes/cpython/waits.h"

namespace ct::cpython {

// A name that nobody has asked for is still a number from 3.12 on.
std::string TaskName(Heap& heap, Address task);

class TaskReader {
 public:
  TaskReader(Heap& heap, FrameReader& frames, HoldReader& holds, BareAcquireReader& acquires,
             UseReader& uses)
      : heap_(heap),
        frames_(frames),
        holds_(holds),
        acquires_(acquires),
        uses_(uses),
        waits_(heap, frames),
        requests_(heap, frames) {}

  // Says of its threads which task they are in the middle of. Returns the dict of asyncio.tasks.
  Address NameRunning(InterpreterView& interpreter);
  // The same, and all tasks of the interpreter. `forget` makes the memory read anew: in a program
  // that runs on, tasks begin and end while they are listed.
  void Read(InterpreterView& interpreter, const std::function<void()>& forget,
            std::vector<PythonTask>& tasks);

 private:
  void ListLinked(Address head, std::vector<Address>& tasks);
  std::vector<Address> List(const InterpreterView& interpreter, Address module_dict);
  void FindRunning(InterpreterView& interpreter, Address module_dict);
  // Those that were none, but for those that have ended since.
  void ReadAgain(const std::vector<Address>& torn, const InterpreterView& interpreter,
                 Address module_dict, std::vector<PythonTask>& tasks);
  PythonTask ReadTask(Address address, const InterpreterView& interpreter);
  void AddFrames(const std::vector<FrameView>& frames, bool suspended, PythonTask& task);
  void AddGreenlets(std::vector<FrameView>& stack, PythonTask& task);
  void ReadStack(Address coroutine, const ThreadView* runs_in, PythonTask& task);

  Heap& heap_;
  FrameReader& frames_;
  HoldReader& holds_;
  BareAcquireReader& acquires_;
  UseReader& uses_;
  WaitReader waits_;
  RequestReader requests_;
  std::unordered_map<Address, std::size_t> thread_of_loop_;  // index in the interpreter's threads
  std::unordered_map<Address, std::size_t> thread_of_task_;
  std::uint64_t frames_left_ = 2 << 20;  // of all tasks together
};

}  // namespace ct::cpython
