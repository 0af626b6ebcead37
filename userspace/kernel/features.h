// What this kernel and these privileges allow, and what the tracer makes of it.
// Features are probed for behaviour, never by version; the plan is a pure function of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace ct {

struct KernelFeatures {
  bool btf = false;            // /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)
  bool task_iterator = false;  // bpf_iter/task: struct bpf_iter__task in BTF (5.8)
  bool task_pt_regs = false;   // helper bpf_task_pt_regs (5.15, commit dd6e10fbd9fb)
  bool task_stack = false;     // helper bpf_get_task_stack (5.9, commit fa28dcb82a38)
  // kfuncs bpf_iter_task_new (6.7, commit c68a78ffe2cb) and bpf_rcu_read_lock (6.2, 9bb00b2895cb)
  bool task_walk = false;
  bool task_storage = false;   // BPF_MAP_TYPE_TASK_STORAGE (5.11, commit 4cf1bc1f1045)
  bool ring_buffer = false;    // BPF_MAP_TYPE_RINGBUF (5.8, commit 457f44363a88)
  bool attach_cookie = false;  // helper bpf_get_attach_cookie (5.15, commit 7adfc6c9b315)
  bool uprobe_multi = false;   // BPF_LINK_TYPE_UPROBE_MULTI (6.6, commit 89ae89f53d20)
  bool map_allocator = false;  // maps grow safely inside programs (6.1, commit fba1a1c6c912)
  bool init_pid_namespace = false;
  bool x86_64 = false;
  std::vector<std::string> missing_capabilities;  // "CAP_BPF", ...
  // Pretended absent: any of "task_pt_regs", "task_stack", "task_walk", "task_storage",
  // "map_allocator", "attach_cookie", "uprobe_multi", "fentry", "kprobe", "tracepoint".
  std::vector<std::string> without;
};

// Looks at the running kernel; takes about a millisecond. `without` names features to pretend
// absent (see KernelFeatures::without), so that tests can force every fallback.
Result<KernelFeatures> ProbeFeatures(const std::vector<std::string>& without);

struct SweepPlan {
  bool registers_by_helper = true;  // false: found through task->stack
  bool kernel_stacks = true;
  bool walk = false;  // steady sweeps by kernel/walk.h where it loads; false: all by the iterator
  // Records that one walk has room for; the iterator makes a sweep with more. A walk holds one RCU
  // read lock and, on a kernel without preemption, its CPU: about 10 ms for so many, where the
  // iterator lets others run in between. 3.3 MB in all.
  std::uint32_t walk_still = 32'768;      // sleepers already known
  std::uint32_t walk_tasks = 8'192;       // in full
  std::vector<std::string> degradations;  // one line each, for the user
};

// The plan, or one clear line that says why there can be none. `steady`: many steady sweeps will
// follow, for which it is worth 30 ms to load what makes them cheap.
Result<SweepPlan> PlanSweep(const KernelFeatures& features, bool steady);

// How the programs come to be called on futex calls, the cheapest first.
enum class AttachWay : std::uint8_t {
  kFentry,      // a trampoline at the kernel's futex functions (CONFIG_FUNCTION_TRACER, 5.5)
  kKprobe,      // breakpoints there; their number bounds how many threads can wait at once
  kTracepoint,  // of system calls: each one of the host then takes a longer way (about 15 ns)
};
const char* ToString(AttachWay way);  // "fentry", "kprobe", "tracepoint"

struct WaitsPlan {
  std::vector<AttachWay> ways;        // to be tried in this order
  bool task_storage = true;           // false: threads in progress in a hash table of max_threads
  bool preallocate = false;           // all memory for max_locks at once
  std::uint32_t max_locks = 131'072;  // 27 MB if preallocated
  std::uint32_t max_threads = 65'536;
  std::uint32_t ring_bytes = 16 << 20;    // a power of two
  std::uint32_t stack_bytes = 16 << 10;   // of each stack: 0, 8, 16 or 32 KiB
  DurationNs min_wait = kMillisecond;     // shorter waits do not travel
  std::vector<std::string> degradations;  // one line each, for the user
};
Result<WaitsPlan> PlanWaits(const KernelFeatures& features);

// How the iterations of event loops are timed: fentry, else tracepoints. No kprobes: each thread
// that sleeps in its selector would take one of the instances of a kretprobe for as long.
struct LoopsPlan {
  std::vector<AttachWay> ways;                // to be tried in this order
  DurationNs threshold = 100 * kMillisecond;  // shorter iterations are only counted
};
Result<LoopsPlan> PlanLoops(const KernelFeatures& features);

// How acquires and releases are followed (tier 2).
struct HoldsPlan {
  bool attach_cookie = true;  // false: which probe was hit is looked up by its address
  // One link for all places of a function, and all links come off together; false: a perf event for
  // each place, one after the other. Tried: kernels before 6.10 (commit 46ba0e49b642) lose other
  // threads' hits.
  bool uprobe_multi = true;
  // All memory for these numbers at once: kernels whose programs cannot allocate safely (before
  // 6.1) warn in their log where it is not so.
  bool preallocate = false;
  std::uint32_t max_threads = 16'384;  // 7 KiB each
  std::uint32_t max_locks = 131'072;
  std::uint32_t max_orders = 65'536;
  // A power of two. Who takes 30 locks inside each other for the first time sends 435 orders at
  // once, with stacks of up to 16 KiB.
  std::uint32_t ring_bytes = 8 << 20;
  DurationNs long_hold = kSecond;         // a hold that ends after so long is told
  std::vector<std::string> degradations;  // one line each, for the user
};
Result<HoldsPlan> PlanHolds(const KernelFeatures& features);

}  // namespace ct
