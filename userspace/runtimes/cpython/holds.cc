// A with statement keeps the bound __exit__ of its context manager on the frame's operand stack.
// The exception table says how deep the stack is at the instruction below its handler: what lies
// below that depth belongs to blocks that were entered, what lies above is just being entered. No
// instruction needs to be decoded for that.
#include "runtimes/cpython/holds.h"

#include <algorithm>
#include <array>
#include <optional>

#include "runtimes/cpython/thread_locks.h"

namespace ct::cpython {
namespace {

constexpr int kMaxDepth = 8;            // of context managers inside context managers
constexpr std::size_t kMaxHolds = 256;  // of one frame
constexpr std::size_t kMaxMethods = 1 << 16;
constexpr std::size_t kMaxMethodName = 64;

// PyMethodObject, PyCFunctionObject, wrapperobject (descrobject.c), PyFunctionObject, PyDescrObject
// and PyMethodDef, 3.11 to 3.15.
constexpr std::uint64_t kMethodFunction = 16;
constexpr std::uint64_t kMethodSelf = 24;
constexpr std::uint64_t kFunctionName = 32;
constexpr std::uint64_t kDescriptorName = 24;

// BEFORE_WITH (opcode.h, opcode_ids.h), which is never specialized; 3.14 has other instructions.
std::optional<std::uint8_t> BeforeWith(const Heap& heap) {
  if (heap.IsAtLeast(14)) return std::nullopt;
  return heap.IsAtLeast(13) ? 2 : 53;
}

bool HasName(const FrameView& frame, std::string_view name) {
  std::string_view function = frame.code->function;
  if (!function.ends_with(name)) return false;
  function.remove_suffix(name.size());
  return function.empty() || function.back() == '.';
}

}  // namespace

HoldReader::Method HoldReader::MethodNamed(std::string_view name) {
  if (name == "__exit__") return Method::kExit;
  if (name == "__aexit__") return Method::kAsyncExit;
  return name == "__enter__" || name == "__aenter__" ? Method::kEnter : Method::kOther;
}

HoldReader::Method HoldReader::MethodOf(Address function) {
  const auto known = methods_.find(function);
  if (known != methods_.end()) return known->second;
  Address name = 0;
  const Kind kind = heap_.KindOf(function);
  if (kind == Kind::kFunction) name = heap_.Word(function + kFunctionName);
  if (kind == Kind::kMethodDescriptor) name = heap_.Word(function + kDescriptorName);
  const auto text = name != 0 ? heap_.Str(name, kMaxMethodName) : std::nullopt;
  const Method method = text ? MethodNamed(*text) : Method::kOther;
  if (methods_.size() < kMaxMethods) methods_.emplace(function, method);
  return method;
}

bool HoldReader::Spend(std::uint64_t& budget) {
  if (budget > 0) {
    --budget;
    return true;
  }
  heap_.skips().Add("with-blocks beyond the limit");
  return false;
}

HoldReader::Bound HoldReader::BoundOf(Address object) {
  Bound bound;
  switch (heap_.KindOf(object)) {
    case Kind::kMethod:
    case Kind::kMethodWrapper:
      bound.method = MethodOf(heap_.Word(object + kMethodFunction));
      break;
    case Kind::kBuiltinMethod: {
      // m_ml->ml_name
      std::array<char, 16> name{};
      const Address text = heap_.Word(heap_.Word(object + kMethodFunction));
      if (!heap_.Read(text, std::as_writable_bytes(std::span(name).first(10)))) break;
      bound.method = MethodNamed(name.data());
      break;
    }
    default:
      break;
  }
  if (bound.method != Method::kOther) bound.self = heap_.Word(object + kMethodSelf);
  return bound;
}

HoldReader::Bound HoldReader::BoundAt(const FrameView& frame, std::uint32_t slot,
                                      std::uint32_t end) {
  const Address object = frames_.Slot(frame, slot);
  if (object == 0) return {};
  // 3.14 and later keep the function and its object in two slots.
  if (heap_.IsAtLeast(14) && slot + 1 < end) {
    const Kind kind = heap_.KindOf(object);
    if (kind == Kind::kFunction || kind == Kind::kMethodDescriptor) {
      const Method method = MethodOf(object);
      return method != Method::kOther ? Bound{method, frames_.Slot(frame, slot + 1)} : Bound{};
    }
  }
  return BoundOf(object);
}

// Slots above the depth of a frame that runs may be leftovers or arguments of a call: the frame
// must be seen to be in a with statement.
bool HoldReader::IsEntering(const FrameView& frame, std::uint32_t slot, bool suspended) {
  if (suspended) return true;
  if (heap_.IsAtLeast(14)) {
    const std::uint32_t end = frame.slots.value_or(0);
    return slot + 2 < end && BoundAt(frame, slot + 2, end).method == Method::kEnter;
  }
  // 3.12 and 3.13 put the method there only after the call.
  return !heap_.IsAtLeast(12) && IsAtWith(frame);
}

bool HoldReader::IsAtWith(const FrameView& frame) {
  const auto opcode = BeforeWith(heap_);
  return opcode && heap_.Value<std::uint8_t>(frame.instruction) == opcode;
}

void HoldReader::AddAwaited(const FrameView& innermost, const PythonAwait& wait, PythonFrame& out) {
  if (wait.kind != PythonAwaitKind::kObject || !IsAtWith(innermost)) return;
  const bool known = std::any_of(out.holds.begin(), out.holds.end(),
                                 [](const PythonHold& hold) { return hold.entering; });
  if (known) return;
  PythonHold hold;
  hold.type = wait.type;
  hold.object = wait.object;
  hold.entering = true;
  out.holds.push_back(std::move(hold));
}

// __enter__ in Python: its frame says whose it is.
void HoldReader::AddEntered(const FrameView& frame, const FrameView* inner,
                            std::vector<PythonHold>& holds) {
  if (inner == nullptr || inner->code->locals == 0) return;
  const bool is_async = HasName(*inner, "__aenter__");
  if (!is_async && !HasName(*inner, "__enter__")) return;
  // super().__enter__() is no with statement: its caller is an __enter__ itself.
  if (HasName(frame, "__enter__") || HasName(frame, "__aenter__")) return;
  const Address self = frames_.LocalAt(*inner, 0);
  const bool known = std::any_of(holds.begin(), holds.end(), [&](const PythonHold& hold) {
    return hold.object == self && hold.entering;
  });
  if (known) return;
  PythonHold hold;
  hold.entering = true;
  hold.is_async = is_async;
  Add(self, 0, kMaxDepth, hold, holds);
}

std::vector<PythonHold> HoldReader::HoldsOf(const FrameView& frame, const FrameView* inner,
                                            bool suspended) {
  std::vector<PythonHold> holds;
  const std::uint32_t begin = frame.code->locals;
  const std::uint32_t end = frame.slots.value_or(begin + frame.code->stack_size);
  // 3.12 leaves a suspended frame before the RESUME that its handlers begin with.
  const Address before_resume = suspended && heap_.IsAtLeast(12) && !heap_.IsAtLeast(13) ? 2 : 0;
  const std::uint32_t depth = codes_.DepthAt(*frame.code, frame.instruction + before_resume);
  for (std::uint32_t slot = begin; slot < end && holds.size() < kMaxHolds; ++slot) {
    if (!Spend(slots_left_)) break;
    const Bound bound = BoundAt(frame, slot, end);
    if (bound.method != Method::kExit && bound.method != Method::kAsyncExit) {
      // Of a for loop over a generator. What runs does not say where its stack ends.
      const bool live = suspended || slot - begin < depth;
      const Address object = live ? frames_.Slot(frame, slot) : 0;
      if (object != 0) ExpandGenerator(object, object, 0, holds);
      continue;
    }
    PythonHold hold;
    hold.is_async = bound.method == Method::kAsyncExit;
    hold.entering = slot - begin >= depth;
    if (hold.entering && !IsEntering(frame, slot, suspended)) continue;
    Add(bound.self, 0, 0, hold, holds);
    if (hold.entering && !suspended) break;  // only one can be, the lowest
  }
  if (!suspended) AddEntered(frame, inner, holds);
  return holds;
}

void HoldReader::Add(Address object, Address through, int depth, PythonHold hold,
                     std::vector<PythonHold>& holds) {
  const Type* type = heap_.TypeOf(object);
  if (type == nullptr) {
    heap_.skips().Add("object of a with-block not readable");
    return;
  }
  // What an object says of itself is more than what a stack slot suggests.
  if (holds.size() >= kMaxHolds || (!hold.entering && IsFreeLock(heap_, object, *type))) return;
  if (!Spend(holds_left_)) return;
  hold.type = type->name;
  hold.object = object;
  hold.through = through;
  holds.push_back(hold);
  // Who is still entering a generator has its frames on his own stack.
  if (!hold.entering && depth < kMaxDepth) Expand(object, *type, depth, hold, holds);
}

void HoldReader::ExpandGenerator(Address generator, Address through, int depth,
                                 std::vector<PythonHold>& holds) {
  const Kind kind = heap_.KindOf(generator);
  if (kind != Kind::kGenerator && kind != Kind::kAsyncGenerator) return;
  const auto frame = frames_.OfGenerator(generator);
  if (!frame || frame->code == nullptr || !frame->slots) return;
  if (frames_.StateOf(generator, *frame) != GeneratorState::kYielded) return;
  for (std::uint32_t slot = frame->code->locals; slot < *frame->slots; ++slot) {
    if (!Spend(slots_left_)) return;
    const Bound bound = BoundAt(*frame, slot, *frame->slots);
    if (bound.method != Method::kExit && bound.method != Method::kAsyncExit) continue;
    PythonHold inside;
    inside.is_async = bound.method == Method::kAsyncExit;
    Add(bound.self, through, depth + 1, inside, holds);
  }
}

void HoldReader::Expand(Address object, const Type& type, int depth, const PythonHold& hold,
                        std::vector<PythonHold>& holds) {
  const std::string_view name = type.name;
  if (name == "contextlib._GeneratorContextManager" ||
      name == "contextlib._AsyncGeneratorContextManager") {
    ExpandGenerator(heap_.Attribute(object, "gen"), object, depth, holds);
  } else if (name == "contextlib.ExitStack" || name == "contextlib.AsyncExitStack") {
    // Tuples (is_sync, bound method); callbacks that are no context managers are functions.
    for (const Address entry :
         heap_.Elements(heap_.Attribute(object, "_exit_callbacks"), kMaxHolds)) {
      const auto parts = heap_.Elements(entry, 2);
      const Bound bound = parts.size() == 2 ? BoundOf(parts[1]) : Bound();
      if (bound.method != Method::kExit && bound.method != Method::kAsyncExit) continue;
      PythonHold inside;
      inside.is_async = bound.method == Method::kAsyncExit;
      Add(bound.self, object, depth + 1, inside, holds);
    }
  } else if (const Address lock = LockInside(object, name)) {
    PythonHold inside;
    inside.is_async = hold.is_async;
    Add(lock, object, depth + 1, inside, holds);
  }
}

Address HoldReader::LockInside(Address object, std::string_view type) {
  struct Around {
    std::string_view type;
    std::string_view attribute;
  };
  static constexpr auto kAround = std::to_array<Around>({
      {"asyncio.locks.Condition", "_lock"},
      {"threading.Condition", "_lock"},
      {"anyio.Condition", "_lock"},
      // What anyio 4 gives out where no loop runs yet.
      {"anyio._core._synchronization.LockAdapter", "_internal_lock"},
      {"anyio._core._synchronization.SemaphoreAdapter", "_internal_semaphore"},
      {"anyio._core._synchronization.CapacityLimiterAdapter", "_internal_limiter"},
  });
  for (const Around& around : kAround) {
    if (type == around.type) return heap_.Attribute(object, around.attribute);
  }
  return 0;
}

void HoldReader::AddReleased(const FrameView& frame, std::unordered_set<Address>& released) {
  if (frame.code->function != "Condition.wait") return;
  const Address condition = frames_.Local(frame, "self");
  const Type* type = heap_.TypeOf(condition);
  if (type == nullptr || type->short_name() != "Condition") return;
  released.insert(condition);
  const Address lock = heap_.Attribute(condition, "_lock");
  released.insert(lock);
  if (const Type* around = heap_.TypeOf(lock)) released.insert(LockInside(lock, around->name));
}

void HoldReader::Fill(const std::vector<FrameView>& frames, bool suspended,
                      std::vector<PythonFrame>& out) {
  std::unordered_set<Address> released;
  for (std::size_t i = 0; i < frames.size() && i < out.size(); ++i) {
    out[i].holds = HoldsOf(frames[i], i > 0 ? &frames[i - 1] : nullptr, suspended);
    if (!released.empty()) {
      std::erase_if(out[i].holds, [&](const PythonHold& hold) {
        return !hold.entering && released.count(hold.object) != 0;
      });
    }
    AddReleased(frames[i], released);
  }
}

}  // namespace ct::cpython
