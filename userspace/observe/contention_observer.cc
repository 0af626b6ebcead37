#include "observe/contention_observer.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "observe/contention_report.h"
#include "observe/look_reader.h"

namespace ct {
namespace {

// Waits that wait to be read; each has a stack of up to 32 KiB.
constexpr std::size_t kMaxPending = 1024;
constexpr std::size_t kMaxPerRequest = 64;
// Of each step: the rest of the time is for what comes meanwhile.
constexpr DurationNs kReadingBudget = 50 * kMillisecond;
// At the end, for what is left.
constexpr DurationNs kLastReadingBudget = 2 * kSecond;
// How often a filter by name or cgroup is looked at again.
constexpr DurationNs kFollowInterval = kSecond;
// How long the programs' run time is measured, and how often.
constexpr DurationNs kCostWindow = 20 * kMillisecond;
constexpr DurationNs kCostInterval = kSecond;
constexpr std::size_t kMaxRunning = 1 << 20;
constexpr std::size_t kMaxFacts = 65'536;

template <class T>
std::string BytesOf(const T& items) {
  std::string bytes(items.size() * sizeof(items[0]), '\0');
  std::memcpy(bytes.data(), items.data(), bytes.size());
  return bytes;
}

ThreadToRead ToRead(const WaitSample& wait) {
  ThreadToRead thread;
  thread.tid = wait.id.tid;
  thread.ns_tid = wait.ns_tid;
  thread.syscall = wait.syscall;
  thread.arguments = wait.arguments;
  thread.registers = wait.registers;
  thread.want_lock = true;
  thread.want_stack = true;
  thread.copies.push_back({wait.registers.sp(), BytesOf(wait.stack)});
  if (wait.words) {
    const std::uint64_t begin = wait.lock.address - kLockWordsBefore * sizeof(std::uint32_t);
    thread.copies.push_back({begin, BytesOf(*wait.words)});
  }
  return thread;
}

}  // namespace

ContentionObserver::ContentionObserver(WaitTracer& tracer, Sweeper& sweeper, Reader& reader,
                                       History& history, ContentionOptions options)
    : tracer_(tracer),
      budget_(options.max_overhead, options.cpus, tracer.costs().dispatch, !options.filter.empty()),
      sweeper_(sweeper),
      reader_(reader),
      options_(std::move(options)),
      history_(history) {}

Status ContentionObserver::Sweep() {
  Result<ct::Sweep> sweep = sweeper_.Full({});
  if (!sweep) return Fail(sweep.error());
  index_.reset();
  sweep_ = std::move(*sweep);
  index_ = std::make_unique<SweepIndex>(sweep_);
  return {};
}

// Which processes the filter selects now.
Status ContentionObserver::Follow() {
  Result<std::unordered_set<pid_t>> selected = SelectProcesses(options_.filter, sweep_.tasks);
  if (!selected) return Fail(selected.error());
  if (selected->empty()) {
    const bool began = begin_ != 0;
    return Fail(ErrorCode::kNotFound, began ? options_.filter.Text() + " has ended"
                                            : "no process matches " + options_.filter.Text());
  }
  selected_ = std::move(*selected);
  return tracer_.Select(options_.filter.empty() ? nullptr : &selected_);
}

Status ContentionObserver::Begin() {
  if (Status status = Sweep(); !status) return status;
  if (Status status = Follow(); !status) return status;
  tracer_.Resume();
  begin_ = MonotonicNow();
  // After that, so that no wait falls between: one that is in both is counted by the kernel.
  if (Status status = Sweep(); !status) return status;
  running_as_of_ = sweep_.end;
  if (options_.watch_gils) {
    gils_.emplace(reader_, begin_);
    // Elsewhere the first long wait tells which processes have one.
    if (!options_.filter.empty() && selected_.size() <= GilWatch::kMaxProcesses) {
      for (const pid_t pid : selected_) gils_->Follow(pid, *index_);
    }
  }
  for (const TaskSample& task : sweep_.tasks) {
    const std::optional<std::uint64_t> word = FutexWordOf(task);
    if (!word || running_.size() >= kMaxRunning) continue;
    if (!selected_.contains(task.leader.tid)) continue;
    running_[task.id.tid] = {task.id,
                             {task.space, *word, task.leader.tid},
                             task.switches,
                             task.off_cpu_since,
                             {task.leader, task.ns_tgid, task.pid_ns, task.leader_comm}};
  }
  return {};
}

Status ContentionObserver::Step(DurationNs timeout) {
  WatchCost();
  if (window_begin_ != 0) timeout = std::min(timeout, kCostWindow);
  if (const auto look = gils_ ? gils_->next_look() : std::nullopt) {
    timeout = std::clamp<DurationNs>(*look - MonotonicNow(), 0, timeout);
  }
  if (Status status = tracer_.Receive(timeout); !status) return status;
  Take(false);
  const bool follow = (!options_.filter.empty() || !running_.empty()) &&
                      MonotonicNow() - sweep_.end >= kFollowInterval;
  if (!pending_.empty() || follow) {
    // Who lives in which space, for the owners that locks name.
    if (Status status = Sweep(); !status) return status;
  }
  if (gils_) gils_->Look(*index_);
  ReadPending(kReadingBudget);
  if (!follow) return {};
  EndRunning();
  return Follow();
}

void ContentionObserver::EndRunning() {
  if (tracer_.way() == AttachWay::kTracepoint) return;  // each has its record
  std::erase_if(running_, [this](const auto& entry) {
    const Running& running = entry.second;
    const TaskSample* task = index_->ByTid(entry.first);
    const bool goes_on = task != nullptr && task->id == running.id &&
                         task->switches == running.switches && InFutexWait(*task);
    if (goes_on) return false;
    // Its last moment is not known better than that it was seen at the sweep before.
    ledger_.NoteUncounted(running.lock, running.process, running_as_of_ - running.since, false);
    return true;
  });
  running_as_of_ = sweep_.end;
}

// Measures in short windows: measuring costs something, too.
void ContentionObserver::WatchCost() {
  const TimeNs now = MonotonicNow();
  if (window_begin_ == 0) {
    if (now < next_window_ || budget_.detail() == WaitDetail::kNothing) return;
    const Result<WaitCounters> counters = tracer_.Counters();
    if (!counters || !tracer_.MeasureRuns(true)) return;
    counters_at_begin_ = *counters;
    runs_at_begin_ = tracer_.Runs();
    window_begin_ = now;
    return;
  }
  if (now - window_begin_ < kCostWindow) return;
  const ProgramRuns runs = tracer_.Runs();
  tracer_.MeasureRuns(false);
  const Result<WaitCounters> counters = tracer_.Counters();
  const double share = counters && !options_.filter.empty() ? OwnShare(*counters) : 1;
  const auto part = [share](auto all) {
    return static_cast<decltype(all)>(share * static_cast<double>(all));
  };
  const WaitDetail before = budget_.detail();
  // The tax on every other system call is there whoever was asked for.
  const DurationNs others =
      static_cast<DurationNs>(runs.system_calls - runs_at_begin_.system_calls) *
      tracer_.costs().other_call;
  const bool exceeded_before = budget_.exceeded();
  const WaitDetail detail = budget_.Note({part(runs.runs - runs_at_begin_.runs),
                                          part(runs.run_time - runs_at_begin_.run_time), others},
                                         now - window_begin_);
  window_begin_ = 0;
  // Once something was given up it is looked at again at once: was it enough?
  next_window_ = detail == before ? now + kCostInterval : now;
  if (detail == before && budget_.exceeded() == exceeded_before) return;
  const std::string cost =
      fmt::format("counting waits costs {:.1f} % of this host's CPU time, more than {:g} %",
                  100 * budget_.last(), 100 * options_.max_overhead);
  if (detail == before) {
    news_.push_back(cost + ": it goes on, because these processes were asked for");
  } else if (detail == WaitDetail::kStatistics) {
    tracer_.SetEvents(false);
    news_.push_back(cost + ": from now on waits are only counted, who and where is not known");
  } else {
    tracer_.Pause();
    news_.push_back(cost +
                    ": counting has stopped; name processes (-p, --comm, --cgroup, --unit) "
                    "or allow more (--max-overhead)");
  }
  given_up_.push_back(news_.back());
}

double ContentionObserver::OwnShare(const WaitCounters& now) const {
  const std::uint64_t calls = now.calls - counters_at_begin_.calls;
  const std::uint64_t followed = now.followed - counters_at_begin_.followed;
  // Who waits is woken by a call, too.
  return calls == 0 ? 1
                    : std::min(1.0, 2 * static_cast<double>(followed) / static_cast<double>(calls));
}

std::vector<std::string> ContentionObserver::TakeNews() { return std::exchange(news_, {}); }

void ContentionObserver::Take(bool all) {
  for (WaitSample& wait : tracer_.Take(all)) Note(std::move(wait));
}

void ContentionObserver::Note(WaitSample wait) {
  if (wait.begin == 0) {
    const auto running = running_.find(wait.id.tid);
    if (running == running_.end() || running->second.id != wait.id) {
      // What ended before anybody looked has been no part of the interval.
      if (wait.end > running_as_of_) ++unknown_begin_;
      return;
    }
    wait.begin = running->second.since;
    const ProcessNames running_process = running->second.process;
    running_.erase(running);
    ledger_.NoteUncounted(wait.lock, running_process, wait.duration(), wait.timed_out);
    wait.sampled = wait.duration() < options_.min_wait;
  }
  ledger_.NoteWait(wait);
  if (gils_) gils_->Note(wait);
  const bool readable = wait.has_registers && !wait.stack.empty();
  if (wait.sampled && (!readable || ledger_.IsNamed(wait.lock))) return;
  if (!readable) {
    ledger_.NoteUnread(wait);
  } else if (pending_.size() >= kMaxPending) {
    ledger_.NoteUnread(wait);
    ++unread_;
  } else {
    pending_.push_back(std::move(wait));
  }
}

void ContentionObserver::ReadPending(DurationNs budget) {
  const TimeNs enough = MonotonicNow() + budget;
  while (!pending_.empty() && MonotonicNow() < enough) Read(NextOfOneProcess());
}

std::vector<WaitSample> ContentionObserver::NextOfOneProcess() {
  std::vector<WaitSample> taken;
  const pid_t pid = pending_.front().leader.tid;
  std::deque<WaitSample> others;
  for (WaitSample& wait : pending_) {
    const bool take = wait.leader.tid == pid && taken.size() < kMaxPerRequest;
    if (take) {
      taken.push_back(std::move(wait));
    } else {
      others.push_back(std::move(wait));
    }
  }
  pending_ = std::move(others);
  return taken;
}

void ContentionObserver::Read(const std::vector<WaitSample>& waits) {
  ProcessToRead request;
  request.pid = waits.front().leader.tid;
  request.source_lines = true;
  request.want_process = facts_.size() < kMaxFacts && !facts_.contains(request.pid);
  for (const TaskSample* task : index_->OfSpace(waits.front().lock.space)) {
    request.space_threads.push_back(
        {task->ns_tid, task->has_registers ? task->registers.thread_pointer : 0});
  }
  for (const WaitSample& wait : waits) request.threads.push_back(ToRead(wait));
  const ProcessRead answer = reader_.Read(request);
  if (answer.process) facts_[request.pid] = *answer.process;
  losses_.insert(losses_.end(), answer.losses.begin(), answer.losses.end());
  // Answers come in the order of the request; a thread may be in it more than once.
  std::size_t next = 0;
  for (const WaitSample& wait : waits) {
    if (next < answer.threads.size() && answer.threads[next].tid == wait.id.tid) {
      const ThreadRead& read = answer.threads[next++];
      ledger_.NoteReading(wait, read, answer.modules);
      const bool is_gil = read.wait && read.wait->reading.kind == ResourceKind::kGil;
      if (gils_ && is_gil) gils_->Follow(wait.leader.tid, *index_);
      if (const TaskSample* holder = HolderAtBegin(wait, read)) ledger_.NoteHolder(wait, *holder);
    } else {
      ledger_.NoteUnread(wait);
    }
  }
}

// Read over the words of the lock as they were then; it may have ended since.
const TaskSample* ContentionObserver::HolderAtBegin(const WaitSample& wait,
                                                    const ThreadRead& read) const {
  if (!read.wait || !wait.words) return nullptr;
  const WaitReading& reading = read.wait->reading;
  if (reading.owner_ns_tid == 0 || !reading.word_matches) return nullptr;
  const TaskSample* holder = index_->ByNamespaceTid(wait.pid_ns, reading.owner_ns_tid);
  const bool lived = holder != nullptr && holder->id.start_time < wait.end;
  return lived ? holder : nullptr;
}

void ContentionObserver::ReadLive() {
  std::unordered_map<pid_t, std::vector<const TaskSample*>> unnamed;
  for (const TaskSample& task : sweep_.tasks) {
    const std::optional<std::uint64_t> word = FutexWordOf(task);
    if (!word || !selected_.contains(task.leader.tid)) continue;
    const LockKey key{task.space, *word, task.leader.tid};
    if (!ledger_.IsNamed(key)) unnamed[task.leader.tid].push_back(&task);
  }
  for (const auto& [pid, tasks] : unnamed) {
    ProcessToRead request;
    request.pid = pid;
    request.want_process = facts_.size() < kMaxFacts && !facts_.contains(pid);
    for (const TaskSample* task : index_->OfSpace(tasks.front()->space)) {
      request.space_threads.push_back(
          {task->ns_tid, task->has_registers ? task->registers.thread_pointer : 0});
    }
    for (const TaskSample* task : tasks) request.threads.push_back(ToRead(*task));
    const ProcessRead answer = reader_.Read(request);
    if (answer.process) facts_[pid] = *answer.process;
    losses_.insert(losses_.end(), answer.losses.begin(), answer.losses.end());
    for (const ThreadRead& read : answer.threads) {
      const TaskSample* task = index_->ByTid(read.tid);
      if (task == nullptr) continue;
      ledger_.NoteLive({task->space, task->arguments[0], pid},
                       {task->leader, task->ns_tgid, task->pid_ns, task->leader_comm}, read);
    }
  }
}

void ContentionObserver::ReadFacts(const std::vector<LockCount>& counts) {
  const TimeNs enough = MonotonicNow() + kReadingBudget;
  for (const LockCount& count : counts) {
    if (facts_.size() >= kMaxFacts || MonotonicNow() > enough) return;
    if (facts_.contains(count.key.pid)) continue;
    ProcessToRead request;
    request.pid = count.key.pid;
    request.want_process = true;
    const ProcessRead answer = reader_.Read(request);
    // Nothing, once it has ended: it is not asked for again.
    facts_[count.key.pid] = answer.process.value_or(ProcessFacts{});
  }
}

Result<Observation> ContentionObserver::Report() {
  Observation observation;
  if (Status status = AddTo(observation); !status) return Fail(status.error());
  observation.begin = begin_;
  observation.end = sweep_.end;
  observation.realtime_offset = RealtimeOffset();
  observation.filter = options_.filter.Text();
  observation.cost.threads_visited = sweep_.visited;
  return observation;
}

GivenLocks ContentionObserver::Given() {
  // Since counting has stopped locks were given away unseen.
  if (budget_.detail() == WaitDetail::kNothing) return {};
  const Result<std::vector<LockCount>> counts = tracer_.Locks();
  // Without them a look knows less, and says nothing wrong.
  return counts ? FindGivenLocks(*counts) : GivenLocks{};
}

Status ContentionObserver::AddTo(Observation& observation) {
  if (Status status = tracer_.Receive(0); !status) return status;
  Take(true);
  if (Status status = Sweep(); !status) return status;
  EndRunning();
  ReadPending(kLastReadingBudget);
  ReadLive();
  const Result<std::vector<LockCount>> counts = tracer_.Locks();
  if (!counts) return Fail(counts.error());
  ReadFacts(*counts);
  const Result<WaitCounters> counters = tracer_.Counters();
  if (!counters) return Fail(counters.error());

  AddContention({begin_, options_.min_wait, ledger_, *counts, sweep_, selected_, facts_, history_,
                 gils_ ? &*gils_ : nullptr},
                observation);
  if (gils_) gils_->AddTo(history_, *index_, sweep_.end, observation);
  observation.degradations.insert(observation.degradations.end(), given_up_.begin(),
                                  given_up_.end());
  AddLosses(*counters, observation);
  return {};
}

void ContentionObserver::AddLosses(const WaitCounters& counters, Observation& observation) const {
  std::vector<Loss>& losses = observation.losses;
  const auto add = [&](std::uint64_t count, const char* reason) {
    if (count > 0) losses.push_back({reason, count, true, ""});
  };
  add(counters.lost_lock, "wait in no statistics: too many locks");
  add(counters.lost_thread, "futex call not followed: too many threads wait at once");
  add(counters.lost_end, "wait whose end was not seen");
  add(counters.missed, "futex call not followed: the kernel left a program out");
  add(counters.malformed, "record not understood");
  add(counters.lost_ring, "who and where of a long wait: the ring buffer was full");
  add(counters.lost_stack, "where of a wait: its stack could not be copied");
  add(unread_, "where of a long wait: more came than could be read in time");
  add(unknown_begin_, "wait whose begin was not seen");
  add(ledger_.overflowed(), "who and where of a wait: there is no room for more");
  for (const Loss& loss : losses_) {
    const auto same = std::find_if(losses.begin(), losses.end(),
                                   [&](const Loss& other) { return other.reason == loss.reason; });
    if (same == losses.end()) {
      losses.push_back(loss);
    } else {
      same->count += loss.count;
    }
  }
}

}  // namespace ct
