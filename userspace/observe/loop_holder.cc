#include "observe/loop_holder.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "observe/python_look.h"
#include "observe/python_resources.h"

namespace ct {
namespace {

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// " in resize images.py:88": where a person would look first.
std::string In(const PythonProcess& process, const std::vector<PythonFrame>& frames) {
  const Stack stack = PythonStackOf(process, frames, false);
  const Frame* frame = OwnPythonFrame(stack);
  if (frame == nullptr) return {};
  return fmt::format(" in {} {}:{}", frame->function, BaseName(frame->file), frame->line);
}

enum class Has : std::uint8_t { kNo, kProbably, kYes };

Has Holds(const std::vector<PythonFrame>& frames, std::uint64_t object) {
  Has has = Has::kNo;
  for (const PythonFrame& frame : frames) {
    for (const PythonHold& hold : frame.holds) {
      const auto held = hold.object == object ? HeldResource(hold) : std::nullopt;
      if (!held) continue;
      has = std::max(has, held->evidence == Evidence::kCertain ? Has::kYes : Has::kProbably);
    }
  }
  return has;
}

struct Holder {
  Has has = Has::kNo;
  std::string who;
  void Take(Has better, const auto& describe) {
    if (better <= has) return;
    has = better;
    who = describe();
  }
};

Holder HolderOf(const PythonProcess& process, const PythonThread& waiter) {
  const std::uint64_t lock = waiter.waits_for.object;
  const auto named = std::find_if(process.locks.begin(), process.locks.end(),
                                  [&](const PythonLock& each) { return each.address == lock; });
  const std::uint64_t owner = named != process.locks.end() ? named->owner : 0;
  Holder holder;
  for (const PythonThread& thread : process.threads) {
    const bool owns = owner != 0 && thread.ident == owner;
    holder.Take(owns ? Has::kYes : Holds(thread.frames, lock),
                [&] { return DescribeThread(process, thread); });
  }
  for (const PythonTask& task : process.tasks) {
    // What runs is its thread's.
    if (task.state == PythonTaskState::kRunning) continue;
    holder.Take(Holds(task.frames, lock),
                [&] { return fmt::format("task {}{}", task.name, In(process, task.frames)); });
  }
  return holder;
}

}  // namespace

std::string DescribeThread(const PythonProcess& process, const PythonThread& thread) {
  const std::string who = thread.name.empty()
                              ? fmt::format("thread {}", thread.native_id)
                              : fmt::format("thread {} ({})", thread.name, thread.native_id);
  return who + In(process, thread.frames);
}

std::string DescribeLock(const PythonProcess& process, const PythonThread& waiter) {
  if (waiter.waits_for.kind != PythonAwaitKind::kObject) return {};
  const auto lock = AwaitedResource(waiter.waits_for, "");
  if (!lock) return {};
  const Holder holder = HolderOf(process, waiter);
  if (holder.has == Has::kNo) return lock->type;
  return fmt::format("{} {}held by {}", lock->type, holder.has == Has::kProbably ? "probably " : "",
                     holder.who);
}

}  // namespace ct
