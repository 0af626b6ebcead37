#include "kernel/loops.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bpf/wire.h"
#include "kernel/attach.h"
#include "kernel/libbpf_log.h"
#include "kernel/tracefs.h"

#include <loops.skel.h>

namespace ct {
namespace {

struct SkeletonDeleter {
  void operator()(loops_bpf* skeleton) const { loops_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<loops_bpf, SkeletonDeleter>;

// System calls in which a loop waits for what happens next.
struct SelectorCall {
  const char* name;
  bool optional;  // older kernels do not have it
};
constexpr std::array kCalls = {
    SelectorCall{"epoll_wait", false},  SelectorCall{"epoll_pwait", false},
    SelectorCall{"epoll_pwait2", true},  // 5.11, commit 58169a52ebc9
    SelectorCall{"poll", false},        SelectorCall{"ppoll", false},
    SelectorCall{"select", false},      SelectorCall{"pselect6", false},
};

// Programs are named by what they are attached to: "ct_fexit_poll".
struct Ends {
  const char* exit;
  const char* enter;
};
Ends EndsOf(AttachWay way) {
  return way == AttachWay::kFentry ? Ends{"fexit", "fentry"} : Ends{"exit", "enter"};
}

class BpfLoopTracer final : public LoopTracer {
 public:
  BpfLoopTracer(Skeleton skeleton, AttachWay way) : skeleton_(std::move(skeleton)), way_(way) {}

  Status Attach() {
    std::optional<Tracefs> tracefs;
    if (way_ == AttachWay::kTracepoint) {
      Result<Tracefs> opened = Tracefs::Open();
      if (!opened) return Fail(opened.error());
      tracefs.emplace(std::move(*opened));
    }
    Link at_exit(bpf_program__attach(skeleton_->progs.ct_loop_exit));
    if (!at_exit) return LoadError("attaching to the end of threads", -errno);
    links_.push_back(std::move(at_exit));
    for (const SelectorCall& call : kCalls) {
      for (const char* end : {EndsOf(way_).exit, EndsOf(way_).enter}) {
        if (Status status = AttachTo(call, end, tracefs); !status) return status;
      }
    }
    ring_.reset(ring_buffer__new(bpf_map__fd(skeleton_->maps.records), &OnRecord, this, nullptr));
    if (!ring_) return LoadError("opening the ring buffer", -errno);
    return {};
  }

  [[nodiscard]] AttachWay way() const override { return way_; }

  Status Select(const std::unordered_set<pid_t>& pids) override {
    const int map = bpf_map__fd(skeleton_->maps.selected);
    for (const pid_t pid : pids) {
      const std::uint8_t yes = 1;
      if (selected_.contains(pid)) continue;
      if (bpf_map_update_elem(map, &pid, &yes, BPF_ANY) != 0) {
        return Fail(ErrorCode::kUnsupported, fmt::format("more than {} processes match the filter",
                                                         static_cast<int>(CT_SELECTED_PROCESSES)));
      }
    }
    for (const pid_t pid : selected_) {
      if (!pids.contains(pid)) bpf_map_delete_elem(map, &pid);
    }
    selected_ = pids;
    return {};
  }

  Result<std::vector<Iteration>> Take() override {
    const int consumed = ring_buffer__consume(ring_.get());
    if (consumed < 0) return FailErrno("reading the ring buffer", -consumed);
    return std::exchange(ended_, {});
  }

  Result<std::vector<LoopCount>> Threads() override {
    const int map = bpf_map__fd(skeleton_->maps.threads);
    std::vector<LoopCount> threads;
    std::uint32_t tid = 0;
    // One that ends meanwhile may make the kernel begin anew: bounded by what the map can hold.
    const std::uint32_t* previous = nullptr;
    for (int i = 0; i < CT_LOOP_THREADS && bpf_map_get_next_key(map, previous, &tid) == 0; ++i) {
      previous = &tid;
      ct_loop_state state;
      if (bpf_map_lookup_elem(map, &tid, &state) != 0) continue;
      threads.push_back({.tid = static_cast<pid_t>(tid),
                         .pid = static_cast<pid_t>(state.tgid),
                         .begin = static_cast<TimeNs>(state.begin),
                         .queued = static_cast<DurationNs>(state.queued),
                         .iterations = state.iterations,
                         .slow = state.slow,
                         .slow_total = static_cast<DurationNs>(state.slow_total),
                         .starved = state.starved,
                         .starved_total = static_cast<DurationNs>(state.starved_total),
                         .total = static_cast<DurationNs>(state.total),
                         .max = static_cast<DurationNs>(state.max)});
    }
    return threads;
  }

  void Forget(pid_t tid) override {
    bpf_map_delete_elem(bpf_map__fd(skeleton_->maps.threads), &tid);
  }

  Result<LoopCounters> Counters() override {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return FailErrno("counting CPUs", -cpus);
    std::vector<ct_loop_counters> per_cpu(static_cast<std::size_t>(cpus));
    const std::uint32_t zero = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &zero, per_cpu.data()) != 0) {
      return FailErrno("reading the counters", errno);
    }
    LoopCounters sum;
    for (const ct_loop_counters& cpu : per_cpu) {
      sum.lost_ring += cpu.lost_ring;
      sum.lost_thread += cpu.lost_thread;
    }
    return sum;
  }

