#include "kernel/sweep.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <span>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include "base/unique_fd.h"
#include "bpf/wire.h"
#include "kernel/libbpf_log.h"
#include "kernel/task_sample.h"
#include "kernel/walk.h"

#include <sweep.skel.h>

namespace ct {
namespace {

// How late a thread may appear to have left its CPU on the scheduler's clock and still count as
// already reported: clocks of two CPUs differ, and a sweep takes time. A thread inside this margin
// is simply reported in full twice.
constexpr DurationNs kClockMargin = 5 * kMillisecond;

// Sweeps without a walk after one that had no room for all, doubled each time up to this: what was
// walked in vain stays small beside the sweeps.
constexpr int kMaxWalkRest = 16;

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
        sweep_.tasks.push_back(ParseTask(Copy<ct_task_record>(bytes)));
        break;
      case CT_RECORD_STILL:
        sweep_.still.push_back(ParseStill(Copy<ct_still_record>(bytes)));
        break;
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

// How often a thread has left its CPU.
struct Switches {
  long voluntary = 0;
  long involuntary = 0;
  static Switches OfThisThread() {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return {usage.ru_nvcsw, usage.ru_nivcsw};
  }
};

// The offset from the scheduler's clock to CLOCK_MONOTONIC: the tracer sleeps, reads the clock as
// soon as it wakes, and the sweep's last record says when the scheduler gave it the CPU. That is
// the same moment only if it did sleep and has not left the CPU since: on a busy host, a sweep in
// which it had to wait for its turn would be wrong by that time. The median of a few drops what an
// interrupt or a hypervisor took in between.
class ClockOffset {
 public:
  // Sleeps for a moment; returns the time after it.
  TimeNs Begin() {
    before_ = Switches::OfThisThread();
    const timespec moment{0, 20'000};
    nanosleep(&moment, nullptr);
    woken_ = MonotonicNow();
    return woken_;
  }

  // The end of what Begin began. False if the sample tells nothing.
  bool End(TimeNs tracer_arrival) {
    const Switches now = Switches::OfThisThread();
    const bool kept_cpu = now.voluntary == before_.voluntary + 1 &&  // the sleep itself
                          now.involuntary == before_.involuntary;
    if (kept_cpu) Add(woken_ - tracer_arrival);
    return kept_cpu;
  }

  // Better than nothing, if no sample ever tells anything.
  void AddWorst(TimeNs tracer_arrival) { Add(woken_ - tracer_arrival); }

  [[nodiscard]] bool is_known() const { return next_ > 0; }
  [[nodiscard]] DurationNs median() const { return median_; }

 private:
  void Add(DurationNs sample) {
    samples_[next_++ % samples_.size()] = sample;
    auto sorted = samples_;
    const std::size_t count = std::min(next_, samples_.size());
    std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count));
    median_ = sorted[count / 2];
  }

  Switches before_;
  TimeNs woken_ = 0;
  std::array<DurationNs, 5> samples_{};
  std::size_t next_ = 0;
  DurationNs median_ = 0;
};

// So many first sweeps are tried for a clock that can be trusted; each takes a millisecond or so.
constexpr int kFirstSweeps = 20;

class BpfSweeper final : public Sweeper {
 public:
  BpfSweeper(sweep_bpf* skeleton, bool kernel_stacks)
      : skeleton_(skeleton), kernel_stacks_(kernel_stacks) {}

  // Without it the iterator answers the same.
  void AddWalk(const SweepPlan& plan) {
    Result<std::unique_ptr<Walk>> walk = Walk::Load(plan);
    if (!walk) return StopWalking(walk.error().message);
    walk_ = std::move(*walk);
  }

  Result<Sweep> Full(const std::vector<WantedThread>& wanted) override {
    ct_sweep_request request{};
    request.flags = CT_SWEEP_FULL;
    return Iterate(request, wanted);
  }

