#include "kernel/waits.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/futex.h>
#include <sys/syscall.h>

#include "kernel/attach.h"
#include "kernel/libbpf_log.h"
#include "kernel/syscall_counter.h"
#include "kernel/time_order.h"
#include "kernel/tracefs.h"
#include "kernel/wait_sample.h"

#include <waits.skel.h>

namespace ct {
namespace {

// How late a record may come after a younger one: the time that a CPU can be taken away from a
// thread between the two instructions in question.
constexpr DurationNs kOrderHorizon = 20 * kMillisecond;

struct SkeletonDeleter {
  void operator()(waits_bpf* skeleton) const { waits_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<waits_bpf, SkeletonDeleter>;

// A program of one way of attaching.
struct Hook {
  AttachWay way;
  const char* program;
  const char* event;  // kTracepoint: of tracefs; others: the kernel's function
  bool optional;      // of a call that older kernels do not have
};

constexpr std::array kHooks = {
    Hook{AttachWay::kFentry, "ct_fentry_futex", "do_futex", false},
    Hook{AttachWay::kFentry, "ct_fexit_futex", "do_futex", false},
    Hook{AttachWay::kFentry, "ct_fexit_restart", "futex_wait_restart", false},
    Hook{AttachWay::kFentry, "ct_fentry_futex_wait", "__x64_sys_futex_wait", true},
    Hook{AttachWay::kFentry, "ct_fexit_futex_wait", "__x64_sys_futex_wait", true},
    Hook{AttachWay::kFentry, "ct_fentry_futex_waitv", "__x64_sys_futex_waitv", true},
    Hook{AttachWay::kFentry, "ct_fexit_futex_waitv", "__x64_sys_futex_waitv", true},
    Hook{AttachWay::kKprobe, "ct_kprobe_futex", "do_futex", false},
    Hook{AttachWay::kKprobe, "ct_kretprobe_futex", "do_futex", false},
    Hook{AttachWay::kKprobe, "ct_kretprobe_restart", "futex_wait_restart", false},
    Hook{AttachWay::kKprobe, "ct_kprobe_futex_wait", "__x64_sys_futex_wait", true},
    Hook{AttachWay::kKprobe, "ct_kretprobe_futex_wait", "__x64_sys_futex_wait", true},
    Hook{AttachWay::kKprobe, "ct_kprobe_futex_waitv", "__x64_sys_futex_waitv", true},
    Hook{AttachWay::kKprobe, "ct_kretprobe_futex_waitv", "__x64_sys_futex_waitv", true},
    Hook{AttachWay::kTracepoint, "ct_enter_futex", "syscalls/sys_enter_futex", false},
    Hook{AttachWay::kTracepoint, "ct_exit_futex", "syscalls/sys_exit_futex", false},
    Hook{AttachWay::kTracepoint, "ct_exit_restart", "syscalls/sys_exit_restart_syscall", false},
    Hook{AttachWay::kTracepoint, "ct_enter_futex_wait", "syscalls/sys_enter_futex_wait", true},
    Hook{AttachWay::kTracepoint, "ct_exit_futex_wait", "syscalls/sys_exit_futex_wait", true},
    Hook{AttachWay::kTracepoint, "ct_enter_futex_waitv", "syscalls/sys_enter_futex_waitv", true},
    Hook{AttachWay::kTracepoint, "ct_exit_futex_waitv", "syscalls/sys_exit_futex_waitv", true},
};

// Called on waking and at a thread's end, whatever the way.
constexpr std::array kAlways = {"ct_waking", "ct_exit"};

// Nanoseconds a call, of this thread.
struct LoopTimes {
  DurationNs futex = 0;
  DurationNs other = 0;
};

template <class Call>
DurationNs TimeOf(Call call) {
  constexpr int kRounds = 8;
  constexpr int kCalls = 500;
  // The best round is the one that nobody disturbed.
  DurationNs best = kSecond;
  for (int round = 0; round < kRounds; ++round) {
    const TimeNs begin = MonotonicNow();
    for (int i = 0; i < kCalls; ++i) call();
    best = std::min(best, MonotonicNow() - begin);
  }
  return best / kCalls;
}

LoopTimes TimeLoops() {
  std::uint32_t word = 1;
  // The word is not what the call expects: it returns at once.
  return {TimeOf([&] { syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0); }),
          TimeOf([] { syscall(SYS_getppid); })};
}

class BpfWaitTracer final : public WaitTracer {
 public:
  // `tracefs` is set where the way needs it.
  BpfWaitTracer(Skeleton skeleton, AttachWay way, std::optional<Tracefs> tracefs)
      : skeleton_(std::move(skeleton)), way_(way), tracefs_(std::move(tracefs)) {}

