#include "observe/python_look.h"

#include <algorithm>
#include <map>
#include <string>

#include "observe/python_resources.h"

namespace ct {

namespace {

bool AreSameFrames(const PythonProcess& first, const std::vector<PythonFrame>& before,
                   const PythonProcess& second, const std::vector<PythonFrame>& now) {
  return std::equal(before.begin(), before.end(), now.begin(), now.end(),
                    [&](const PythonFrame& a, const PythonFrame& b) {
                      // Codes are numbered anew in each look.
                      return a.address == b.address && a.line == b.line && a.holds == b.holds &&
                             first.CodeOf(a) == second.CodeOf(b);
                    });
}

bool Contains(const std::vector<PythonUse>& uses, const PythonUse& use) {
  return std::any_of(uses.begin(), uses.end(), [&](const PythonUse& other) {
    return other.object == use.object && other.type == use.type && other.attribute == use.attribute;
  });
}

bool IsForALock(const PythonAwait& wait) {
  const auto awaited = AwaitedResource(wait, "");
  return awaited && awaited->purpose == WaitPurpose::kAcquire &&
         awaited->kind != ResourceKind::kGil;
}

}  // namespace

bool IsSameWait(const PythonProcess& first, const PythonTask& before, const PythonProcess& second,
                const PythonTask& now) {
  return before.name == now.name && before.state == now.state &&
         before.waits_for == now.waits_for && before.deadline == now.deadline &&
         AreSameFrames(first, before.frames, second, now.frames);
}

bool IsSameWait(const PythonProcess& first, const PythonThread& before, const PythonProcess& second,
                const PythonThread& now) {
  return before.address == now.address && before.waits_for == now.waits_for &&
         before.timed == now.timed && before.deadline == now.deadline &&
         AreSameFrames(first, before.frames, second, now.frames);
}

void Fold(PythonLook& look) {
  std::unordered_map<std::uint64_t, const PythonTask*> now;
  for (const PythonTask& task : look.second.tasks) now.emplace(task.address, &task);
  std::erase_if(look.first.tasks, [&](const PythonTask& before) {
    const auto found = now.find(before.address);
    if (found == now.end() || before.uses != found->second->uses ||
        !IsSameWait(look.first, before, look.second, *found->second)) {
      return false;
    }
    look.unmoved.insert(before.address);
    return true;
  });
  look.first.tasks.shrink_to_fit();
}

PythonComparison::PythonComparison(const PythonLook& look) : look_(&look) {
  for (const PythonTask& task : look.first.tasks) before_.emplace(task.address, &task);
  for (const PythonThread& thread : look.first.threads) {
    threads_before_.emplace(thread.native_id, &thread);
  }
  for (const PythonThread& thread : look.second.threads) {
    if (!thread.asleep) continue;
    asleep_.insert(thread.native_id);
    const auto before = threads_before_.find(thread.native_id);
    if (before == threads_before_.end() || !before->second->asleep) continue;
    slept_.insert(thread.native_id);
    if (before->second->switches == thread.switches) slept_through_.insert(thread.native_id);
  }
}

bool PythonComparison::IsSteady(const PythonTask& task) const {
  if (look_->unmoved.contains(task.address)) return true;
  const auto before = before_.find(task.address);
  return before != before_.end() && IsSameWait(look_->first, *before->second, look_->second, task);
}

bool PythonComparison::IsConsistent(const PythonTask& task) const {
  return slept_.contains(task.thread);
}

bool PythonComparison::IsSteady(const PythonThread& thread) const {
  const auto before = threads_before_.find(thread.native_id);
  return before != threads_before_.end() &&
         IsSameWait(look_->first, *before->second, look_->second, thread);
}

bool PythonComparison::IsAtSamePlace(const PythonThread& thread) const {
  const auto before = threads_before_.find(thread.native_id);
  return before != threads_before_.end() &&
         AreSameFrames(look_->first, before->second->frames, look_->second, thread.frames);
}

bool PythonComparison::SleptThrough(const PythonThread& thread) const {
  return slept_through_.contains(thread.native_id);
}

bool PythonComparison::SleptThrough(const PythonTask& task) const {
  return slept_through_.contains(task.thread);
}

bool PythonComparison::WasUsing(const PythonTask& task, const PythonUse& use) const {
  if (look_->unmoved.contains(task.address)) return Contains(task.uses, use);
  const auto before = before_.find(task.address);
  return before != before_.end() && Contains(before->second->uses, use);
}

bool PythonComparison::WasUsing(const PythonThread& thread, const PythonUse& use) const {
  const auto& threads = look_->first.threads;
  return std::any_of(threads.begin(), threads.end(), [&](const PythonThread& other) {
    return other.native_id == thread.native_id && other.address == thread.address &&
           Contains(other.uses, use);
  });
}

bool PythonComparison::AllSlept() const {
  const auto& threads = look_->second.threads;
  return std::all_of(threads.begin(), threads.end(), [this](const PythonThread& thread) {
    return slept_.contains(thread.native_id);
  });
}

bool IsRestless(const PythonLook& look) {
  const PythonComparison comparison(look);
  return std::any_of(look.second.tasks.begin(), look.second.tasks.end(),
                     [&](const PythonTask& task) {
                       return IsForALock(task.waits_for) && !comparison.IsConsistent(task) &&
                              comparison.IsSteady(task);
                     }) ||
         std::any_of(look.second.threads.begin(), look.second.threads.end(),
                     [&](const PythonThread& thread) {
                       return IsForALock(thread.waits_for) && !comparison.SleptThrough(thread) &&
                              comparison.IsSteady(thread);
                     });
}

Frame FrameOf(const PythonProcess& process, const PythonFrame& from) {
  const PythonCode& code = process.CodeOf(from);
  Frame frame;
  frame.origin = FrameOrigin::kPython;
  frame.function = code.function;
  frame.file = code.file;
  frame.line = from.line;
  frame.of_pool = from.of_pool;
  return frame;
}

Stack PythonStackOf(const PythonProcess& process, const std::vector<PythonFrame>& frames,
                    bool truncated) {
  constexpr std::size_t kMaxFrames = 256;
  Stack stack;
  stack.end = truncated || frames.size() > kMaxFrames ? StackEnd::kTooDeep : StackEnd::kComplete;
  for (const PythonFrame& frame : frames) {
    if (stack.frames.size() == kMaxFrames) break;
    stack.frames.push_back(FrameOf(process, frame));
  }
  return stack;
}

namespace {

// As the reader of Python words what it has left out for its size or the time that it takes: that
// is missing however still the process is. (A chain that goes on for ever is one that changed.)
bool IsLimit(const std::string& reason) {
  return reason.find("beyond the limit") != std::string::npos || reason.starts_with("more ");
}

}  // namespace

void AddPythonLosses(const PythonLook& look, Observation& observation) {
  const bool rests = PythonComparison(look).AllSlept();
  std::map<std::string, std::uint64_t> before;
  for (const PythonSkip& skip : look.first.skips) before[skip.reason] += skip.count;
  for (const PythonSkip& skip : look.second.skips) {
    const auto found = before.find(skip.reason);
    const std::uint64_t both = found == before.end() ? 0 : std::min(found->second, skip.count);
    if (both > 0)
      observation.losses.push_back(
          {"of Python: " + skip.reason, both, rests || IsLimit(skip.reason), ""});
  }
}

}  // namespace ct