 private:
  static int OnRecord(void* self, void* data, std::size_t size) {
    ct_iteration_record record;
    if (size < sizeof(record)) return 0;
    std::memcpy(&record, data, sizeof(record));
    if (record.kind != CT_RECORD_ITERATION) return 0;
    static_cast<BpfLoopTracer*>(self)->ended_.push_back(
        {static_cast<pid_t>(record.tid), static_cast<pid_t>(record.tgid),
         static_cast<TimeNs>(record.begin), static_cast<TimeNs>(record.end),
         static_cast<DurationNs>(record.queued), static_cast<DurationNs>(record.cpu)});
    return 0;
  }

  Status AttachTo(const SelectorCall& call, const char* end,
                  const std::optional<Tracefs>& tracefs) {
    const std::string name = fmt::format("ct_{}_{}", end, call.name);
    bpf_program* program = bpf_object__find_program_by_name(skeleton_->obj, name.c_str());
    if (program == nullptr || !bpf_program__autoload(program)) return {};
    Link link;
    if (tracefs) {
      const std::string event = fmt::format("syscalls/sys_{}_{}", end, call.name);
      const std::optional<std::uint64_t> id = tracefs->EventId(event);
      if (!id && call.optional) return {};
      if (!id) return Fail(ErrorCode::kUnsupported, "there is no tracepoint " + event);
      Result<Link> attached = AttachTracepoint(program, *id);
      if (!attached) return Fail(attached.error().With(event));
      link = std::move(*attached);
    } else {
      link.reset(bpf_program__attach(program));
      if (!link) return LoadError(("attaching " + name).c_str(), -errno);
    }
    links_.push_back(std::move(link));
    return {};
  }

  Skeleton skeleton_;
  AttachWay way_;
  std::vector<Link> links_;
  Ring ring_;
  std::unordered_set<pid_t> selected_;
  std::vector<Iteration> ended_;
};

// A function that this kernel does not have cannot even be loaded for.
void LeaveOut(AttachWay way, bool optional, loops_bpf& skeleton) {
  for (const AttachWay other : {AttachWay::kFentry, AttachWay::kTracepoint}) {
    for (const SelectorCall& call : kCalls) {
      if (other == way && !(optional && call.optional)) continue;
      for (const char* end : {EndsOf(other).exit, EndsOf(other).enter}) {
        const std::string name = fmt::format("ct_{}_{}", end, call.name);
        bpf_program__set_autoload(bpf_object__find_program_by_name(skeleton.obj, name.c_str()),
                                  false);
      }
    }
  }
}

Result<std::unique_ptr<LoopTracer>> LoadWay(const LoopsPlan& plan, AttachWay way,
                                            bool without_optional) {
  CollectLibbpfLog();
  Skeleton skeleton(loops_bpf__open());
  if (!skeleton) return LoadError("opening the loop programs", -errno);
  LeaveOut(way, without_optional, *skeleton);
  skeleton->bss->control.threshold = static_cast<std::uint64_t>(plan.threshold);
  if (const int error = loops_bpf__load(skeleton.get()); error != 0) {
    return LoadError("loading the loop programs", error);
  }
  auto tracer = std::make_unique<BpfLoopTracer>(std::move(skeleton), way);
  if (Status status = tracer->Attach(); !status) return Fail(status.error());
  return tracer;
}

}  // namespace

Result<std::unique_ptr<LoopTracer>> LoopTracer::Load(const LoopsPlan& plan) {
  std::vector<std::string> reasons;
  for (const AttachWay way : plan.ways) {
    for (const bool without_optional : {false, true}) {
      Result<std::unique_ptr<LoopTracer>> tracer = LoadWay(plan, way, without_optional);
      if (tracer) return tracer;
      if (without_optional || way == AttachWay::kTracepoint) {
        reasons.push_back(fmt::format("{}: {}", ToString(way), tracer.error().message));
        break;
      }
    }
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("event loops cannot be followed: {}", fmt::join(reasons, "; ")));
}

}  // namespace ct