  Status Attach() {
    // Last what begins waits: an end is never missed for want of its program.
    std::vector<const Hook*> hooks;
    for (const Hook& hook : kHooks) {
      if (hook.way == way_) hooks.push_back(&hook);
    }
    std::reverse(hooks.begin(), hooks.end());
    for (const char* name : kAlways) {
      if (Status status = AttachProgram(name, nullptr); !status) return status;
    }
    for (const Hook* hook : hooks) {
      if (Status status = AttachProgram(hook->program, hook); !status) return status;
    }
    ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.records), &OnRecord, this, nullptr));
    if (!ring_) return LoadError("opening the ring buffer", -errno);
    return {};
  }

  // `before`: the same loops without the programs.
  void Calibrate(const LoopTimes& before) {
    // Nobody else's calls: what they begin now would end unseen.
    const std::unordered_set<pid_t> ourselves{getpid()};
    if (!Select(&ourselves)) return;
    Resume();
    const LoopTimes with = TimeLoops();
    costs_.futex_call = std::max<DurationNs>(0, with.futex - before.futex);
    costs_.other_call = std::max<DurationNs>(0, with.other - before.other);
    // The same again while the kernel measures what of that is inside the programs.
    if (MeasureRunTime(true)) {
      const ProgramRuns runs_before = Runs();
      const LoopTimes measured = TimeLoops();
      const ProgramRuns runs = Runs();
      const auto count = static_cast<DurationNs>(runs.runs - runs_before.runs);
      MeasureRunTime(false);
      if (count > 0) {
        const DurationNs inside = (runs.run_time - runs_before.run_time) / count;
        // Two programs a call.
        costs_.dispatch = std::max<DurationNs>(0, (measured.futex - before.futex) / 2 - inside);
      }
    }
    Pause();
    static_cast<void>(Select(nullptr));
    const Result<WaitCounters> counters = Counters();
    follows_threads_ = counters && counters->lost_thread == 0;
    ForgetCounters();
  }
  // False: the calls that were timed could not be followed.
  [[nodiscard]] bool follows_threads() const { return follows_threads_; }
  [[nodiscard]] const WaitCosts& costs() const override { return costs_; }

  bool MeasureRuns(bool on) override {
    system_calls_.Stop();
    if (on && tracefs_) system_calls_.Start(*tracefs_);
    return MeasureRunTime(on);
  }

  [[nodiscard]] ProgramRuns Runs() const override {
    ProgramRuns runs;
    runs.system_calls = system_calls_.Count();
    for (const int program : programs_) {
      bpf_prog_info info{};
      std::uint32_t size = sizeof(info);
      if (bpf_obj_get_info_by_fd(program, &info, &size) != 0) continue;
      runs.runs += info.run_cnt;
      runs.run_time += static_cast<DurationNs>(info.run_time_ns);
    }
    return runs;
  }

  [[nodiscard]] AttachWay way() const override { return way_; }
  [[nodiscard]] std::vector<std::string> degradations() const override { return degradations_; }
  void AddDegradation(std::string line) { degradations_.push_back(std::move(line)); }

