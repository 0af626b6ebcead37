#include "runtimes/cpython/threads.h"

#include <algorithm>
#include <unordered_set>

namespace ct::cpython {
namespace {

// The beginning of PyThreadState, 3.11 to 3.15.
struct ThreadImage {
  Address previous, next, interpreter;
};

// _PyInterpreterFrame.is_entry of 3.11.
constexpr std::uint64_t kIsEntry = 68;

constexpr std::size_t kMaxInterpreters = 256;
constexpr std::size_t kMaxThreads = 4096;
// How often a list that changes is walked. Once takes some 20 us for each 64 KiB in which there is
// a thread: of a program that starts and ends a thousand a second hardly one walk in ten is
// spoiled.
constexpr int kWalks = 8;
constexpr int kStackWalks = 4;
constexpr std::size_t kMaxFrames = 512;  // of one thread
constexpr std::size_t kMaxAllFrames = 1 << 18;
// Frames of the interpreter between those of Python code: one for each call through C.
constexpr std::size_t kMaxHidden = 512;

// struct _gil_runtime_state (pycore_gil.h), 3.11 to 3.15.
constexpr std::uint64_t kLocked = 16;
constexpr std::uint64_t kGilSize = 208;

enum class StackRead : std::uint8_t { kComplete, kTorn, kTooDeep };

StackRead ReadStack(Heap& heap, FrameReader& frames, Address at, std::size_t max_frames,
                    ThreadView& view) {
  std::size_t hidden = 0;
  while (at != 0) {
    const auto frame = frames.At(at);
    // From 3.12 on what enters the loop has a frame of its own outside of those that it runs.
    const bool is_shim = frame && frame->code == nullptr;
    if (is_shim && !view.thread.frames.empty()) view.thread.frames.back().entry = true;
    const bool is_shown = frame && !is_shim && !frames.IsConstructorShim(*frame);
    if (!frame || (!is_shown && ++hidden > kMaxHidden)) return StackRead::kTorn;
    if (is_shown) {
      if (view.frames.size() >= max_frames) return StackRead::kTooDeep;
      view.thread.frames.push_back(frames.Describe(*frame));
      if (!heap.IsAtLeast(12)) {
        view.thread.frames.back().entry = heap.Value<std::uint8_t>(at + kIsEntry) == 1;
      }
      view.frames.push_back(*frame);
    }
    at = frame->previous;
  }
  return StackRead::kComplete;
}

// Up to 3.12 the running loop is in the thread state's dict; in 3.11 in a holder whose first field
// it is (PyRunningLoopHolder in Modules/_asynciomodule.c).
Address RunningLoop(Heap& heap, Address thread) {
  constexpr std::uint64_t kLoopInHolder = 16;
  const Offsets& offsets = heap.offsets();
  Address loop = 0;
  if (offsets.thread_running_loop != 0) {
    loop = heap.Word(thread + offsets.thread_running_loop);
  } else if (const Address dict = heap.Word(thread + offsets.thread_dict)) {
    loop = heap.DictGet(dict, "__asyncio_running_event_loop__");
    if (!heap.IsAtLeast(12) && loop != 0) loop = heap.Word(loop + kLoopInHolder);
  }
  return heap.TypeOf(loop) != nullptr && heap.KindOf(loop) != Kind::kNone ? loop : 0;
}

// BaseEventLoop._run_once of asyncio/base_events.py looks at its clock as soon as it is out of its
// selector, and keeps what it read, until it comes back: `end_time = self.time() + resolution`.
std::optional<double> IterationBegan(Heap& heap, FrameReader& frames, const ThreadView& view) {
  if (view.thread.running_loop == 0) return std::nullopt;
  for (const FrameView& frame : view.frames) {
    if (frame.code->function != "BaseEventLoop._run_once") continue;
    return heap.Float(frames.Local(frame, "end_time"));
  }
  return std::nullopt;
}

StackRead ReadThread(Heap& heap, FrameReader& frames, Address address, std::size_t max_frames,
                     ThreadView& view) {
  const Offsets& offsets = heap.offsets();
  view.thread.address = address;
  view.thread.native_id = static_cast<pid_t>(heap.Word(address + offsets.thread_native_id));
  view.thread.ident = heap.Word(address + offsets.thread_id);
  view.thread.running_loop = RunningLoop(heap, address);
  if (offsets.thread_running_task != 0) {
    view.thread.running_task = heap.Word(address + offsets.thread_running_task);
  }
  Address frame = heap.Word(address + offsets.thread_frame);
  if (offsets.frame_behind_cframe && frame != 0) frame = heap.Word(frame + offsets.cframe_frame);
  const StackRead read = ReadStack(heap, frames, frame, max_frames, view);
  if (!view.frames.empty()) view.thread.instruction = view.frames.front().instruction;
  view.thread.iteration_began = IterationBegan(heap, frames, view);
  return read;
}

// The stack of a thread that runs may change under the walk: then it is walked again.
ThreadView ReadThreadAtRest(Heap& heap, FrameReader& frames, Address address,
                            std::size_t max_frames, const std::function<void()>& forget) {
  StackRead read = StackRead::kTorn;
  ThreadView view;
  for (int walk = 0; walk < kStackWalks && read == StackRead::kTorn; ++walk) {
    if (walk > 0) forget();
    view = {};
    read = ReadThread(heap, frames, address, max_frames, view);
  }
  view.thread.truncated = read != StackRead::kComplete;
  if (read == StackRead::kTorn) heap.skips().Add("frame of a thread not readable");
  if (read == StackRead::kTooDeep) heap.skips().Add("stack of a thread truncated");
  return view;
}

// The states of an interpreter's threads; false if that is not all of them, for one was none of
// them: it has begun or ended meanwhile, and its memory is something else.
bool ListThreads(Heap& heap, Address interpreter, std::vector<Address>& threads) {
  std::unordered_set<Address> seen;
  Address last = 0;
  Address at = heap.Word(interpreter + heap.offsets().interp_threads);
  for (; at != 0 && threads.size() <= kMaxThreads && seen.insert(at).second;) {
    const auto thread = heap.Value<ThreadImage>(at);
    if (!thread || thread->interpreter != interpreter || thread->previous != last) return false;
    threads.push_back(at);
    last = at;
    at = thread->next;
  }
  return true;
}

std::vector<Address> ThreadsOf(Heap& heap, Address interpreter,
                               const std::function<void()>& forget) {
  std::vector<Address> threads;
  bool complete = ListThreads(heap, interpreter, threads);
  for (int walk = 1; walk < kWalks && !complete; ++walk) {
    forget();
    threads.clear();
    complete = ListThreads(heap, interpreter, threads);
  }
  if (!complete) heap.skips().Add("thread state not readable");
  return threads;
}

}  // namespace

std::vector<InterpreterView> ReadThreads(Heap& heap, FrameReader& frames,
                                         const Interpreter& interpreter,
                                         const std::function<void()>& forget) {
  const Offsets& offsets = heap.offsets();
  std::vector<InterpreterView> interpreters;
  std::unordered_set<Address> seen;
  std::size_t threads = 0;
  std::size_t frames_left = kMaxAllFrames;
  Address at = heap.Word(interpreter.runtime + offsets.runtime_interpreters);
  for (; at != 0 && interpreters.size() < kMaxInterpreters && seen.insert(at).second;
       at = heap.Word(at + offsets.interp_next)) {
    InterpreterView& view = interpreters.emplace_back();
    view.address = at;
    for (const Address thread : ThreadsOf(heap, at, forget)) {
      if (++threads > kMaxThreads) {
        heap.skips().Add("more threads than are read");
        break;
      }
      view.threads.push_back(
          ReadThreadAtRest(heap, frames, thread, std::min(kMaxFrames, frames_left), forget));
      frames_left -= view.threads.back().frames.size();
    }
  }
  return interpreters;
}

Address GilOf(Heap& heap, const Interpreter& interpreter, Address view) {
  const Offsets& offsets = heap.offsets();
  return offsets.runtime_gil != 0 ? interpreter.runtime + offsets.runtime_gil
                                  : heap.Word(view + offsets.interp_gil);
}

std::vector<PythonGil> ReadGils(Heap& heap, const Interpreter& interpreter,
                                const std::vector<InterpreterView>& interpreters) {
  const Offsets& offsets = heap.offsets();
  std::vector<PythonGil> gils;
  for (const InterpreterView& view : interpreters) {
    PythonGil gil;
    gil.address = GilOf(heap, interpreter, view.address);
    gil.size = kGilSize;
    const bool known = std::any_of(gils.begin(), gils.end(), [&](const PythonGil& other) {
      return other.address == gil.address;
    });
    const auto locked = heap.Value<std::int32_t>(gil.address + kLocked);
    if (known || gil.address == 0 || !locked) continue;
    gil.held = *locked == 1;  // -1: not initialized
    gil.collecting =
        gil.held && heap.Value<std::int32_t>(view.address + offsets.interp_collecting) == 1;
    const Address holder = gil.held ? heap.Word(gil.address + kGilLastHolder) : 0;
    for (const InterpreterView& other : interpreters) {
      for (const ThreadView& thread : other.threads) {
        if (thread.thread.address == holder) gil.holder = thread.thread.native_id;
      }
    }
    gils.push_back(gil);
  }
  return gils;
}

}  // namespace ct::cpython
