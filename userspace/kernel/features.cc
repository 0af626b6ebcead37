#include "kernel/features.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/btf.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/capabilities.h"
#include "base/unique_fd.h"

namespace ct {
namespace {

// include/linux/proc_ns.h: PROC_PID_INIT_INO
constexpr ino_t kInitPidNamespace = 0xEFFFFFFC;

// The same names on kernels and libcaps that are older than the capability: CAP_SYS_ADMIN stood
// for them before 5.8 (CAP_BPF, CAP_PERFMON) and 5.9 (CAP_CHECKPOINT_RESTORE), and still does.
std::vector<std::string> MissingCapabilities() {
  std::vector<std::string> missing;
  const bool admin = HasCapability(CAP_SYS_ADMIN);
  const auto need = [&](cap_value_t capability, const char* name, bool admin_is_enough) {
    if (!HasCapability(capability) && !(admin && admin_is_enough)) missing.emplace_back(name);
  };
  need(CAP_BPF, "CAP_BPF", true);
  need(CAP_PERFMON, "CAP_PERFMON", true);
  need(CAP_SYS_PTRACE, "CAP_SYS_PTRACE", false);
  need(CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", false);
  need(CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE", true);
  return missing;
}

// The names in the kernel's type information: a struct or a helper that it has is named there.
// Only the string section is read (about 2 ms); parsing all of it would take six times as long.
std::optional<std::string> ReadBtfNames() {
  // include/uapi/linux/btf.h: struct btf_header
  const UniqueFd file(open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC));
  btf_header header{};
  if (!file.ok() || pread(file.get(), &header, sizeof(header), 0) != sizeof(header) ||
      header.magic != BTF_MAGIC) {
    return std::nullopt;
  }
  std::string names(header.str_len, '\0');
  std::size_t done = 0;
  while (done < names.size()) {
    const off_t at = static_cast<off_t>(header.hdr_len) + header.str_off + static_cast<off_t>(done);
    const ssize_t got = pread(file.get(), names.data() + done, names.size() - done, at);
    if (got <= 0) return std::nullopt;
    done += static_cast<std::size_t>(got);
  }
  return names;
}

bool HasName(const std::string& names, std::string_view name) {
  std::string whole(1, '\0');
  whole.append(name).push_back('\0');
  return names.find(whole) != std::string::npos;
}

}  // namespace

Result<KernelFeatures> ProbeFeatures(const std::vector<std::string>& without) {
  constexpr std::array kKnown = {"task_pt_regs",  "task_stack",    "task_walk",    "task_storage",
                                 "map_allocator", "attach_cookie", "uprobe_multi", "fentry",
                                 "kprobe",        "tracepoint"};
  for (const std::string& name : without) {
    if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) {
      return Fail(ErrorCode::kUsage, fmt::format("no feature is called '{}' (there are: {})", name,
                                                 fmt::join(kKnown, ", ")));
    }
  }
  const auto wanted = [&](const char* name) {
    return std::find(without.begin(), without.end(), name) == without.end();
  };