  void Resume() override {
    ++skeleton_->bss->control.epoch;
    skeleton_->bss->control.paused = 0;
  }
  void Pause() override { skeleton_->bss->control.paused = 1; }
  void SetEvents(bool on) override { skeleton_->bss->control.no_events = on ? 0 : 1; }

  Status Select(const std::unordered_set<pid_t>* pids) override {
    if (pids == nullptr) {
      skeleton_->bss->control.filtered = 0;
      return {};  // the map is not looked at
    }
    const int map = bpf_map__fd(skeleton_->maps.selected);
    for (const pid_t pid : *pids) {
      const std::uint8_t yes = 1;
      if (selected_.contains(pid)) continue;
      if (bpf_map_update_elem(map, &pid, &yes, BPF_ANY) != 0) {
        return Fail(ErrorCode::kUnsupported, fmt::format("more than {} processes match the filter",
                                                         static_cast<int>(CT_SELECTED_PROCESSES)));
      }
    }
    for (const pid_t pid : selected_) {
      if (!pids->contains(pid)) bpf_map_delete_elem(map, &pid);
    }
    selected_ = *pids;
    skeleton_->bss->control.filtered = 1;
    return {};
  }

  Status Receive(DurationNs timeout) override {
    const int milliseconds = static_cast<int>(timeout / kMillisecond);
    const int polled = timeout > 0 ? ring_buffer__poll(ring_.get(), milliseconds) : 0;
    if (polled < 0 && polled != -EINTR) return FailErrno("waiting for records", -polled);
    const int consumed = ring_buffer__consume(ring_.get());
    if (consumed < 0) return FailErrno("reading the ring buffer", -consumed);
    return {};
  }

  std::vector<WaitSample> Take(bool all) override {
    const TimeNs now = MonotonicNow();
    return order_.TakeUntil(all ? now + kSecond : now - kOrderHorizon);
  }

  Result<std::vector<LockCount>> Locks() override {
    const int map = bpf_map__fd(skeleton_->maps.locks);
    std::vector<LockCount> locks;
    constexpr std::uint32_t kBatch = 4096;
    std::vector<ct_lock_key> keys(kBatch);
    std::vector<ct_lock_statistics> values(kBatch);
    std::array<std::uint64_t, 4> cursor{};
    for (bool first = true;; first = false) {
      std::uint32_t count = kBatch;
      const int error = bpf_map_lookup_batch(map, first ? nullptr : cursor.data(), cursor.data(),
                                             keys.data(), values.data(), &count, nullptr);
      if (error != 0 && errno != ENOENT) return FailErrno("reading the locks", errno);
      for (std::uint32_t i = 0; i < count; ++i) locks.push_back(ParseLock(keys[i], values[i]));
      if (error != 0) return locks;
    }
  }

