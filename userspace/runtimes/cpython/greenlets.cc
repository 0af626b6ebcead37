#include "runtimes/cpython/greenlets.h"

namespace ct::cpython {
namespace {

// PyGreenlet {PyObject_HEAD, weakreflist, dict, pimpl} (greenlet.h, since 2.0).
constexpr std::uint64_t kBasicSize = 40;
constexpr std::uint64_t kImplementation = 32;
// class Greenlet has the frame on top as a PyFrameObject*, among some twenty words that vary with
// the versions of greenlet and Python (greenlet_greenlet.hpp, PythonState::_top_frame).
constexpr std::uint64_t kImplementationSize = 256;
constexpr std::uint64_t kFrameOfObject = 24;  // PyFrameObject.f_frame, 3.11 to 3.15
constexpr std::size_t kMaxHidden = 64;        // frames without code of their own

}  // namespace

std::vector<FrameView> FramesOfGreenlet(Heap& heap, FrameReader& frames, Address greenlet,
                                        std::size_t limit) {
  std::vector<FrameView> stack;
  const Type* type = heap.TypeOf(greenlet);
  if (type == nullptr || type->kind != Kind::kGreenlet || type->basic_size < kBasicSize) {
    return stack;
  }
  const Address implementation = heap.Word(greenlet + kImplementation);
  Address at = 0;
  for (std::uint64_t word = 0; word < kImplementationSize && at == 0; word += sizeof(Address)) {
    const Address object = heap.Word(implementation + word);
    const Type* pointed = heap.TypeOf(object);
    if (pointed != nullptr && pointed->name == "frame") at = heap.Word(object + kFrameOfObject);
  }
  std::size_t hidden = 0;
  while (at != 0 && stack.size() < limit && hidden < kMaxHidden) {
    const auto frame = frames.At(at);
    if (!frame) break;
    if (frame->code != nullptr) {
      stack.push_back(*frame);
    } else {
      ++hidden;
    }
    at = frame->previous;
  }
  return stack;
}

}  // namespace ct::cpython
