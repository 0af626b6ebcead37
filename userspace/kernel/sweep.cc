#include "kernel/sweep.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include "base/unique_fd.h"
#include "bpf/wire.h"

#include <sweep.skel.h>

namespace ct {
namespace {

// include/linux/sched.h
constexpr std::uint32_t kTaskInterruptible = 0x0001;
constexpr std::uint32_t kTaskUninterruptible = 0x0002;
constexpr std::uint32_t kTaskStopped = 0x0004;
constexpr std::uint32_t kTaskTraced = 0x0008;
// x86-64 user addresses have 47 bits; orig_ax of a thread outside a system call is -1.
constexpr std::uint64_t kMaxSyscall = 1'000'000;

// How late a thread may appear to have left its CPU on the scheduler's clock and still count as
// already reported: clocks of two CPUs differ, and a sweep takes time. A thread inside this margin
// is simply reported in full twice.
constexpr DurationNs kClockMargin = 5 * kMillisecond;

RunState StateOf(const ct_task_record& record) {
  if (record.flags & CT_TASK_EXITING) return RunState::kExited;
  if (record.state & kTaskTraced) return RunState::kTraced;
  if (record.state & kTaskStopped) return RunState::kStopped;
  if (record.flags & CT_TASK_FROZEN) return RunState::kFrozen;
  if (record.flags & CT_TASK_ON_CPU) return RunState::kRunning;
  if (record.state & kTaskUninterruptible) return RunState::kUninterruptible;
  if (record.state & kTaskInterruptible) return RunState::kSleeping;
  if (record.flags & CT_TASK_THROTTLED) return RunState::kThrottled;
  return RunState::kRunnable;
}

std::string CommOf(const char (&comm)[CT_COMM_LENGTH]) {
  return std::string(comm, strnlen(comm, sizeof(comm)));
}

TaskSample Parse(const ct_task_record& record) {
  TaskSample task;
  task.id = {static_cast<pid_t>(record.tid), static_cast<TimeNs>(record.start_time)};
  task.leader = {static_cast<pid_t>(record.tgid), static_cast<TimeNs>(record.leader_start_time)};
  task.ns_tid = static_cast<pid_t>(record.ns_tid);
  task.ns_tgid = static_cast<pid_t>(record.ns_tgid);
  task.pid_ns = record.pid_ns;
  task.parent_pid = static_cast<pid_t>(record.parent_tgid);
  task.space = record.space;
  task.space_users = record.space_users;
  task.group_threads = record.group_threads;
  task.state = StateOf(record);
  task.asleep = !(record.flags & (CT_TASK_ON_CPU | CT_TASK_ON_RQ)) &&
                task.state != RunState::kExited && task.state != RunState::kThrottled;
  task.compat = record.flags & CT_TASK_COMPAT;
  task.switches = record.voluntary_switches + record.involuntary_switches;
  task.off_cpu_since = static_cast<TimeNs>(record.off_cpu_since);
  task.cpu_time = static_cast<DurationNs>(record.cpu_time);
  task.has_registers = record.flags & CT_TASK_REGISTERS;
  if (task.has_registers) {
    task.syscall = record.syscall < kMaxSyscall ? static_cast<std::int64_t>(record.syscall) : -1;
    std::copy(std::begin(record.arguments), std::end(record.arguments), task.arguments.begin());
    std::copy(std::begin(record.registers), std::end(record.registers),
              task.registers.dwarf.begin());
    task.registers.thread_pointer = record.thread_pointer;
  }
  task.comm = CommOf(record.comm);
  task.leader_comm = CommOf(record.leader_comm);
  return task;
}

// Cuts the iterator's byte stream into records.
class RecordParser {
 public:
  explicit RecordParser(Sweep& sweep) : sweep_(sweep) {}

  // Consumes whole records from `bytes`; returns how many bytes were consumed.
  Result<std::size_t> Consume(std::span<const std::byte> bytes) {
    std::size_t at = 0;
    while (bytes.size() - at >= sizeof(std::uint16_t)) {
      std::uint16_t kind = CT_RECORD_INVALID;
      std::memcpy(&kind, bytes.data() + at, sizeof(kind));
      const std::size_t size = SizeOf(kind);
      if (size == 0) return Fail(ErrorCode::kInternal, fmt::format("sweep record kind {}", kind));
      if (bytes.size() - at < size) break;
      Take(kind, bytes.data() + at);
      at += size;
    }
    return at;
  }

  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] TimeNs tracer_arrival() const { return tracer_arrival_; }