  void Forget(const LockKey& key) override {
    const ct_lock_key raw{key.space, key.address, static_cast<std::uint32_t>(key.pid), 0};
    bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.locks), &raw);
  }

  Result<WaitCounters> Counters() override {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return FailErrno("counting CPUs", -cpus);
    std::vector<ct_wait_counters> per_cpu(static_cast<std::size_t>(cpus));
    const std::uint32_t zero = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &zero, per_cpu.data()) != 0) {
      return FailErrno("reading the counters", errno);
    }
    WaitCounters sum;
    for (const ct_wait_counters& cpu : per_cpu) {
      sum.calls += cpu.calls;
      sum.followed += cpu.followed;
      sum.waits += cpu.waits;
      sum.refused += cpu.refused;
      sum.restarted += cpu.restarted;
      sum.produced += cpu.produced;
      sum.lost_ring += cpu.lost_ring;
      sum.lost_lock += cpu.lost_lock;
      sum.lost_thread += cpu.lost_thread;
      sum.lost_end += cpu.lost_end;
      sum.lost_stack += cpu.lost_stack;
    }
    sum.received = received_;
    sum.malformed = malformed_;
    sum.late = order_.late();
    sum.missed = Missed();
    return sum;
  }

 private:
  static int OnRecord(void* self, void* data, std::size_t size) {
    static_cast<BpfWaitTracer*>(self)->Take(std::span(static_cast<const std::byte*>(data), size));
    return 0;
  }

  void Take(std::span<const std::byte> bytes) {
    ++received_;
    std::optional<WaitSample> wait = ParseWait(bytes);
    if (wait) {
      order_.Add(std::move(*wait));
    } else {
      ++malformed_;
    }
  }

  Status AttachProgram(const char* name, const Hook* hook) {
    bpf_program* program = bpf_object__find_program_by_name(skeleton_->obj, name);
    if (program == nullptr || !bpf_program__autoload(program)) return {};
    Link link;
    if (tracefs_ && hook != nullptr) {
      const std::optional<std::uint64_t> event = tracefs_->EventId(hook->event);
      if (!event && hook->optional) return {};
      if (!event) {
        return Fail(ErrorCode::kUnsupported, fmt::format("there is no tracepoint {}", hook->event));
      }
      Result<Link> attached = AttachTracepoint(program, *event);
      if (!attached) return Fail(attached.error().With(hook->event));
      link = std::move(*attached);
    } else {
      link.reset(bpf_program__attach(program));
      if (!link && !(hook != nullptr && hook->optional)) {
        return LoadError(fmt::format("attaching {}", name).c_str(), -errno);
      }
    }
    if (!link) return {};
    programs_.push_back(bpf_program__fd(program));
    links_.push_back(std::move(link));
    return {};
  }

  bool MeasureRunTime(bool on) {
    stats_.Reset(on ? bpf_enable_stats(BPF_STATS_RUN_TIME) : -1);
    return stats_.ok();
  }

  void ForgetCounters() {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return;
    const std::vector<ct_wait_counters> zeros(static_cast<std::size_t>(cpus));
    const std::uint32_t key = 0;
    bpf_map_update_elem(bpf_map__fd(skeleton_->maps.counters), &key, zeros.data(), BPF_ANY);
  }

  // The kernel does not run a program inside itself on one CPU, and counts what it left out
  // (recursion_misses, 5.12).
  [[nodiscard]] std::uint64_t Missed() const {
    std::uint64_t missed = 0;
    for (const int program : programs_) {
      bpf_prog_info info{};
      std::uint32_t size = sizeof(info);
      if (bpf_obj_get_info_by_fd(program, &info, &size) == 0) missed += info.recursion_misses;
    }
    return missed;
  }

  Skeleton skeleton_;
  AttachWay way_;
  std::vector<std::string> degradations_;
  std::vector<Link> links_;
  std::vector<int> programs_;  // of links_
  Ring ring_;
  std::unordered_set<pid_t> selected_;
  TimeOrder<WaitSample, &WaitSample::end> order_;
  std::uint64_t received_ = 0;
  std::uint64_t malformed_ = 0;
  WaitCosts costs_;
  bool follows_threads_ = false;
  std::optional<Tracefs> tracefs_;
  SyscallCounter system_calls_;
  UniqueFd stats_;  // while it is open the kernel measures
};

Status CheckPlan(const WaitsPlan& plan) {
  const std::uint32_t stack = plan.stack_bytes;
  if (stack != 0 && stack != 8192 && stack != 16384 && stack != CT_MAX_STACK_COPY) {
    return Fail(ErrorCode::kUsage, "a stack copy has 0, 8, 16 or 32 KiB");
  }
  if (plan.ring_bytes < 8 * stack || (plan.ring_bytes & (plan.ring_bytes - 1)) != 0) {
    return Fail(ErrorCode::kUsage, "the ring buffer's size is a power of two, at least 8 stacks");
  }
  return {};
}

