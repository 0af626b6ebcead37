#include "observe/loop_cause.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include <fmt/format.h>
#include <sys/syscall.h>

#include "observe/loop_holder.h"
#include "observe/python_look.h"
#include "observe/syscall_name.h"

namespace ct {
namespace {

// asyncio/base_events.py and asyncio/events.py. uvloop's own are no Python frames.
constexpr std::string_view kRunOnce = "BaseEventLoop._run_once";
constexpr std::string_view kRunHandle = "Handle._run";
// arch/x86/entry/syscalls/syscall_64.tbl: newer than the headers of Debian 12.
constexpr std::int64_t kFutexWaitv = 449;
constexpr std::int64_t kFutexWait = 455;
constexpr std::string_view kHeldBy = "held by ";

bool IsFutexWait(const ThreadActivity& activity) {
  return activity.syscall == SYS_futex || activity.syscall == kFutexWait ||
         activity.syscall == kFutexWaitv;
}

// What runs callbacks, not what a callback does: asyncio's, and what stands below uvloop's C code.
bool RunsTheLoop(const PythonCode& code) {
  return code.function == kRunHandle || code.function == kRunOnce ||
         code.file.ends_with("/asyncio/runners.py") || code.file.ends_with("/uvloop/__init__.py");
}

// Of a callback: who started the loop is not who blocks it.
void CutAtTheLoop(const PythonProcess& process, const PythonThread& thread, Stack& stack) {
  for (std::size_t i = 1; i < stack.frames.size(); ++i) {
    if (!RunsTheLoop(process.CodeOf(thread.frames[i]))) continue;
    stack.frames.resize(i);
    stack.end = StackEnd::kComplete;
    return;
  }
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// "resize images.py:88": where a person would look first.
std::string PlaceOf(const Stack& stack) {
  const Frame* frame = OwnPythonFrame(stack);
  if (frame == nullptr) return {};
  return fmt::format("{} {}:{}", frame->function, BaseName(frame->file), frame->line);
}

// What the loop called: the frame just inside of its handle's.
std::string CallbackOf(const Stack& stack) {
  for (std::size_t i = 1; i < stack.frames.size(); ++i) {
    if (stack.frames[i].function != kRunHandle) continue;
    return stack.frames[i - 1].function + " " + stack.frames[i - 1].file;
  }
  return {};
}

BlockCause CauseOf(const LoopSample& sample) {
  const ThreadActivity& activity = sample.activity;
  if (sample.waits_for_gil) return BlockCause::kGil;
  if (activity.state == 'R') {
    if (sample.gil == GilOwner::kItself && sample.collecting) return BlockCause::kGarbage;
    // Also where it had no CPU while it was looked at: then it may be C code that it called.
    if (sample.gil == GilOwner::kItself && !sample.at_one_instruction) return BlockCause::kPython;
    return BlockCause::kNative;
  }
  if (activity.state == 'S' || activity.state == 'D') {
    return IsFutexWait(activity) ? BlockCause::kLock : BlockCause::kSyscall;
  }
  return activity.state != 0 ? BlockCause::kStopped : BlockCause::kUnknown;
}

std::string DetailOf(BlockCause cause, const LoopSample& sample) {
  switch (cause) {
    case BlockCause::kGil:
      return sample.gil_holder.empty() ? "" : std::string(kHeldBy) + sample.gil_holder;
    case BlockCause::kLock:
      return sample.lock;
    case BlockCause::kNative:
      return sample.gil == GilOwner::kItself ? "holding the GIL" : "not holding the GIL";
    case BlockCause::kSyscall: {
      const ThreadActivity& activity = sample.activity;
      if (activity.syscall < 0) return "asleep outside of system calls (a page fault)";
      const std::string name = SyscallName(activity.syscall);
      return activity.object.empty() ? name : name + " on " + activity.object;
    }
    default:
      return {};
  }
}

bool Runs(BlockCause cause) {
  return cause == BlockCause::kPython || cause == BlockCause::kNative ||
         cause == BlockCause::kGarbage;
}

// Where its thread ran for nearly all of the time it did not sleep for a cause of its own, and the
// other way around: a look that saw it so saw an exception.
bool CanBe(BlockCause cause, std::optional<double> cpu_share) {
  constexpr double kNearlyAll = 0.75;
  constexpr double kHardly = 0.25;
  if (!cpu_share || cause == BlockCause::kUnknown) return true;
  return Runs(cause) ? *cpu_share >= kHardly : *cpu_share <= kNearlyAll;
}

// Who has what it waits for slept, and needed no CPU; or was not without one for most of the time
// between the first look and the last that saw it wait.
bool IsSomebodysDoing(BlockCause cause, std::span<const LoopSample> samples) {
  const LoopSample* first = nullptr;
  const LoopSample* last = nullptr;
  bool slept = true;
  for (const LoopSample& sample : samples) {
    if (CauseOf(sample) != cause || !sample.others_queued) continue;
    if (cause == BlockCause::kGil && sample.gil_holder_sleeps) return true;
    if (first == nullptr) first = &sample;
    last = &sample;
    slept = slept && sample.others_sleep;
  }
  if (first == nullptr) return false;
  if (slept) return true;
  if (first == last) return false;
  return *last->others_queued - *first->others_queued <=
         (last->activity.read_at - first->activity.read_at) / 2;
}

void Withdraw(BlockJudgement& judgement) {
  judgement.cause = BlockCause::kUnknown;
  judgement.evidence = Evidence::kUnknown;
  judgement.detail.clear();
}

bool SawSeveral(std::span<const LoopSample> samples) {
  std::set<std::pair<std::uint64_t, std::string>> seen;
  for (const LoopSample& sample : samples) {
    if (sample.task != 0) {
      seen.emplace(sample.task, "");
    } else if (!sample.callback.empty()) {
      seen.emplace(0, sample.callback);
    }
  }
  return seen.size() > 1;
}

}  // namespace

bool IsInSelector(const PythonProcess& process, const PythonThread& thread) {
  if (!thread.activity || !IsSelector(thread.activity->syscall)) return false;
  for (const PythonFrame& frame : thread.frames) {
    const std::string& function = process.CodeOf(frame).function;
    if (function == kRunHandle) return false;
    if (function == kRunOnce) return !thread.iteration_began;
  }
  return false;
}

bool Sleeps(const PythonThread& thread) {
  return thread.activity && (thread.activity->state == 'S' || thread.activity->state == 'D');
}

std::optional<DurationNs> OthersQueued(const PythonProcess& process, const PythonThread& thread) {
  DurationNs sum = 0;
  for (const PythonThread& other : process.threads) {
    if (&other == &thread) continue;
    if (!other.activity) return std::nullopt;
    sum += other.activity->queued;
  }
  return sum;
}

LoopSample SampleOf(const PythonProcess& process, const PythonThread& thread) {
  LoopSample sample;
  sample.activity = thread.activity.value_or(ThreadActivity{});
  sample.task = thread.running_task;
  sample.task_name = thread.task_name;
  sample.at_one_instruction = thread.at_one_instruction;
  sample.moved = thread.moved;
  sample.others_queued = OthersQueued(process, thread);
  sample.others_sleep =
      std::all_of(process.threads.begin(), process.threads.end(),
                  [&](const PythonThread& other) { return &other == &thread || Sleeps(other); });
  sample.lock = DescribeLock(process, thread);
  sample.stack = PythonStackOf(process, thread.frames, thread.truncated);
  sample.callback = CallbackOf(sample.stack);
  CutAtTheLoop(process, thread, sample.stack);
  for (const PythonGil& gil : process.gils) {
    const std::uint64_t word = sample.activity.arguments[0];
    const bool waits = IsFutexWait(sample.activity) && word - gil.address < gil.size;
    // With several interpreters the thread's own GIL is the one that it waits for or has.
    if (process.gils.size() > 1 && !waits && gil.holder != thread.native_id) continue;
    sample.waits_for_gil = waits;
    sample.collecting = gil.collecting;
    if (!gil.held) continue;
    sample.gil = gil.holder == thread.native_id ? GilOwner::kItself : GilOwner::kOther;
    for (const PythonThread& other : process.threads) {
      if (sample.gil != GilOwner::kOther || other.native_id != gil.holder) continue;
      sample.gil_holder_sleeps = Sleeps(other);
      sample.gil_holder =
          DescribeThread(process, other) + (gil.collecting ? ", which collects garbage" : "");
    }
  }
  return sample;
}

bool NamesHolder(const LoopSample& sample) {
  return sample.lock.find(kHeldBy) != std::string::npos;
}

BlockJudgement JudgeBlock(std::span<const LoopSample> samples, std::optional<double> cpu_share) {
  BlockJudgement judgement;
  if (samples.empty()) return judgement;
  std::map<BlockCause, std::size_t> votes;
  for (const LoopSample& sample : samples) {
    if (CanBe(CauseOf(sample), cpu_share)) ++votes[CauseOf(sample)];
  }
  const bool contradicted = votes.empty();
  if (contradicted) {
    for (const LoopSample& sample : samples) ++votes[CauseOf(sample)];
  }
  // A line of C code is one instruction in the looks that saw it run, and Python code moves; but a
  // look may come just when the one ends, or find the other in a short call of C code.
  const auto moving = std::count_if(samples.begin(), samples.end(), [](const LoopSample& sample) {
    return CauseOf(sample) == BlockCause::kPython && sample.moved;
  });
  const auto natives = votes.find(BlockCause::kNative);
  const auto standing =
      natives != votes.end() ? static_cast<std::ptrdiff_t>(natives->second) : std::ptrdiff_t{0};
  const bool moved = moving > 0 && moving >= standing;
  const bool both = votes.contains(BlockCause::kPython) && standing > 0;
  const BlockCause runs = both && !moved ? BlockCause::kNative : BlockCause::kPython;
  if (both) {
    const auto other = votes.extract(moved ? BlockCause::kNative : BlockCause::kPython);
    votes[runs] += other.mapped();
  }
  const auto most = std::max_element(
      votes.begin(), votes.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  judgement.cause = most->first;
  const bool decided =
      judgement.cause == BlockCause::kPython ? moved && standing == 0 : moving == 0;
  const bool all_agree = most->second == samples.size() && samples.size() > 1;
  judgement.evidence =
      all_agree && decided && !contradicted ? Evidence::kCertain : Evidence::kProbable;
  judgement.several = SawSeveral(samples);
  // Where it was seen most often, of those looks that saw this cause.
  const auto saw = [&](const LoopSample& sample) {
    const BlockCause cause = CauseOf(sample);
    const bool ran = cause == BlockCause::kPython || cause == BlockCause::kNative;
    return cause == judgement.cause || (both && ran && judgement.cause == runs);
  };
  std::map<std::string, std::size_t> places;
  std::size_t best = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (!saw(samples[i])) continue;
    const std::size_t seen = ++places[PlaceOf(samples[i].stack)];
    if (seen <= best) continue;
    best = seen;
    judgement.shown = i;
  }
  judgement.detail = DetailOf(judgement.cause, samples[judgement.shown]);
  // Who has a lock is not read at every look, nor seen by all that read it.
  bool named = judgement.detail.find(kHeldBy) != std::string::npos;
  for (const LoopSample& sample : samples) {
    const bool same =
        saw(sample) && PlaceOf(sample.stack) == PlaceOf(samples[judgement.shown].stack);
    if (judgement.cause != BlockCause::kLock || !same) continue;
    if (judgement.detail.empty() || (NamesHolder(sample) && !named)) {
      judgement.detail = sample.lock;
      named = NamesHolder(sample);
    }
  }
  return judgement;
}

BlockJudgement JudgeIteration(std::span<const LoopSample> samples,
                              std::optional<double> cpu_share) {
  BlockJudgement judgement = JudgeBlock(samples, cpu_share);
  const bool waited = judgement.cause == BlockCause::kLock || judgement.cause == BlockCause::kGil;
  if (waited && !IsSomebodysDoing(judgement.cause, samples)) {
    Withdraw(judgement);
  }
  return judgement;
}

BlockJudgement JudgeIteration(std::span<const LoopSample> samples, DurationNs cpu, DurationNs slept,
                              DurationNs threshold) {
  const double own = static_cast<double>(std::max<DurationNs>(1, cpu + slept));
  BlockJudgement judgement = JudgeIteration(samples, static_cast<double>(cpu) / own);
  const DurationNs took = Runs(judgement.cause) ? cpu : slept;
  if (4 * took < 3 * threshold) Withdraw(judgement);
  return judgement;
}

}  // namespace ct