  KernelFeatures features;
  features.without = without;
  features.missing_capabilities = MissingCapabilities();
  utsname system{};
  uname(&system);
  features.x86_64 = std::string(system.machine) == "x86_64";
  struct stat pid_namespace {};
  features.init_pid_namespace =
      stat("/proc/self/ns/pid", &pid_namespace) == 0 && pid_namespace.st_ino == kInitPidNamespace;
  const std::optional<std::string> names = ReadBtfNames();
  features.btf = names.has_value();
  if (names) {
    features.task_iterator = HasName(*names, "bpf_iter__task");
    features.task_pt_regs = HasName(*names, "BPF_FUNC_task_pt_regs") && wanted("task_pt_regs");
    features.task_stack = HasName(*names, "BPF_FUNC_get_task_stack") && wanted("task_stack");
    features.task_walk = HasName(*names, "bpf_iter_task_new") &&
                         HasName(*names, "BPF_TASK_ITER_ALL_THREADS") &&
                         HasName(*names, "bpf_rcu_read_lock") && wanted("task_walk");
    features.task_storage = HasName(*names, "BPF_MAP_TYPE_TASK_STORAGE") && wanted("task_storage");
    features.ring_buffer = HasName(*names, "BPF_MAP_TYPE_RINGBUF");
    features.attach_cookie =
        HasName(*names, "BPF_FUNC_get_attach_cookie") && wanted("attach_cookie");
    features.uprobe_multi = HasName(*names, "BPF_LINK_TYPE_UPROBE_MULTI") && wanted("uprobe_multi");
    features.map_allocator = HasName(*names, "bpf_mem_alloc") && wanted("map_allocator");
  }
  return features;
}

Result<SweepPlan> PlanSweep(const KernelFeatures& features, bool steady) {
  if (!features.missing_capabilities.empty()) {
    return FailWithoutCapabilities(features.missing_capabilities);
  }
  if (!features.x86_64) {
    return Fail(ErrorCode::kUnsupported, "only x86-64 can be traced so far");
  }
  if (!features.init_pid_namespace) {
    return Fail(ErrorCode::kUnsupported,
                "started in a container's pid namespace: run it on the host, or with the host's "
                "pid namespace (docker run --pid=host, hostPID: true)");
  }
  if (!features.btf) {
    return Fail(ErrorCode::kUnsupported,
                "this kernel has no type information (/sys/kernel/btf/vmlinux): it needs "
                "CONFIG_DEBUG_INFO_BTF=y, which distributions have since 2020");
  }
  if (!features.task_iterator) {
    return Fail(ErrorCode::kUnsupported,
                "this kernel has no BPF task iterator (it came with Linux 5.8)");
  }
  SweepPlan plan;
  plan.registers_by_helper = features.task_pt_regs;
  plan.kernel_stacks = features.task_stack;
  plan.walk = steady && features.task_walk;
  if (!plan.kernel_stacks) {
    plan.degradations.emplace_back("no kernel stacks: the kernel has no bpf_get_task_stack");
  }
  if (steady && !features.task_walk) {
    plan.degradations.emplace_back(
        "sweeps cost more than they could: the kernel has no bpf_iter_task_new (it came with "
        "Linux 6.7)");
  }
  return plan;
}

const char* ToString(AttachWay way) {
  switch (way) {
    case AttachWay::kFentry:
      return "fentry";
    case AttachWay::kKprobe:
      return "kprobe";
    case AttachWay::kTracepoint:
      return "tracepoint";
  }
  return "tracepoint";
}

namespace {

Status NeedRingBuffer(const KernelFeatures& features) {
  if (features.ring_buffer) return {};
  return Fail(ErrorCode::kUnsupported,
              "this kernel has no BPF ring buffer (it came with Linux 5.8)");
}

// Those of `ways` that are not forced away.
std::vector<AttachWay> WaysLeft(const KernelFeatures& features, std::vector<AttachWay> ways) {
  std::erase_if(ways, [&](AttachWay way) {
    return std::find(features.without.begin(), features.without.end(), ToString(way)) !=
           features.without.end();
  });
  return ways;
}

}  // namespace

Result<LoopsPlan> PlanLoops(const KernelFeatures& features) {
  if (Status status = NeedRingBuffer(features); !status) return Fail(status.error());
  LoopsPlan plan;
  plan.ways = WaysLeft(features, {AttachWay::kFentry, AttachWay::kTracepoint});
  return plan;
}

Result<HoldsPlan> PlanHolds(const KernelFeatures& features) {
  if (Status status = NeedRingBuffer(features); !status) return Fail(status.error());
  HoldsPlan plan;
  plan.attach_cookie = features.attach_cookie;
  plan.uprobe_multi = features.uprobe_multi && features.attach_cookie;
  plan.preallocate = !features.map_allocator;
  if (plan.preallocate) plan.max_threads = 4096;  // 30 MB
  return plan;
}

Result<WaitsPlan> PlanWaits(const KernelFeatures& features) {
  if (Status status = NeedRingBuffer(features); !status) return Fail(status.error());
  WaitsPlan plan;
  plan.ways = WaysLeft(features, {AttachWay::kFentry, AttachWay::kKprobe, AttachWay::kTracepoint});
  plan.task_storage = features.task_storage;
  plan.preallocate = !features.map_allocator;
  return plan;
}

}  // namespace ct
