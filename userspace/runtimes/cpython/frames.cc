#include "runtimes/cpython/frames.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace ct::cpython {
namespace {

// _PyInterpreterFrame (pycore_frame.h, from 3.14 on pycore_interpframe_structs.h), 3.11 to 3.15.
constexpr std::uint64_t kStackTop = 64;  // int stacktop up to 3.13, then a pointer
constexpr std::size_t kImage = 80;
constexpr std::uint64_t kCellContents = 16;  // PyCellObject.ob_ref

}  // namespace

std::optional<FrameView> FrameReader::At(Address address) {
  std::array<std::byte, kImage> image;
  if (address == 0 || (address & 7) != 0 || !heap_.Read(address, image)) return std::nullopt;
  const Offsets& offsets = heap_.offsets();
  const auto word = [&](std::uint64_t at) {
    Address value = 0;
    std::memcpy(&value, image.data() + at, sizeof(value));
    return value;
  };
  FrameView frame;
  frame.address = address;
  frame.owner = static_cast<std::uint8_t>(image[offsets.frame_owner]);
  frame.previous = word(offsets.frame_previous);
  frame.instruction = word(kFrameInstruction);
  frame.locals = address + offsets.frame_locals;
  if (frame.owner <= kLastPythonOwner) {
    frame.code = codes_.At(word(offsets.frame_code) & CodeMask(offsets));
  }
  if (frame.code == nullptr) return frame;
  const std::uint64_t most = frame.code->locals + frame.code->stack_size;
  std::uint64_t slots = ~0ULL;
  if (heap_.IsAtLeast(14)) {
    const Address top = word(kStackTop);
    if (top >= frame.locals) slots = (top - frame.locals) / sizeof(Address);
  } else {
    std::int32_t top = -1;
    std::memcpy(&top, image.data() + kStackTop, sizeof(top));
    if (top >= 0) slots = static_cast<std::uint64_t>(top);
  }
  if (slots >= frame.code->locals && slots <= most) {
    frame.slots = static_cast<std::uint32_t>(slots);
  }
  return frame;
}

GeneratorState FrameReader::StateOf(Address generator, const FrameView& frame) {
  const auto raw = heap_.Value<std::int8_t>(generator + heap_.offsets().generator_state);
  if (!raw) return GeneratorState::kUnreadable;
  // PyFrameState of pycore_frame.h
  if (heap_.IsAtLeast(15)) {
    switch (*raw) {
      case 0:
        return GeneratorState::kCreated;
      case 1:
        return GeneratorState::kYielded;
      case 2:
      case 3:
        return GeneratorState::kDelegating;
      case 4:
        return GeneratorState::kRunning;
      case 5:
        return GeneratorState::kFinished;
      default:
        return GeneratorState::kUnreadable;
    }
  }
  if (*raw > 0) return GeneratorState::kFinished;
  if (*raw == 0) return GeneratorState::kRunning;
  if (heap_.IsAtLeast(13)) {
    return *raw == -1   ? GeneratorState::kDelegating
           : *raw == -2 ? GeneratorState::kYielded
                        : GeneratorState::kCreated;
  }
  if (*raw == -2) return GeneratorState::kCreated;
  // 3.11 and 3.12 tell by the RESUME that comes next: its argument is 0 or 1 after a plain yield,
  // 2 after yield from and 3 after await (the low two bits; _PyGen_yf in genobject.c).
  const auto argument = heap_.Value<std::uint8_t>(frame.instruction + 3);
  return argument && (*argument & 3) >= 2 ? GeneratorState::kDelegating : GeneratorState::kYielded;
}

Address FrameReader::Slot(const FrameView& frame, std::uint32_t index) {
  const Address value = heap_.Word(frame.locals + std::uint64_t{index} * sizeof(Address));
  if (!heap_.IsAtLeast(14)) return value;
  return (value & kReferenceTags) == kReferenceTags
             ? 0
             : value & ~kReferenceTags;  // both bits: a small number, no reference
}

Address FrameReader::Awaited(const FrameView& frame) {
  // On top of the stack; 3.15 puts the index of a virtual iterator above it (_PyGen_yf).
  const std::uint32_t depth = heap_.IsAtLeast(15) ? 2 : 1;
  if (!frame.slots || *frame.slots < frame.code->locals + depth) return 0;
  return Slot(frame, *frame.slots - depth);
}

Address FrameReader::LocalAt(const FrameView& frame, std::uint32_t index) {
  const Address value = Slot(frame, index);
  return heap_.KindOf(value) == Kind::kCell ? heap_.Word(value + kCellContents) : value;
}

Address FrameReader::Local(const FrameView& frame, std::string_view name) {
  const auto& names = frame.code->local_names;
  const auto found = std::find(names.begin(), names.end(), name);
  const auto index = static_cast<std::uint32_t>(found - names.begin());
  return index < frame.code->locals && found != names.end() ? LocalAt(frame, index) : 0;
}

bool FrameReader::IsConstructorShim(const FrameView& frame) {
  constexpr std::string_view kName = "__init__";
  return frame.code->function == kName && codes_.FileOf(*frame.code) == kName;
}

PythonFrame FrameReader::Describe(const FrameView& frame) {
  PythonFrame out;
  out.code = frame.code->index;
  out.line = codes_.LineOf(*frame.code, frame.instruction);
  out.address = frame.address;
  return out;
}

}  // namespace ct::cpython
