// What nobody takes care of: exceptions of tasks and futures that nobody has asked for, coroutines
// that nobody has begun.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/gc_walk.h"
#include "runtimes/cpython/objects.h"
#include "runtimes/cpython/referrers.h"
#include "runtimes/cpython/threads.h"

namespace ct::cpython {

class ForgottenReader {
 public:
  ForgottenReader(Heap& heap, FrameReader& frames, CodeCache& codes, GcWalk& walk)
      : heap_(heap), frames_(frames), codes_(codes), walk_(walk) {}

  // Of one interpreter.
  void Read(const InterpreterView& interpreter, PythonProcess& out);
  // Generators and coroutines of that interpreter that have begun; nullptr if some were not found.
  [[nodiscard]] const std::vector<Address>* suspended() const {
    return found_all_ ? &suspended_ : nullptr;
  }

 private:
  void Sort(Address object, Address type);
  void SortFuture(Address future, Kind kind);
  void SortCoroutine(Address coroutine);
  PythonFailure Describe(Address future);
  std::string MessageOf(Address exception);
  std::string TextOf(Address argument);
  std::vector<PythonFrame> TracebackOf(Address traceback);
  std::vector<PythonFrame> CreationOf(Address summary);

  Heap& heap_;
  FrameReader& frames_;
  CodeCache& codes_;
  GcWalk& walk_;
  std::unordered_map<Address, Kind> kinds_;  // by type: kOther if it does not matter
  std::unordered_set<Address> failed_;       // futures and tasks
  std::unordered_set<Address> created_;      // coroutines
  std::unordered_set<Address> taken_;        // awaitables that somebody has
  std::vector<Address> suspended_;           // generators and coroutines that have begun
  bool found_all_ = false;                   // of those
};

}  // namespace ct::cpython
