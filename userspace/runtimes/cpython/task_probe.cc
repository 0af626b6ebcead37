#include "runtimes/cpython/task_probe.h"

#include <array>
#include <cstddef>
#include <unordered_set>

#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/cpython/threads.h"

namespace ct {
namespace cpython {
namespace {

constexpr std::uint64_t kModuleDict = 16;  // PyModuleObject.md_dict
// PyTypeObject, 3.11 to 3.15: inherited by classes that derive from it, called by those of them
// that have an __init__ of their own, too.
constexpr std::uint64_t kTypeInit = 296;
constexpr std::size_t kMaxInterpreters = 256;

// The function that initializes tasks, if this interpreter has imported _asyncio.
Address TaskInit(Heap& heap, Address interpreter) {
  const Address modules = heap.Word(interpreter + heap.offsets().interp_modules);
  const Address module = heap.DictGet(modules, "_asyncio");
  const Address dict = module != 0 ? heap.Word(module + kModuleDict) : 0;
  const Type* type = heap.TypeAt(dict != 0 ? heap.DictGet(dict, "Task") : 0);
  return type != nullptr && type->name == "_asyncio.Task" ? heap.Word(type->address + kTypeInit)
                                                          : 0;
}

// While `visit` returns true.
template <class Visit>
void ForEachInterpreter(Heap& heap, const Interpreter& interpreter, const Visit& visit) {
  std::unordered_set<Address> seen;
  Address at = heap.Word(interpreter.runtime + heap.offsets().runtime_interpreters);
  while (at != 0 && seen.size() < kMaxInterpreters && seen.insert(at).second && visit(at)) {
    at = heap.Word(at + heap.offsets().interp_next);
  }
}

FrameProbe FramesBehind(Heap& heap, Address gil) {
  const Offsets& offsets = heap.offsets();
  FrameProbe probe;
  probe.last_holder = gil + kGilLastHolder;
  probe.thread_ident = offsets.thread_id;
  probe.thread_frame = offsets.thread_frame;
  probe.behind_cframe = offsets.frame_behind_cframe;
  probe.cframe_frame = offsets.cframe_frame;
  probe.code_mask = CodeMask(offsets);
  probe.frame_code = offsets.frame_code;
  probe.frame_previous = offsets.frame_previous;
  probe.frame_instruction = static_cast<std::uint32_t>(kFrameInstruction);
  probe.frame_owner = offsets.frame_owner;
  probe.last_python_owner = kLastPythonOwner;
  return probe;
}

}  // namespace

std::optional<TaskProbe> ReadTaskProbe(Heap& heap, const Interpreter& interpreter) {
  TaskProbe probe;
  ForEachInterpreter(heap, interpreter, [&](Address at) {
    const Address init = TaskInit(heap, at);
    const Address gil = init != 0 ? GilOf(heap, interpreter, at) : 0;
    if (gil == 0) return true;
    probe.address = init;
    probe.frames = FramesBehind(heap, gil);
    return false;
  });
  return probe.address != 0 ? std::optional(probe) : std::nullopt;
}

std::optional<FrameProbe> ReadFrameProbe(Heap& heap, const Interpreter& interpreter) {
  std::optional<FrameProbe> probe;
  ForEachInterpreter(heap, interpreter, [&](Address at) {
    const Address gil = GilOf(heap, interpreter, at);
    if (gil != 0) probe = FramesBehind(heap, gil);
    return gil == 0;
  });
  return probe;
}

CodePlaces ReadPlaces(CodeCache& codes, std::span<const CodePoint> points) {
  CodePlaces out;
  out.places.reserve(points.size());
  for (const CodePoint& point : points) {
    CodePlace& place = out.places.emplace_back();
    Code* code = codes.At(point.code);
    if (code == nullptr || !codes.Covers(*code, point.code + point.offset)) continue;
    place.code = code->index;
    place.line = codes.LineOf(*code, point.code + point.offset);
  }
  out.codes = codes.Take();
  return out;
}

}  // namespace cpython

namespace {

// x86-64. A breakpoint on it is stepped over by the processor, with a second trap; the kernel does
// itself what compilers put behind it (uprobes.c, push_setup_xol_ops): half the cost.
constexpr std::array kEndBranch = {std::byte{0xf3}, std::byte{0x0f}, std::byte{0x1e},
                                   std::byte{0xfa}};

bool BeginsWithEndBranch(Memory& memory, std::uint64_t address) {
  const auto begin = memory.ReadValue<std::array<std::byte, kEndBranch.size()>>(address);
  return begin && *begin == kEndBranch;
}

}  // namespace

Result<std::optional<TaskProbe>> FindTaskProbe(Target& target) {
  const auto interpreter = cpython::FindInterpreter(target);
  if (!interpreter) return Fail(interpreter.error());
  if (!*interpreter) return std::nullopt;
  cpython::PageCache memory(target.memory());
  cpython::Heap heap(memory, *(*interpreter)->offsets);
  auto probe = cpython::ReadTaskProbe(heap, **interpreter);
  if (!probe) return std::nullopt;
  // In the middle of an instruction a breakpoint would break the process.
  const auto place = target.FunctionBeginningAt(probe->address);
  if (!place) {
    return Fail(ErrorCode::kUnsupported,
                "what initializes asyncio's tasks is no function of a file");
  }
  probe->map_begin = place->map_begin;
  probe->map_end = place->map_end;
  probe->inode = place->inode;
  probe->file_offset = place->file_offset;
  if (BeginsWithEndBranch(target.memory(), probe->address)) {
    probe->address += kEndBranch.size();
    probe->file_offset += kEndBranch.size();
  }
  return probe;
}

Result<std::optional<FrameProbe>> FindFrameProbe(Target& target) {
  const auto interpreter = cpython::FindInterpreter(target);
  if (!interpreter) return Fail(interpreter.error());
  if (!*interpreter) return std::nullopt;
  cpython::PageCache memory(target.memory());
  cpython::Heap heap(memory, *(*interpreter)->offsets);
  return cpython::ReadFrameProbe(heap, **interpreter);
}

Result<CodePlaces> DescribePoints(Target& target, std::span<const CodePoint> points) {
  const auto interpreter = cpython::FindInterpreter(target);
  if (!interpreter) return Fail(interpreter.error());
  if (!*interpreter) return CodePlaces{{}, std::vector<CodePlace>(points.size())};
  cpython::PageCache memory(target.memory());
  cpython::Heap heap(memory, *(*interpreter)->offsets);
  cpython::CodeCache codes(heap);
  return cpython::ReadPlaces(codes, points);
}

}  // namespace ct
