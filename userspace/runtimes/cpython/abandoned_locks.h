// Locks that are taken though nobody has them: no frame of a thread, coroutine or generator is in a
// with-block of theirs or behind its acquire(), and nothing in the program releases them that would
// not have to take them first.
#pragma once

#include <vector>

#include "runtimes/cpython/gc_walk.h"
#include "runtimes/cpython/holds.h"
#include "runtimes/cpython/lock_references.h"
#include "runtimes/cpython/lock_releases.h"
#include "runtimes/cpython/threads.h"

namespace ct::cpython {

class AbandonedLockReader {
 public:
  AbandonedLockReader(Heap& heap, FrameReader& frames, CodeCache& codes, HoldReader& holds,
                      GcWalk& walk)
      : heap_(heap), frames_(frames), codes_(codes), holds_(holds), walk_(walk) {}

  // Of one interpreter, whose threads have been read with what they wait for and hold; `suspended`:
  // generators and coroutines that have begun.
  void Read(const InterpreterView& interpreter, const std::vector<Address>& suspended,
            PythonProcess& out);

 private:
  void FindInThreads(const InterpreterView& interpreter);
  void FindInCoroutines(const std::vector<Address>& suspended);
  void Want(Address lock);
  // False if not all that runs could be read.
  bool LookAtThreads(const InterpreterView& interpreter, LockReferenceReader& references,
                     LockReleaseReader& code);
  void LookAtFrame(const FrameView& frame, bool suspended, LockReferenceReader& references,
                   LockReleaseReader& code);
  void NoteHolds(const std::vector<PythonHold>& holds);

  [[nodiscard]] bool IsAbandoned(Address lock, const WantedLock& wanted);

  Heap& heap_;
  FrameReader& frames_;
  CodeCache& codes_;
  HoldReader& holds_;
  GcWalk& walk_;
  WantedLocks wanted_;
};

}  // namespace ct::cpython
