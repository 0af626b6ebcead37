#include "runtimes/python.h"

#include <time.h>

#include "runtimes/cpython/find.h"
#include "runtimes/cpython/holds.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/cpython/tasks.h"
#include "runtimes/cpython/thread_waits.h"
#include "runtimes/cpython/threads.h"

namespace ct {

bool StandsAtOneInstruction(Target& target, const PythonThread& thread) {
  constexpr int kTimes = 8;
  constexpr timespec kApart{0, 50 * kMicrosecond};
  if (thread.frames.empty()) return false;
  for (int i = 0; i < kTimes; ++i) {
    nanosleep(&kApart, nullptr);
    const auto now = target.memory().ReadValue<std::uint64_t>(thread.frames.front().address +
                                                              cpython::kFrameInstruction);
    if (now != thread.instruction) return false;
  }
  return true;
}

Result<std::optional<PythonProcess>> ReadPython(Target& target, const PythonOptions& options) {
  const auto interpreter = cpython::FindInterpreter(target);
  if (!interpreter) return Fail(interpreter.error());
  if (!*interpreter) return std::nullopt;

  cpython::PageCache memory(target.memory());
  cpython::Heap heap(memory, *(*interpreter)->offsets);
  cpython::CodeCache codes(heap);
  cpython::FrameReader frames(heap, codes);
  PythonProcess process;
  process.version = (*interpreter)->version;
  auto interpreters = cpython::ReadThreads(heap, frames, **interpreter);
  process.gils = cpython::ReadGils(heap, **interpreter, interpreters);
  cpython::HoldReader holds(heap, frames, codes);
  cpython::TaskReader tasks(heap, frames, holds);
  cpython::ThreadWaitReader waits(heap, frames, codes);
  for (auto& view : interpreters) {
    if (options.tasks) {
      tasks.Read(view, process.tasks);
    } else {
      tasks.NameRunning(view);
    }
    waits.Read(options.futexes, process.gils, view);
    for (auto& thread : view.threads) {
      if (options.tasks) holds.Fill(thread.frames, false, thread.thread.frames);
      process.threads.push_back(std::move(thread.thread));
    }
  }
  process.locks = waits.TakeLocks();
  if (memory.exhausted()) heap.skips().Add("memory beyond the limit of one look");
  process.codes = codes.Take();
  process.skips = heap.skips().Take();
  return process;
}

}  // namespace ct
