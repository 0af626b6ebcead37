#include "kernel/task_origins.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <utility>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/unique_fd.h"
#include "bpf/wire.h"
#include "kernel/attach.h"
#include "kernel/frame_probe.h"
#include "kernel/libbpf_log.h"

#include <task_origins.skel.h>

namespace ct {
namespace {

static_assert(TaskOriginTracer::kMaxTasks == CT_ORIGIN_TASKS);

struct SkeletonDeleter {
  void operator()(task_origins_bpf* skeleton) const { task_origins_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<task_origins_bpf, SkeletonDeleter>;

bool IsSane(const TaskProbe& probe) {
  return IsSane(probe.frames) && probe.map_begin <= probe.address && probe.address < probe.map_end;
}

// The file behind the mapping, whatever the target calls it, and never opened for reading: its
// inode is all that a probe needs.
Result<UniqueFd> OpenMapped(pid_t pid, const TaskProbe& probe) {
  const std::string link =
      fmt::format("/proc/{}/map_files/{:x}-{:x}", pid, probe.map_begin, probe.map_end);
  UniqueFd file(open(link.c_str(), O_PATH | O_CLOEXEC));
  if (!file.ok()) return FailErrno("opening the file that has asyncio's tasks", errno);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return FailErrno("the file that has asyncio's tasks", errno);
  if (!S_ISREG(status.st_mode) || status.st_ino != probe.inode) {
    return Fail(ErrorCode::kUnsupported, "the code of asyncio's tasks is in no file");
  }
  return file;
}

class BpfTaskOriginTracer final : public TaskOriginTracer {
 public:
  explicit BpfTaskOriginTracer(Skeleton first) : first_(std::move(first)) {}

  Status Add(pid_t pid, const TaskProbe& probe) override {
    if (!IsSane(probe)) return Fail(ErrorCode::kMalformed, "a probe that cannot be");
    Process process;
    process.pidfd = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!process.pidfd.ok()) return FailErrno(fmt::format("process {}", pid), errno);
    const Result<UniqueFd> file = OpenMapped(pid, probe);
    if (!file) return Fail(file.error());
    CollectLibbpfLog();
    Result<Skeleton> program = LoadFor(pid, probe);
    if (!program) return Fail(program.error());
    process.added_at = MonotonicNow();
    const std::string path = fmt::format("/proc/self/fd/{}", file->get());
    process.link.reset(bpf_program__attach_uprobe((*program)->progs.ct_task_made, false, pid,
                                                  path.c_str(), probe.file_offset));
    if (!process.link) return LoadError("attaching a uprobe to asyncio's tasks", -errno);
    process.program = std::move(*program);
    Remove(pid);
    processes_.emplace(pid, std::move(process));
    return {};
  }

  void Remove(pid_t pid) override {
    if (processes_.erase(pid) == 0) return;
    const int map = bpf_map__fd(first_->maps.stacks);
    std::vector<ct_stack_key> own;
    ct_stack_key key;
    const ct_stack_key* previous = nullptr;
    // Who deletes while another inserts may make the kernel begin anew: bounded by what fits.
    for (int i = 0; i < CT_ORIGIN_STACKS && bpf_map_get_next_key(map, previous, &key) == 0; ++i) {
      if (key.tgid == static_cast<std::uint32_t>(pid)) own.push_back(key);
      previous = &key;
    }
    for (const ct_stack_key& stack : own) bpf_map_delete_elem(map, &stack);
  }

  [[nodiscard]] bool IsAlive(pid_t pid) const override {
    const auto found = processes_.find(pid);
    if (found == processes_.end()) return false;
    pollfd ended{found->second.pidfd.get(), POLLIN, 0};
    return poll(&ended, 1, 0) == 0;
  }

  std::optional<TaskOrigin> OriginOf(pid_t pid, std::uint64_t task) override {
    const auto process = processes_.find(pid);
    if (process == processes_.end()) return std::nullopt;
    const ct_task_key key{task, static_cast<std::uint32_t>(pid), 0};
    ct_task_origin origin;
    if (bpf_map_lookup_elem(bpf_map__fd(first_->maps.tasks), &key, &origin) != 0) {
      return std::nullopt;
    }
    const auto made_at = static_cast<TimeNs>(origin.made_at);
    // Of a process that had this pid before.
    if (made_at < process->second.added_at) return std::nullopt;
    return TaskOrigin{origin.stack, made_at};
  }

  std::optional<OriginStack> StackOf(pid_t pid, std::uint64_t stack) override {
    const ct_stack_key key{stack, static_cast<std::uint32_t>(pid), 0};
    ct_origin_stack kept;
    if (bpf_map_lookup_elem(bpf_map__fd(first_->maps.stacks), &key, &kept) != 0) {
      return std::nullopt;
    }
    OriginStack out;
    out.truncated = kept.truncated != 0;
    for (std::uint32_t i = 0; i < std::min<std::uint32_t>(kept.depth, CT_ORIGIN_FRAMES); ++i) {
      if (kept.codes[i] != 0) out.frames.push_back({kept.codes[i], kept.offsets[i]});
    }
    return out;
  }

  Result<TaskOriginCounters> Counters() override {
    const int cpus = libbpf_num_possible_cpus();
    if (cpus <= 0) return FailErrno("counting CPUs", -cpus);
    std::vector<ct_task_origin_counters> per_cpu(static_cast<std::size_t>(cpus));
    const std::uint32_t zero = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(first_->maps.counters), &zero, per_cpu.data()) != 0) {
      return FailErrno("reading the counters", errno);
    }
    TaskOriginCounters sum;
    for (const ct_task_origin_counters& cpu : per_cpu) {
      sum.made += cpu.made;
      sum.lost_thread += cpu.lost_thread;
      sum.lost_frame += cpu.lost_frame;
      sum.lost_stack += cpu.lost_stack;
    }
    return sum;
  }

