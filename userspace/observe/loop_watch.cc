#include "observe/loop_watch.h"

#include <algorithm>
#include <set>
#include <utility>

#include "observe/loop_state.h"

namespace ct {
namespace {

// Shares of the threshold: an iteration that is this old is looked at, and again after each step.
constexpr DurationNs kFirstLook = 40;  // percent
constexpr DurationNs kStep = 20;
constexpr DurationNs kMinStep = 5 * kMillisecond;
// How long a look at one moment lasts: see SeeWhetherItMoves.
constexpr DurationNs kLook = 2 * kMillisecond;
constexpr DurationNs kMaxStep = 100 * kMillisecond;
// Of one iteration; those of a long one are ever farther apart.
constexpr std::size_t kDenseSamples = 5;
constexpr std::size_t kMaxSamples = 16;
// What looking takes of the reader's CPU time is at most one part of so many of the time. Time in
// which nothing was looked at counts, so that dear looks at one callback do not hide the next.
constexpr DurationNs kIdleParts = 4;
constexpr DurationNs kCredit = 500 * kMillisecond;
// In one iteration it is read so often at most who has the lock that it waits for.
constexpr std::size_t kMaxLockLooks = 2;
// A thread without a loop is asked again whether it has one.
constexpr DurationNs kAskAgain = 2 * kSecond;
constexpr std::size_t kMaxRows = 1024;

}  // namespace

LoopWatch::LoopWatch(LoopTracer& tracer, Reader& reader, DurationNs threshold,
                     DurationNs tell_after)
    : tracer_(tracer),
      reader_(reader),
      threshold_(threshold),
      tell_after_(std::max(threshold, tell_after)),
      begin_(MonotonicNow()) {}

Status LoopWatch::Select(const std::unordered_set<pid_t>& pids) { return tracer_.Select(pids); }

DurationNs LoopWatch::interval() const {
  return std::clamp(threshold_ * kStep / 100, kMinStep, kMaxStep);
}

// Without the time in which its thread could run and had no CPU; as of the last look at it.
DurationNs OwnTime(const LoopCount& count, const LoopSample& last) {
  return last.activity.read_at - count.begin - (last.activity.queued - count.queued);
}

bool LoopWatch::Lasts(const LoopCount& count, const Thread& thread) const {
  return thread.is_loop && count.begin != 0 && thread.now.begin == count.begin &&
         !thread.now.samples.empty() && OwnTime(count, thread.now.samples.back()) >= tell_after_;
}

// The threads of one process that are to be looked at now.
std::vector<pid_t> LoopWatch::DueOf(const std::vector<LoopCount>& counts, TimeNs now, pid_t pid) {
  std::vector<pid_t> due;
  for (const LoopCount& count : counts) {
    if (count.pid != pid) continue;
    Thread& thread = threads_[count.tid];
    const bool unknown = thread.asked_at == 0;
    if (count.begin != 0 && thread.now.begin != count.begin) {
      thread.before = std::exchange(thread.now, Looks());
      thread.now.begin = count.begin;
      thread.told = false;
      thread.next_sample = count.begin + threshold_ * kFirstLook / 100;
    }
    const bool worth_asking = count.begin != 0 && now >= thread.next_sample &&
                              !thread.now.no_loop &&
                              (thread.is_loop || now - thread.asked_at > kAskAgain);
    if (unknown || worth_asking) due.push_back(count.tid);
    if (!thread.told && Lasts(count, thread)) {
      thread.told = true;
      news_ = true;
    }
  }
  return due;
}

Status LoopWatch::Step() {
  const Result<std::vector<LoopCount>> counts = tracer_.Threads();
  if (!counts) return Fail(counts.error());
  const TimeNs now = MonotonicNow();
  std::set<pid_t> pids;
  for (const LoopCount& count : *counts) pids.insert(count.pid);
  for (const pid_t pid : pids) {
    const std::vector<pid_t> due = DueOf(*counts, now, pid);
    if (due.empty() || now < paid_until_) continue;
    Sample(pid, due);
  }
  const Result<std::vector<Iteration>> ended = tracer_.Take();
  if (!ended) return Fail(ended.error());
  for (const Iteration& iteration : *ended) Finish(iteration);
  // Threads come and go.
  std::erase_if(threads_, [&](const auto& thread) {
    return std::none_of(counts->begin(), counts->end(),
                        [&](const LoopCount& count) { return count.tid == thread.first; });
  });
  return {};
}

void LoopWatch::Sample(pid_t pid, const std::vector<pid_t>& tids) {
  ProcessToRead request;
  request.pid = pid;
  request.want_loops = true;
  request.loop_threads = tids;
  request.loop_locks = std::any_of(tids.begin(), tids.end(), [&](pid_t tid) {
    const Looks& looks = threads_[tid].now;
    return !looks.holder_is_known && looks.lock_looks < kMaxLockLooks;
  });
  const DurationNs before = reader_.cost().cpu;
  const ProcessRead answer = reader_.Read(request);
  const DurationNs used = reader_.cost().cpu - before;
  const TimeNs end = MonotonicNow();
  // Its first answer has the cost of all before it.
  if (before > 0 && used > 0) {
    paid_until_ = std::max(paid_until_, end - kCredit) + kIdleParts * std::min(used, kMaxStep);
  }
  for (const pid_t tid : tids) threads_[tid].asked_at = end;
  if (!answer.python) return;
  for (const PythonThread& found : answer.python->threads) {
    if (found.activity) TakeSample(*answer.python, found);
  }
}

// Whether the iteration lasted until the look was over is known at its end.
void LoopWatch::TakeSample(const PythonProcess& process, const PythonThread& found) {
  const auto known = threads_.find(found.host_tid);
  if (known == threads_.end()) return;
  Thread& thread = known->second;
  thread.is_loop = found.running_loop != 0;
  if (thread.now.begin == 0) return;
  if (!thread.is_loop) {
    thread.now.no_loop = true;
    return;
  }
  const TimeNs now = MonotonicNow();
  if (IsInSelector(process, found)) {
    // It has ended meanwhile; or a loop runs deeper on the stack than the one before it did, and
    // its iterations are not seen.
    if (now - thread.now.begin > kAskAgain) tracer_.Forget(found.host_tid);
    return;
  }
  DurationNs pause = interval();
  std::vector<LoopSample>& samples = thread.now.samples;
  if (samples.size() >= kDenseSamples) pause = std::max(pause, (now - thread.now.begin) / 4);
  thread.next_sample = now + pause - kMillisecond;  // steps are not quite as regular
  if (samples.size() == kMaxSamples) samples.pop_back();
  samples.push_back(SampleOf(process, found));
  if (samples.back().lock.empty()) return;
  ++thread.now.lock_looks;
  thread.now.holder_is_known = thread.now.holder_is_known || NamesHolder(samples.back());
}

void LoopWatch::Finish(const Iteration& iteration) {
  const auto found = threads_.find(iteration.tid);
  if (found == threads_.end() || !found->second.is_loop) return;
  Thread& thread = found->second;
  std::vector<LoopSample> samples;
  for (Looks* looks : {&thread.now, &thread.before}) {
    if (looks->begin != iteration.begin) continue;
    // Between two loops a thread may do what it wants.
    if (looks->no_loop) return;
    samples = std::exchange(looks->samples, {});
  }
  // One that saw the callback end saw it move.
  std::erase_if(samples, [&](const LoopSample& sample) {
    return sample.activity.read_at > iteration.end - kLook;
  });
  Keep(iteration, samples);
}

LoopBlock LoopWatch::Single(TimeNs begin, DurationNs duration, DurationNs queued) {
  LoopBlock block;
  block.count = 1;
  block.total = duration;
  block.worst = duration;
  block.worst_queued = queued;
  block.worst_begin = begin;
  block.first_begin = begin;
  return block;
}

void LoopWatch::Keep(const Iteration& iteration, const std::vector<LoopSample>& samples) {
  const pid_t tid = iteration.tid;
  const DurationNs duration = iteration.end - iteration.begin;
  const DurationNs slept = std::max<DurationNs>(0, duration - iteration.queued - iteration.cpu);
  const BlockJudgement judgement = JudgeIteration(samples, iteration.cpu, slept, threshold_);
  Observation one;
  AddBlock(samples, judgement, Single(iteration.begin, duration, iteration.queued), one);
  LoopBlock& block = one.loops.blocks.front();
  Stack stack = one.stacks.empty() ? Stack{} : std::move(one.stacks.front());
  Spot spot{tid, block.cause, "", "", 0};
  if (const Frame* frame = OwnPythonFrame(stack)) {
    spot = {tid, block.cause, frame->function, frame->file, frame->line};
  }
  if (rows_.size() >= kMaxRows && !rows_.contains(spot)) {
    ++dropped_;
    return;
  }
  const auto [entry, is_new] = rows_.try_emplace(std::move(spot));
  Row& row = entry->second;
  if (is_new || block.worst > row.block.worst) {
    // The longest one is the one that is shown.
    block.count += row.block.count;
    block.total += row.block.total;
    if (!is_new) block.first_begin = row.block.first_begin;
    row.block = std::move(block);
    row.stack = std::move(stack);
  } else {
    ++row.block.count;
    row.block.total += duration;
  }
  row.tid = tid;
  if (row.block.count >= 2 * row.told) {
    row.told = row.block.count;
    news_ = true;
  }
}

Status LoopWatch::AddTo(Observation& observation, TimeNs now) const {
  const Result<std::vector<LoopCount>> counts = tracer_.Threads();
  if (!counts) return Fail(counts.error());
  const Result<LoopCounters> counters = tracer_.Counters();
  if (!counters) return Fail(counters.error());
  std::unordered_map<pid_t, ActorIndex> actors;
  for (std::size_t i = 0; i < observation.actors.size(); ++i) {
    const Actor& actor = observation.actors[i];
    if (actor.kind == ActorKind::kThread) actors.emplace(actor.id.tid, static_cast<int>(i));
  }
  LoopActivity& loops = observation.loops;
  loops.since = begin_;
  loops.threshold = threshold_;
  for (const auto& [spot, row] : rows_) {
    const auto actor = actors.find(row.tid);
    if (actor == actors.end()) continue;
    LoopBlock block = row.block;
    block.thread = actor->second;
    if (!row.stack.frames.empty()) {
      block.stack = static_cast<StackIndex>(observation.stacks.size());
      observation.stacks.push_back(row.stack);
    }
    loops.blocks.push_back(std::move(block));
  }
  for (const LoopCount& count : *counts) {
    const auto thread = threads_.find(count.tid);
    const auto actor = actors.find(count.tid);
    if (thread == threads_.end() || actor == actors.end() || !thread->second.is_loop) continue;
    EventLoop& loop = loops.loops.emplace_back();
    loop = {.thread = actor->second,
            .iterations = count.iterations,
            .total = count.total,
            .max = count.max,
            .slow = count.slow,
            .slow_total = count.slow_total,
            .starved = count.starved,
            .starved_total = count.starved_total};
    const bool told = std::any_of(
        loops.blocks.begin(), loops.blocks.end(),
        [&](const LoopBlock& block) { return block.in_progress && block.thread == actor->second; });
    if (told || !Lasts(count, thread->second)) continue;
    const std::vector<LoopSample>& samples = thread->second.now.samples;
    const BlockJudgement judgement = JudgeIteration(samples);
    const DurationNs so_far = now - count.begin;
    LoopBlock block = Single(count.begin, so_far, samples.back().activity.queued - count.queued);
    block.thread = actor->second;
    block.in_progress = true;
    AddBlock(samples, judgement, std::move(block), observation);
  }
  const auto lose = [&](std::uint64_t lost, const char* reason) {
    if (lost > 0) observation.losses.push_back({reason, lost, true, ""});
  };
  lose(counters->lost_ring, "iterations of event loops: the ring buffer was full");
  lose(counters->lost_thread, "calls of selectors: more threads than are followed");
  lose(dropped_, "iterations of event loops at more places than are kept");
  return {};
}

}  // namespace ct