 private:
  static std::size_t SizeOf(std::uint16_t kind) {
    switch (kind) {
      case CT_RECORD_TASK:
        return sizeof(ct_task_record);
      case CT_RECORD_STILL:
        return sizeof(ct_still_record);
      case CT_RECORD_KERNEL_STACK:
        return sizeof(ct_kernel_stack_record);
      case CT_RECORD_SWEEP_END:
        return sizeof(ct_sweep_end_record);
      default:
        return 0;
    }
  }

  template <class Record>
  static Record Copy(const std::byte* bytes) {
    Record record;
    std::memcpy(&record, bytes, sizeof(record));
    return record;
  }

  void Take(std::uint16_t kind, const std::byte* bytes) {
    switch (kind) {
      case CT_RECORD_TASK:
        sweep_.tasks.push_back(Parse(Copy<ct_task_record>(bytes)));
        break;
      case CT_RECORD_STILL: {
        const auto still = Copy<ct_still_record>(bytes);
        sweep_.still.push_back({static_cast<pid_t>(still.tid), still.switches,
                                static_cast<TimeNs>(still.off_cpu_since)});
        break;
      }
      case CT_RECORD_KERNEL_STACK: {
        const auto stack = Copy<ct_kernel_stack_record>(bytes);
        if (!sweep_.tasks.empty() && sweep_.tasks.back().id.tid == static_cast<pid_t>(stack.tid)) {
          sweep_.tasks.back().kernel_stack.assign(
              stack.addresses, stack.addresses + std::min<int>(stack.depth, CT_KERNEL_STACK_DEPTH));
        }
        break;
      }
      case CT_RECORD_SWEEP_END: {
        const auto end = Copy<ct_sweep_end_record>(bytes);
        sweep_.visited = end.visited;
        sweep_.end = static_cast<TimeNs>(end.ended);
        tracer_arrival_ = static_cast<TimeNs>(end.tracer_arrival);
        ended_ = true;
        break;
      }
      default:
        break;
    }
  }

  Sweep& sweep_;
  bool ended_ = false;
  TimeNs tracer_arrival_ = 0;
};

struct SkeletonDeleter {
  void operator()(sweep_bpf* skeleton) const { sweep_bpf__destroy(skeleton); }
};

// The offset from the scheduler's clock to CLOCK_MONOTONIC: the tracer sleeps, reads the clock as
// soon as it wakes, and the sweep's last record says when the scheduler gave it the CPU. Being
// woken late makes a sample too large and being preempted makes it too small, both by far more
// than the clocks drift between two sweeps, so the median of a few is right.
class ClockOffset {
 public:
  void Add(DurationNs sample) {
    samples_[next_++ % samples_.size()] = sample;
    auto sorted = samples_;
    const std::size_t count = std::min(next_, samples_.size());
    std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count));
    median_ = sorted[count / 2];
  }
  [[nodiscard]] DurationNs median() const { return median_; }

 private:
  std::array<DurationNs, 5> samples_{};
  std::size_t next_ = 0;
  DurationNs median_ = 0;
};

class BpfSweeper final : public Sweeper {
 public:
  explicit BpfSweeper(sweep_bpf* skeleton, bool kernel_stacks)
      : skeleton_(skeleton), kernel_stacks_(kernel_stacks) {}

  Result<Sweep> Full(const std::vector<WantedThread>& wanted) override {
    skeleton_->bss->request.flags = CT_SWEEP_FULL;
    return Run(wanted);
  }

  Result<Sweep> Steady(DurationNs settle, const std::vector<WantedThread>& wanted) override {
    ct_sweep_request& request = skeleton_->bss->request;
    request.flags = 0;
    const TimeNs young_after = MonotonicNow() - offset_.median() - settle;
    request.known_before = previous_young_after_ == 0
                               ? 0
                               : static_cast<std::uint64_t>(previous_young_after_ - kClockMargin);
    request.young_after = static_cast<std::uint64_t>(young_after);
    Result<Sweep> sweep = Run(wanted);
    if (sweep) previous_young_after_ = young_after;
    return sweep;
  }

