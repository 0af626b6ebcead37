#include "runtimes/python.h"

#include <time.h>

#include <fmt/format.h>

#include "runtimes/cpython/abandoned_locks.h"
#include "runtimes/cpython/bare_acquires.h"
#include "runtimes/cpython/completions.h"
#include "runtimes/cpython/find.h"
#include "runtimes/cpython/forgotten.h"
#include "runtimes/cpython/holds.h"
#include "runtimes/cpython/page_cache.h"
#include "runtimes/cpython/pools.h"
#include "runtimes/cpython/process_pools.h"
#include "runtimes/cpython/tasks.h"
#include "runtimes/cpython/thread_waits.h"
#include "runtimes/cpython/threads.h"
#include "runtimes/cpython/uses.h"

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

  cpython::PageCache::Limits limits;
  limits.time = options.time;
  cpython::PageCache memory(target.memory(), limits);
  cpython::Heap heap(memory, *(*interpreter)->offsets, target.memory());
  cpython::CodeCache codes(heap);
  cpython::FrameReader frames(heap, codes);
  PythonProcess process;
  process.version = (*interpreter)->version;
  const auto forget = [&memory] { memory.Forget(); };
  auto interpreters = cpython::ReadThreads(heap, frames, **interpreter, forget);
  process.gils = cpython::ReadGils(heap, **interpreter, interpreters);
  cpython::HoldReader holds(heap, frames, codes);
  cpython::UseReader uses(heap, frames, codes, options.exclusive_classes);
  cpython::BareAcquireReader acquires(heap, frames, codes);
  cpython::TaskReader tasks(heap, frames, holds, acquires, uses);
  cpython::ThreadWaitReader waits(heap, frames, codes);
  cpython::GcWalk walk(heap, target.memory());
  cpython::ForgottenReader forgotten(heap, frames, codes, walk);
  cpython::AbandonedLockReader abandoned(heap, frames, codes, holds, walk);
  for (auto& view : interpreters) {
    if (options.tasks) {
      tasks.Read(view, forget, process.tasks);
    } else {
      tasks.NameRunning(view);
    }
    if (options.forgotten) forgotten.Read(view, process);
    waits.Read(options.futexes, process.gils, view);
    if (!options.objects) continue;
    for (auto& thread : view.threads) {
      holds.Fill(thread.frames, false, thread.thread.frames);
      acquires.Fill(thread.frames, thread.thread.frames);
      if (!thread.frames.empty()) {
        holds.AddAwaited(thread.frames.front(), thread.thread.waits_for,
                         thread.thread.frames.front());
      }
      thread.thread.uses = uses.OfThread(thread.frames, thread.thread.frames);
    }
    if (options.forgotten && forgotten.suspended() != nullptr) {
      abandoned.Read(view, *forgotten.suspended(), process);
    }
  }
  if (options.objects) {
    process.completions =
        cpython::CompletionReader(heap, frames, codes).Read(interpreters, process.tasks);
  }
  for (auto& view : interpreters) {
    for (auto& thread : view.threads) process.threads.push_back(std::move(thread.thread));
  }
  process.locks = waits.TakeLocks();
  if (options.objects) {
    std::vector<cpython::Address> modules;
    for (const auto& view : interpreters) {
      modules.push_back(heap.Word(view.address + heap.offsets().interp_modules));
    }
    cpython::PoolReader(heap, frames, codes).Read(modules, process);
    cpython::ProcessPoolReader(heap, frames, codes).Read(process);
  }
  if (memory.late()) {
    heap.skips().Add(
        fmt::format("what takes beyond the limit of {}", FormatDuration(options.time)));
  }
  if (memory.exhausted()) heap.skips().Add("memory beyond the limit of one look");
  process.codes = codes.Take();
  process.skips = heap.skips().Take();
  return process;
}

}  // namespace ct
