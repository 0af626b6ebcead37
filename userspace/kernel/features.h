// What this kernel and these privileges allow, and what the tracer makes of it.
// Features are probed for behaviour, never by version; the plan is a pure function of them.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace ct {

struct KernelFeatures {
  bool btf = false;            // /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)
  bool task_iterator = false;  // bpf_iter/task: struct bpf_iter__task in BTF (5.8)
  bool task_pt_regs = false;   // helper bpf_task_pt_regs (5.15, commit dd6e10fbd9fb)
  bool task_stack = false;     // helper bpf_get_task_stack (5.9, commit fa28dcb82a38)
  bool init_pid_namespace = false;
  bool x86_64 = false;
  std::vector<std::string> missing_capabilities;  // "CAP_BPF", ...
};

// Looks at the running kernel; takes about a millisecond. `without` names features to pretend
// absent ("task_pt_regs", "task_stack"), so that tests can force every fallback.
Result<KernelFeatures> ProbeFeatures(const std::vector<std::string>& without);

struct SweepPlan {
  bool registers_by_helper = true;  // false: found through task->stack
  bool kernel_stacks = true;
  std::vector<std::string> degradations;  // one line each, for the user
};

// The plan, or one clear line that says why there can be none.
Result<SweepPlan> PlanSweep(const KernelFeatures& features);

}  // namespace ct