void SetSizes(const WaitsPlan& plan, waits_bpf& skeleton) {
  bpf_map__set_max_entries(skeleton.maps.locks, plan.max_locks);
  if (!plan.preallocate) bpf_map__set_map_flags(skeleton.maps.locks, BPF_F_NO_PREALLOC);
  bpf_map__set_max_entries(skeleton.maps.records, plan.ring_bytes);
  bpf_map__set_autocreate(skeleton.maps.waiting_tasks, plan.task_storage);
  bpf_map__set_autocreate(skeleton.maps.waiting_tids, !plan.task_storage);
  if (!plan.task_storage) {
    bpf_map__set_max_entries(skeleton.maps.waiting_tids, plan.max_threads);
  }
  skeleton.rodata->has_task_storage = plan.task_storage;
  skeleton.rodata->stack_copy = plan.stack_bytes;
  skeleton.rodata->record_bytes = sizeof(ct_wait_record) + plan.stack_bytes;
  skeleton.rodata->wake_above = plan.ring_bytes / 2;
  skeleton.bss->control.paused = 1;
  skeleton.bss->control.min_wait = static_cast<std::uint64_t>(plan.min_wait);
}

// A function that this kernel does not have cannot even be loaded for.
void LeaveOut(AttachWay way, bool optional, waits_bpf& skeleton) {
  for (const Hook& hook : kHooks) {
    if (hook.way == way && !(optional && hook.optional)) continue;
    bpf_program__set_autoload(bpf_object__find_program_by_name(skeleton.obj, hook.program), false);
  }
}

Result<std::unique_ptr<WaitTracer>> LoadWay(const WaitsPlan& plan, AttachWay way,
                                            bool without_optional) {
  std::optional<Tracefs> tracefs;
  if (way == AttachWay::kTracepoint) {
    Result<Tracefs> opened = Tracefs::Open();
    if (!opened) return Fail(opened.error());
    tracefs.emplace(std::move(*opened));
  }
  CollectLibbpfLog();
  Skeleton skeleton(waits_bpf__open());
  if (!skeleton) return LoadError("opening the wait programs", -errno);
  SetSizes(plan, *skeleton);
  LeaveOut(way, without_optional, *skeleton);
  if (const int error = waits_bpf__load(skeleton.get()); error != 0) {
    return LoadError("loading the wait programs", error);
  }
  const LoopTimes before = TimeLoops();
  auto tracer = std::make_unique<BpfWaitTracer>(std::move(skeleton), way, std::move(tracefs));
  if (Status status = tracer->Attach(); !status) return Fail(status.error());
  tracer->Calibrate(before);
  if (!tracer->follows_threads() && plan.task_storage) {
    // It was there when the program was loaded, and gives no memory: since 7.0 it needs a CPU with
    // cmpxchg16b (mm/slub.c, kmalloc_nolock).
    tracer.reset();
    WaitsPlan without = plan;
    without.task_storage = false;
    return LoadWay(without, way, without_optional);
  }
  return tracer;
}

}  // namespace

Result<std::unique_ptr<WaitTracer>> WaitTracer::Load(const WaitsPlan& plan) {
  if (Status status = CheckPlan(plan); !status) return Fail(status.error());
  std::vector<std::string> reasons;
  ErrorCode code = ErrorCode::kUnsupported;
  for (const AttachWay way : plan.ways) {
    for (const bool without_optional : {false, true}) {
      Result<std::unique_ptr<WaitTracer>> tracer = LoadWay(plan, way, without_optional);
      if (tracer) return tracer;
      code = tracer.error().code;
      if (without_optional || way == AttachWay::kTracepoint) {
        reasons.push_back(fmt::format("{}: {}", ToString(way), tracer.error().message));
        break;
      }
    }
  }
  if (reasons.size() == 1) return Fail(code, reasons.front());
  return Fail(code, fmt::format("futex calls cannot be followed: {}", fmt::join(reasons, "; ")));
}

}  // namespace ct