 private:
  struct Process {
    UniqueFd pidfd;
    TimeNs added_at = 0;
    Skeleton program;  // its own copy, with what is true of it as constants
    Link link;
  };

  // A copy of the program that writes to the first one's maps.
  [[nodiscard]] Result<Skeleton> LoadFor(pid_t pid, const TaskProbe& probe) const {
    Skeleton copy(task_origins_bpf__open());
    if (!copy) return LoadError("opening the program of task origins", -errno);
    auto& told = const_cast<ct_task_probe&>(copy->rodata->probe);
    told.frames = DescribeFrames(probe.frames);
    told.tgid = static_cast<std::uint32_t>(pid);
    for (const auto& [to, from] : {std::pair(copy->maps.tasks, first_->maps.tasks),
                                   std::pair(copy->maps.stacks, first_->maps.stacks),
                                   std::pair(copy->maps.counters, first_->maps.counters)}) {
      if (const int error = bpf_map__reuse_fd(to, bpf_map__fd(from)); error != 0) {
        return LoadError("sharing the maps of task origins", error);
      }
    }
    if (const int error = task_origins_bpf__load(copy.get()); error != 0) {
      return LoadError("loading the program of task origins", error);
    }
    return copy;
  }

  Skeleton first_;  // attached to nothing: it has the maps
  std::unordered_map<pid_t, Process> processes_;
};

}  // namespace

Result<std::unique_ptr<TaskOriginTracer>> TaskOriginTracer::Load() {
  CollectLibbpfLog();
  Skeleton first(task_origins_bpf__open());
  if (!first) return LoadError("opening the program of task origins", -errno);
  if (const int error = task_origins_bpf__load(first.get()); error != 0) {
    return LoadError("loading the program of task origins", error);
  }
  return std::make_unique<BpfTaskOriginTracer>(std::move(first));
}

}  // namespace ct
