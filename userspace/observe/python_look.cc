#include "observe/python_look.h"

#include <algorithm>
#include <map>
#include <string>

#include "observe/python_resources.h"

namespace ct {

bool IsSameWait(const PythonProcess& first, const PythonTask& before, const PythonProcess& second,
                const PythonTask& now) {
  if (before.state != now.state || before.waits_for != now.waits_for ||
      before.deadline != now.deadline) {
    return false;
  }
  return std::equal(before.frames.begin(), before.frames.end(), now.frames.begin(),
                    now.frames.end(), [&](const PythonFrame& a, const PythonFrame& b) {
                      // Codes are numbered anew in each look.
                      return a.address == b.address && a.line == b.line && a.holds == b.holds &&
                             first.CodeOf(a) == second.CodeOf(b);
                    });
}

PythonComparison::PythonComparison(const PythonLook& look) : look_(&look) {
  for (const PythonTask& task : look.first.tasks) before_.emplace(task.address, &task);
  std::unordered_set<pid_t> slept_before;
  for (const PythonThread& thread : look.first.threads) {
    if (thread.asleep) slept_before.insert(thread.native_id);
  }
  for (const PythonThread& thread : look.second.threads) {
    if (thread.asleep) asleep_.insert(thread.native_id);
    if (thread.asleep && slept_before.contains(thread.native_id)) slept_.insert(thread.native_id);
  }
}

bool PythonComparison::IsSteady(const PythonTask& task) const {
  const auto before = before_.find(task.address);
  return before != before_.end() && IsSameWait(look_->first, *before->second, look_->second, task);
}

bool PythonComparison::IsConsistent(const PythonTask& task) const {
  return slept_.contains(task.thread);
}

namespace {

bool Contains(const std::vector<PythonUse>& uses, const PythonUse& use) {
  return std::any_of(uses.begin(), uses.end(), [&](const PythonUse& other) {
    return other.object == use.object && other.type == use.type && other.attribute == use.attribute;
  });
}

}  // namespace

bool PythonComparison::WasUsing(const PythonTask& task, const PythonUse& use) const {
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

bool PythonComparison::AllLoopsSlept() const {
  const auto& threads = look_->second.threads;
  return std::all_of(threads.begin(), threads.end(), [this](const PythonThread& thread) {
    return thread.running_loop == 0 || slept_.contains(thread.native_id);
  });
}

bool IsRestless(const PythonLook& look) {
  const PythonComparison comparison(look);
  return std::any_of(look.second.tasks.begin(), look.second.tasks.end(),
                     [&](const PythonTask& task) {
                       const auto awaited = AwaitedResource(task.waits_for, "");
                       return awaited && awaited->purpose == WaitPurpose::kAcquire &&
                              !comparison.IsConsistent(task) && comparison.IsSteady(task);
                     });
}

Frame FrameOf(const PythonProcess& process, const PythonFrame& from) {
  const PythonCode& code = process.CodeOf(from);
  Frame frame;
  frame.origin = FrameOrigin::kPython;
  frame.function = code.function;
  frame.file = code.file;
  frame.line = from.line;
  return frame;
}

void AddPythonLosses(const PythonLook& look, Observation& observation) {
  const bool rests = PythonComparison(look).AllLoopsSlept();
  std::map<std::string, std::uint64_t> before;
  for (const PythonSkip& skip : look.first.skips) before[skip.reason] += skip.count;
  for (const PythonSkip& skip : look.second.skips) {
    const auto found = before.find(skip.reason);
    const std::uint64_t both = found == before.end() ? 0 : std::min(found->second, skip.count);
    if (both > 0) observation.losses.push_back({"of Python: " + skip.reason, both, rests, ""});
  }
}

}  // namespace ct
