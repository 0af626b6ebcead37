// What the dotted names in a frame's code mean.
#pragma once

#include "runtimes/cpython/code.h"
#include "runtimes/cpython/frames.h"

namespace ct::cpython {

class NameReader {
 public:
  NameReader(Heap& heap, FrameReader& frames, CodeCache& codes)
      : heap_(heap), frames_(frames), codes_(codes) {}

  const NameAccesses& AccessesOf(const FrameView& frame) { return codes_.AccessesOf(*frame.code); }
  // "acquire" of `self.pool.acquire()`; empty if it is not known.
  static std::string_view LastName(const Code& code, const NameAccess& access);
  static std::string_view LastName(const FrameView& frame, const NameAccess& access) {
    return LastName(*frame.code, access);
  }
  // The object whose attribute that is: what self.pool is now. Attributes of instances and of
  // modules are looked up, nothing is computed. 0 if it is not known.
  Address OwnerOf(const FrameView& frame, const NameAccess& access);
  // The same in a function that does not run, where the name begins with a global.
  Address OwnerIn(const Code& code, Address globals, const NameAccess& access);
  // Bytes from the start of the frame's bytecode to its current instruction.
  static std::uint32_t OffsetOf(const FrameView& frame);

 private:
  // From the object that the name begins with.
  Address Follow(const Code& code, const NameAccess& access, Address object);

  Heap& heap_;
  FrameReader& frames_;
  CodeCache& codes_;
};

}  // namespace ct::cpython