 private:
  Status SetWanted(const std::vector<WantedThread>& wanted) {
    const int map = bpf_map__fd(skeleton_->maps.wanted);
    for (const std::uint32_t tid : wanted_now_) bpf_map_delete_elem(map, &tid);
    wanted_now_.clear();
    for (const WantedThread& thread : wanted) {
      const auto tid = static_cast<std::uint32_t>(thread.tid);
      std::uint32_t flags = CT_WANT_TASK;
      if (thread.kernel_stack && kernel_stacks_) flags |= CT_WANT_KERNEL_STACK;
      if (wanted_now_.size() >= CT_WANTED_THREADS) break;
      if (bpf_map_update_elem(map, &tid, &flags, BPF_ANY) != 0) {
        return FailErrno("asking the sweep for a thread", errno);
      }
      wanted_now_.push_back(tid);
    }
    skeleton_->bss->request.wanted = static_cast<std::uint32_t>(wanted_now_.size());
    return {};
  }

  Result<Sweep> Run(const std::vector<WantedThread>& wanted) {
    if (Status status = SetWanted(wanted); !status) return Fail(status.error());
    Sweep sweep;
    const UniqueFd iterator(bpf_iter_create(bpf_link__fd(skeleton_->links.ct_sweep)));
    if (!iterator.ok()) return FailErrno("creating the task iterator", errno);

    const timespec moment{0, 20'000};
    nanosleep(&moment, nullptr);
    sweep.begin = MonotonicNow();
    RecordParser parser(sweep);
    std::size_t kept = 0;
    for (;;) {
      const ssize_t got = read(iterator.get(), buffer_.data() + kept, buffer_.size() - kept);
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got < 0) return FailErrno("reading the task iterator", errno);
      if (got == 0) break;
      const std::size_t have = kept + static_cast<std::size_t>(got);
      const Result<std::size_t> used = parser.Consume(std::span(buffer_).first(have));
      if (!used) return Fail(used.error());
      kept = have - *used;
      std::memmove(buffer_.data(), buffer_.data() + *used, kept);
    }
    if (!parser.ended()) return Fail(ErrorCode::kInternal, "the task iterator stopped early");

    offset_.Add(sweep.begin - parser.tracer_arrival());
    for (TaskSample& task : sweep.tasks) task.off_cpu_since += offset_.median();
    for (StillSample& still : sweep.still) still.off_cpu_since += offset_.median();
    return sweep;
  }

  std::unique_ptr<sweep_bpf, SkeletonDeleter> skeleton_;
  bool kernel_stacks_;
  ClockOffset offset_;
  TimeNs previous_young_after_ = 0;  // on the scheduler's clock
  std::vector<std::uint32_t> wanted_now_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(256 * 1024);
};

// libbpf's own words, kept for the error message instead of the terminal.
std::string& LibbpfLog() {
  static std::string log;
  return log;
}
int CollectLog(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 512> line;
  vsnprintf(line.data(), line.size(), format, arguments);
  if (LibbpfLog().size() < 8192) LibbpfLog() += line.data();
  return 0;
}

tl::unexpected<Error> LoadError(const char* what, int error) {
  std::string first_line = LibbpfLog().substr(0, LibbpfLog().find('\n'));
  Error failure = FailErrno(what, -error).value();
  if (!first_line.empty()) failure.message += " (" + first_line + ")";
  return Fail(failure);
}

}  // namespace

Result<std::unique_ptr<Sweeper>> Sweeper::Load(const SweepPlan& plan) {
  libbpf_set_print(CollectLog);
  LibbpfLog().clear();
  std::unique_ptr<sweep_bpf, SkeletonDeleter> skeleton(sweep_bpf__open());
  if (!skeleton) return LoadError("opening the sweep program", -errno);
  skeleton->rodata->has_task_pt_regs = plan.registers_by_helper;
  skeleton->rodata->has_task_stack = plan.kernel_stacks;
  if (const int error = sweep_bpf__load(skeleton.get()); error != 0) {
    return LoadError("loading the sweep program", error);
  }
  if (const int error = sweep_bpf__attach(skeleton.get()); error != 0) {
    return LoadError("attaching the sweep program", error);
  }
  return std::make_unique<BpfSweeper>(skeleton.release(), plan.kernel_stacks);
}

}  // namespace ct