  Result<Sweep> Steady(DurationNs settle, const std::vector<WantedThread>& wanted) override {
    // The scheduler's clock may be a second away from the other after days (NTP corrects only one
    // of them), and is known from the first sweep on.
    if (!offset_.is_known()) {
      if (Result<Sweep> first = Full({}); !first) return first;
    }
    ct_sweep_request request{};
    const TimeNs young_after = MonotonicNow() - offset_.median() - settle;
    request.young_after = static_cast<std::uint64_t>(young_after);
    if (previous_young_after_ != 0) {
      request.known_before = static_cast<std::uint64_t>(previous_young_after_ - kClockMargin);
    }
    std::optional<Sweep> walked = TryWalk(request, wanted);
    Result<Sweep> sweep = walked ? std::move(*walked) : Iterate(request, wanted);
    if (sweep) previous_young_after_ = young_after;
    return sweep;
  }

  [[nodiscard]] std::vector<std::string> degradations() const override { return degradations_; }

 private:
  // nullopt where only the iterator will do.
  std::optional<Sweep> TryWalk(const ct_sweep_request& request,
                               const std::vector<WantedThread>& wanted) {
    // The first sweep reports everybody in full, for which there is no room.
    if (!walk_ || !wanted.empty() || request.known_before == 0) return std::nullopt;
    if (walk_rest_ > 0) {
      --walk_rest_;
      return std::nullopt;
    }
    Sweep sweep;
    sweep.begin = offset_.Begin();
    const Result<std::optional<TimeNs>> tracer_arrival = walk_->Run(request, sweep);
    if (!tracer_arrival) {
      StopWalking(tracer_arrival.error().message);
      return std::nullopt;
    }
    if (!*tracer_arrival) {
      walk_rest_ = next_walk_rest_;
      next_walk_rest_ = std::min(2 * next_walk_rest_, kMaxWalkRest);
      return std::nullopt;
    }
    next_walk_rest_ = 1;
    offset_.End(**tracer_arrival);
    ToMonotonic(sweep);
    return sweep;
  }

  void StopWalking(const std::string& why) {
    walk_.reset();
    degradations_.push_back("sweeps cost more than they could: " + why);
  }

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
    return {};
  }

  void ToMonotonic(Sweep& sweep) const {
    for (TaskSample& task : sweep.tasks) task.off_cpu_since += offset_.median();
    for (StillSample& still : sweep.still) still.off_cpu_since += offset_.median();
  }

  Result<Sweep> Iterate(const ct_sweep_request& request, const std::vector<WantedThread>& wanted) {
    Result<Sweep> sweep = IterateOnce(request, wanted, false);
    for (int i = 1; i < kFirstSweeps && sweep && !offset_.is_known(); ++i) {
      sweep = IterateOnce(request, wanted, i == kFirstSweeps - 1);
    }
    if (sweep) ToMonotonic(*sweep);
    return sweep;
  }

  Result<Sweep> IterateOnce(const ct_sweep_request& request,
                            const std::vector<WantedThread>& wanted, bool last_try) {
    if (Status status = SetWanted(wanted); !status) return Fail(status.error());
    skeleton_->bss->request = request;
    skeleton_->bss->request.wanted = static_cast<std::uint32_t>(wanted_now_.size());
    Sweep sweep;
    const UniqueFd iterator(bpf_iter_create(bpf_link__fd(skeleton_->links.ct_sweep)));
    if (!iterator.ok()) return FailErrno("creating the task iterator", errno);

    sweep.begin = offset_.Begin();
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

    if (!offset_.End(parser.tracer_arrival()) && last_try) {
      offset_.AddWorst(parser.tracer_arrival());
    }
    return sweep;
  }

  std::unique_ptr<sweep_bpf, SkeletonDeleter> skeleton_;
  bool kernel_stacks_;
  std::unique_ptr<Walk> walk_;
  int walk_rest_ = 0;  // steady sweeps until the next walk is tried
  int next_walk_rest_ = 1;
  std::vector<std::string> degradations_;
  ClockOffset offset_;
  TimeNs previous_young_after_ = 0;  // on the scheduler's clock
  std::vector<std::uint32_t> wanted_now_;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(256 << 10);
};

}  // namespace

Result<std::unique_ptr<Sweeper>> Sweeper::Load(const SweepPlan& plan) {
  CollectLibbpfLog();
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
  auto sweeper = std::make_unique<BpfSweeper>(skeleton.release(), plan.kernel_stacks);
  if (plan.walk) sweeper->AddWalk(plan);
  return sweeper;
}

}  // namespace ct
