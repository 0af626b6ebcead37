// Locks that a frame has taken by lock.acquire(), without a with-block: nothing on its operand
// stack says so, its code does.
#pragma once

#include <unordered_map>
#include <vector>

#include "runtimes/cpython/names.h"

namespace ct::cpython {

class BareAcquireReader {
 public:
  BareAcquireReader(Heap& heap, FrameReader& frames, CodeCache& codes)
      : heap_(heap), names_(heap, frames, codes), codes_(codes) {}

  // Adds to the holds of a stack what each of its frames has acquired and not released by the order
  // in which its code stands, as PythonHold::bare: which branches were taken is not known.
  void Fill(const std::vector<FrameView>& frames, std::vector<PythonFrame>& out);

 private:
  // Of lock.acquire() and lock.release(), in the order of the code.
  const std::vector<NameAccess>& CallsIn(const FrameView& frame);
  void AddTo(const FrameView& frame, std::vector<PythonHold>& holds);

  Heap& heap_;
  NameReader names_;
  CodeCache& codes_;
  std::unordered_map<const Code*, std::vector<NameAccess>> calls_;
  std::uint64_t lookups_left_ = 1 << 16;  // of one look at a process
};

}  // namespace ct::cpython
