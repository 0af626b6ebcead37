// Which with-blocks a frame is in, and which objects that means.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"

namespace ct::cpython {

class HoldReader {
 public:
  HoldReader(Heap& heap, FrameReader& frames, CodeCache& codes)
      : heap_(heap), frames_(frames), codes_(codes) {}

  // Fills in the holds of a stack, innermost first: of suspended coroutines, or of frames that run
  // (or are in a call).
  void Fill(const std::vector<FrameView>& frames, bool suspended, std::vector<PythonFrame>& out);
  // A with statement calls the __enter__ of a lock of C, which has no frame: in 3.12 and 3.13 only
  // what the thread waits for says whose.
  void AddAwaited(const FrameView& innermost, const PythonAwait& wait, PythonFrame& out);

 private:
  enum class Method : std::uint8_t { kOther, kEnter, kExit, kAsyncExit };
  // A method that a with statement has put on the stack, with its object.
  struct Bound {
    Method method = Method::kOther;
    Address self = 0;
  };

  // `inner` is the frame that this one calls; nullptr if it calls none.
  std::vector<PythonHold> HoldsOf(const FrameView& frame, const FrameView* inner, bool suspended);
  void AddEntered(const FrameView& frame, const FrameView* inner, std::vector<PythonHold>& holds);
  bool IsEntering(const FrameView& frame, std::uint32_t slot, bool suspended);
  bool IsAtWith(const FrameView& frame);
  Bound BoundAt(const FrameView& frame, std::uint32_t slot, std::uint32_t end);
  Bound BoundOf(Address object);
  Method MethodOf(Address function);
  static Method MethodNamed(std::string_view name);

  void Add(Address object, Address through, int depth, PythonHold hold,
           std::vector<PythonHold>& holds);
  void Expand(Address object, const Type& type, int depth, const PythonHold& hold,
              std::vector<PythonHold>& holds);
  // The lock that is held with an object of this class, or that does its work; 0: none.
  Address LockInside(Address object, std::string_view type);
  // What a generator that is suspended in a yield holds for whoever iterates over it.
  void ExpandGenerator(Address generator, Address through, int depth,
                       std::vector<PythonHold>& holds);
  // False once the limit of all is reached.
  bool Spend(std::uint64_t& budget);
  // The lock that a frame of Condition.wait() has let go of while it waits.
  void AddReleased(const FrameView& frame, std::unordered_set<Address>& released);

  Heap& heap_;
  FrameReader& frames_;
  CodeCache& codes_;
  std::unordered_map<Address, Method> methods_;
  // Of one look at a process: slots looked at, holds kept.
  std::uint64_t slots_left_ = 32 << 20;
  std::uint64_t holds_left_ = 1 << 20;
};

}  // namespace ct::cpython
