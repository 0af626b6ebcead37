// The reader process: it alone touches the memory and files of targets.
#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <list>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "locks/guard_scan.h"
#include "reader/function_reading.h"
#include "reader/loop_reading.h"
#include "reader/memory_then.h"
#include "reader/process_facts.h"
#include "reader/protocol.h"
#include "reader/python_protocol.h"
#include "reader/reading_capabilities.h"
#include "reader/thread_switches.h"
#include "runtimes/python.h"
#include "runtimes/python_origins.h"
#include "target/overlay_memory.h"
#include "target/target.h"

namespace ct {
namespace {

// nobody on Debian, Fedora and their kin; it needs no entry anywhere.
constexpr uid_t kNobody = 65534;
// A file that inflates or claims gigabytes must end in bad_alloc here, not in the host's OOM.
constexpr rlim_t kMaxAddressSpace = 4ULL << 30;

// What a reader never does. A deny list: libraries (libdw, liblzma) may use any harmless call, and
// what could hurt a target or the host is short.
bool ForbidHarmfulSyscalls() {
  const std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, decltype(&seccomp_release)> filter(
      seccomp_init(SCMP_ACT_ALLOW), &seccomp_release);
  if (!filter) return false;
  for (const int syscall : {SCMP_SYS(execve),
                            SCMP_SYS(execveat),
                            SCMP_SYS(ptrace),
                            SCMP_SYS(process_vm_writev),
                            SCMP_SYS(bpf),
                            SCMP_SYS(perf_event_open),
                            SCMP_SYS(kill),
                            SCMP_SYS(tkill),
                            SCMP_SYS(pidfd_send_signal),
                            SCMP_SYS(socket),
                            SCMP_SYS(connect),
                            SCMP_SYS(mount),
                            SCMP_SYS(umount2),
                            SCMP_SYS(pivot_root),
                            SCMP_SYS(chroot),
                            SCMP_SYS(setns),
                            SCMP_SYS(unshare),
                            SCMP_SYS(init_module),
                            SCMP_SYS(finit_module),
                            SCMP_SYS(kexec_load),
                            SCMP_SYS(fork),
                            SCMP_SYS(vfork),
                            SCMP_SYS(unlink),
                            SCMP_SYS(unlinkat),
                            SCMP_SYS(rename),
                            SCMP_SYS(renameat),
                            SCMP_SYS(renameat2),
                            SCMP_SYS(link),
                            SCMP_SYS(linkat),
                            SCMP_SYS(symlink),
                            SCMP_SYS(symlinkat),
                            SCMP_SYS(mkdir),
                            SCMP_SYS(mkdirat)}) {
    if (seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), syscall, 0) != 0) return false;
  }
  return seccomp_load(filter.get()) == 0;
}

bool DropPrivileges() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  setrlimit(RLIMIT_FSIZE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const rlimit memory{kMaxAddressSpace, kMaxAddressSpace};
  setrlimit(RLIMIT_AS, &memory);
#endif
  if (geteuid() == 0) {
    if (prctl(PR_SET_KEEPCAPS, 1) != 0 || setgroups(0, nullptr) != 0 ||
        setresgid(kNobody, kNobody, kNobody) != 0 || setresuid(kNobody, kNobody, kNobody) != 0 ||
        !KeepOnlyReadingCapabilities()) {
      return false;
    }
  }
  // PDEATHSIG is cleared by a change of ids.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && ForbidHarmfulSyscalls();
}

class RequestThreads final : public ThreadDirectory {
 public:
  explicit RequestThreads(const std::vector<SpaceThread>& threads) {
    for (const SpaceThread& thread : threads) {
      tids_.insert(thread.ns_tid);
      if (thread.thread_pointer != 0) by_pointer_.emplace(thread.thread_pointer, thread.ns_tid);
    }
  }
  bool InSameSpace(pid_t ns_tid) const override { return tids_.contains(ns_tid); }
  bool Exists(pid_t ns_tid) const override {
    // /proc/PID/root/proc may be anything; the kernel's own answer for the target's namespace is
    // not to be had from here without entering it. Threads of the space are what matters.
    return InSameSpace(ns_tid);
  }
  pid_t ByThreadPointer(std::uint64_t thread_pointer) const override {
    const auto found = by_pointer_.find(thread_pointer);
    return found == by_pointer_.end() ? 0 : found->second;
  }

 private:
  std::unordered_set<pid_t> tids_;
  std::unordered_map<std::uint64_t, pid_t> by_pointer_;
};

class Server {
 public:
  explicit Server(int fd) : fd_(fd), files_(MakeFileCache()) {}

  int Run() {
    for (;;) {
      wire::ReadRequest message;
      if (!ReceiveMessage(fd_, 0, message)) return 0;
      if (!Answer(message)) return 0;
    }
  }

 private:
  // Targets that stay open between requests, most recently used first.
  static constexpr std::size_t kMaxTargets = 64;

  Result<Target*> Find(pid_t pid) {
    for (auto it = targets_.begin(); it != targets_.end(); ++it) {
      if ((*it)->pid() != pid) continue;
      targets_.splice(targets_.begin(), targets_, it);
      if (Status status = targets_.front()->Refresh(); status) return targets_.front().get();
      targets_.pop_front();  // gone, or another process by now: open it anew
      break;
    }
    Result<std::unique_ptr<Target>> opened = Target::Open(pid, files_);
    if (!opened) return Fail(opened.error());
    if (Status status = (*opened)->Refresh(); !status) return Fail(status.error());
    targets_.push_front(std::move(*opened));
    if (targets_.size() > kMaxTargets) targets_.pop_back();
    return targets_.front().get();
  }

  Status Finish(wire::ReadResponse& response) {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    response.set_cpu_ns((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * kSecond +
                        (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * kMicrosecond);
    response.set_resident_bytes(static_cast<std::uint64_t>(usage.ru_maxrss) * 1024);
    response.set_last(true);
    return SendMessage(fd_, response);
  }

  Status Answer(const wire::ReadRequest& message) {
    const ProcessToRead request = FromWire(message);
    wire::ReadResponse response;
    response.set_id(message.id());
    const Result<Target*> target = Find(request.pid);
    // A process that has ended holds and waits for nothing: that is no loss.
    if (!target && target.error().code == ErrorCode::kNotFound) return Finish(response);
    if (!target) {
      response.set_error(target.error().message);
      return Finish(response);
    }
    const RequestThreads threads(request.space_threads);
    sent_modules_ = 0;
    for (const ThreadToRead& thread : request.threads) {
      wire::ReadResponse part;
      part.set_id(message.id());
      ToWire(ReadThread(**target, request, thread, threads), *part.add_threads());
      AddModules(**target, part);
      if (Status status = SendMessage(fd_, part); !status) return status;
    }
    for (const OwnerToRead& owner : request.owners) {
      wire::OwnerReading& to = *response.add_owners();
      LocatedWait wait = owner.wait;
      to.set_tid(owner.tid);
      to.set_confirmed(RefreshOwner(wait.reading, (*target)->memory(), threads));
      ToWire(wait, *to.mutable_reading());
    }
    for (const ReferrersToFind& find : request.referrers) {
      Find(**target, request.stacks, find, *response.add_referrers());
    }
    for (const MappedFile& file : request.files) {
      const std::span<const Mapping> mappings = (*target)->mappings();
      const bool mapped =
          std::any_of(mappings.begin(), mappings.end(), [&](const Mapping& mapping) {
            return mapping.shared && mapping.device == file.device && mapping.inode == file.inode;
          });
      if (!mapped) continue;
      wire::File& to = *response.add_mapped_files();
      to.set_device(file.device);
      to.set_inode(file.inode);
    }
    if (request.want_process) {
      ProcessFacts facts = ReadProcessFacts(request.pid);
      facts.language = (*target)->Language();
      wire::ProcessReading& to = *response.mutable_process();
      to.set_executable(facts.executable);
      to.set_cgroup(facts.cgroup);
      to.set_language(facts.language);
      to.set_catches_signals(facts.catches_signals);
    }
    if (request.want_python || request.want_forgotten) {
      if (Status status = AnswerPython(**target, request, message.id(), response); !status) {
        return status;
      }
    }
    if (request.want_loops) {
      const auto process = ReadLoops(**target, request.loop_threads, request.loop_locks);
      if (Status status = SendPython(process, message.id(), response); !status) return status;
    }
    if (request.want_threads) {
      const auto process = ReadWaitingThreads(**target);
      if (Status status = SendPython(process, message.id(), response); !status) return status;
    }
    if (!request.functions.empty()) {
      const FunctionsRead read = FindFunctions(**target, request.functions);
      for (const FunctionFound& function : read.functions) {
        ToWire(function, *response.add_functions());
      }
      for (const Loss& loss : read.losses) {
        wire::Loss& to = *response.add_losses();
        to.set_reason(loss.reason);
        to.set_count(loss.count);
        to.set_detail(loss.detail);
      }
    }
    for (const MemoryCopy& copy : ReadMemory((*target)->memory(), request.memory)) {
      wire::MemoryCopy& to = *response.add_memory();
      to.set_address(copy.address);
      to.set_content(copy.bytes);
    }
    for (const std::uint64_t address : Bounded(request.objects)) {
      ToWire(PlaceOf(**target, address), *response.add_objects());
    }
    if (request.want_task_probe || request.want_frame_probe || !request.code_points.empty()) {
      AnswerPythonProbes(**target, request, response);
    }
    return Finish(response);
  }

  static void AnswerPythonProbes(Target& target, const ProcessToRead& request,
                                 wire::ReadResponse& last) {
    if (request.want_task_probe) {
      const auto probe = FindTaskProbe(target);
      if (!probe) last.set_python_error(probe.error().message);
      if (probe && *probe) ToWire(**probe, *last.mutable_task_probe());
    }
    if (request.want_frame_probe) {
      const auto probe = FindFrameProbe(target);
      if (probe && *probe) ToWire(**probe, *last.mutable_frame_probe());
    }
    if (request.code_points.empty()) return;
    const auto points = std::span(request.code_points);
    const auto places =
        DescribePoints(target, points.first(std::min(points.size(), kMaxCodePoints)));
    if (places) ToWire(*places, *last.mutable_places());
  }

  // Once: it takes long, and it is about what lies there, not about what happens.
  static Result<std::optional<PythonProcess>> ReadForgotten(Target& target) {
    const ThreadSwitches before = ReadThreadSwitches(target.pid());
    PythonOptions options;
    options.tasks = false;
    options.forgotten = true;
    options.futexes = FutexCallsOf(before);
    Result<std::optional<PythonProcess>> process = ReadPython(target, options);
    if (process && *process) NoteWhoSlept(before, ReadThreadSwitches(target.pid()), **process);
    return process;
  }

  // A service that hangs still ticks: between two ticks its loop sleeps long enough to be read.
  static Result<std::optional<PythonProcess>> ReadPythonAtRest(Target& target,
                                                               PythonOptions options) {
    constexpr int kTries = 6;
    constexpr DurationNs kEnough = 200 * kMillisecond;
    constexpr int kTriesToSeeItMove = 3;  // some 4 ms
    const TimeNs begin = MonotonicNow();
    std::optional<PythonProcess> last;
    for (int i = 1;; ++i) {
      const ThreadSwitches before = ReadThreadSwitches(target.pid());
      options.futexes = FutexCallsOf(before);
      Result<std::optional<PythonProcess>> process = ReadPython(target, options);
      if (!process || !*process) return process;
      NoteWhoSlept(before, ReadThreadSwitches(target.pid()), **process);
      const bool blocked = last && AreInOneIteration(*last, **process);
      if (!blocked && !HaveLoopsSlept(**process) && i < kTries &&
          MonotonicNow() - begin <= kEnough) {
        last = std::move(*process);
        continue;
      }
      for (PythonThread& thread : (*process)->threads) {
        if (blocked && thread.running_loop != 0 && !thread.asleep) {
          SeeWhetherItMoves(target, kTriesToSeeItMove, thread);
        }
      }
      return process;
    }
  }

  Status AnswerPython(Target& target, const ProcessToRead& request, std::uint64_t id,
                      wire::ReadResponse& last) {
    PythonOptions options;
    options.exclusive_classes = request.exclusive_classes;
    return SendPython(
        request.want_python ? ReadPythonAtRest(target, options) : ReadForgotten(target), id, last);
  }

  Status SendPython(const Result<std::optional<PythonProcess>>& process, std::uint64_t id,
                    wire::ReadResponse& last) {
    if (!process) {
      last.set_python_error(process.error().message);
      return {};
    }
    if (!*process) return {};
    return SplitPython(**process, [&](wire::PythonReading&& reading) {
      wire::ReadResponse part;
      part.set_id(id);
      *part.mutable_python() = std::move(reading);
      return SendMessage(fd_, part);
    });
  }

  void AddModules(Target& target, wire::ReadResponse& part) {
    const std::span<const Module> modules = target.modules();
    for (; sent_modules_ < modules.size(); ++sent_modules_) {
      ToWire(modules[sent_modules_], *part.add_modules());
    }
  }

  static ThreadRead ReadThread(Target& target, const ProcessToRead& request,
                               const ThreadToRead& thread, const ThreadDirectory& threads) {
    ThreadRead read;
    read.tid = thread.tid;
    OverlayMemory memory =
        MemoryThen(target.memory(), thread.copies, target.FindMapping(thread.registers.sp()),
                   thread.stack_goes_on);
    UnwoundStack unwound;
    if (thread.want_stack || thread.want_lock) {
      unwound = target.Unwind(thread.registers, {.max_frames = request.max_frames,
                                                 .source_lines = request.source_lines,
                                                 .memory = &memory});
    }
    if (thread.want_lock) {
      BlockedThread blocked;
      blocked.ns_tid = thread.ns_tid;
      blocked.syscall = thread.syscall;
      blocked.arguments = thread.arguments;
      blocked.registers = thread.registers;
      blocked.frames = unwound.stack.frames;
      blocked.modules = target.modules();
      blocked.cfa = unwound.cfa;
      if (auto reading = DecodeWait(blocked, memory, threads)) {
        if (reading->futex_word != 0 && !memory.ReadValue<std::uint32_t>(reading->futex_word)) {
          read.not_seen = "lock not readable: the memory that a thread waits on";
        } else if (unwound.stack.end == StackEnd::kUnreadable) {
          read.not_seen = "stack of a waiting thread not readable";
        }
        read.wait = Locate(target, std::move(*reading));
      }
    }
    if (!read.wait) {
      read.syscall_object = DescribeSyscallObject(target.pid(), thread.syscall, thread.arguments);
      read.syscall_timeout = SyscallTimeout(thread.syscall, thread.arguments, target.memory());
    }
    read.stack = std::move(unwound.stack);
    return read;
  }

  static void Find(Target& target, const std::vector<StackToScan>& stacks,
                   const ReferrersToFind& find, wire::ReferrersReading& to) {
    std::vector<ThreadStack> others;
    for (const StackToScan& stack : stacks) {
      if (std::find(find.waiters.begin(), find.waiters.end(), stack.ns_tid) != find.waiters.end()) {
        continue;
      }
      const Mapping* mapping = target.FindMapping(stack.registers.sp());
      others.push_back({stack.ns_tid, mapping == nullptr ? 0 : mapping->end, stack.registers});
    }
    const ReferrerScan scan = FindReferrers(find.address, others, target.memory());
    to.set_address(find.address);
    to.mutable_ns_tids()->Assign(scan.referrers.begin(), scan.referrers.end());
    to.set_complete(scan.truncated + scan.unreadable + scan.not_scanned == 0);
  }

  static std::span<const std::uint64_t> Bounded(const std::vector<std::uint64_t>& addresses) {
    return std::span(addresses).first(std::min(addresses.size(), kMaxFunctions));
  }

  static ObjectPlace PlaceOf(Target& target, std::uint64_t address) {
    ObjectPlace place;
    place.address = address;
    place.symbol = target.DataSymbol(address).value_or("");
    place.where = target.DescribeAddress(address);
    const Mapping* mapping = target.FindMapping(address);
    if (mapping == nullptr || !mapping->shared) return place;
    place.device = mapping->device;
    place.inode = mapping->inode;
    place.offset = address - mapping->begin + mapping->file_offset;
    return place;
  }

  static LocatedWait Locate(Target& target, WaitReading reading) {
    LocatedWait wait;
    wait.symbol = target.DataSymbol(reading.object).value_or("");
    wait.where = target.DescribeAddress(reading.object);
    if (const Mapping* mapping = target.FindMapping(reading.object);
        reading.process_shared && mapping != nullptr && mapping->shared) {
      wait.device = mapping->device;
      wait.inode = mapping->inode;
      wait.offset = reading.object - mapping->begin + mapping->file_offset;
    } else {
      // Without FUTEX_PRIVATE_FLAG in private memory the kernel keys it by (mm, address) too
      // (kernel/futex/core.c, get_futex_key).
      reading.process_shared = false;
    }
    wait.reading = std::move(reading);
    return wait;
  }

  int fd_;
  std::shared_ptr<FileCache> files_;
  std::list<std::unique_ptr<Target>> targets_;
  std::size_t sent_modules_ = 0;
};

}  // namespace

int RunReader(int fd) {
  if (fcntl(fd, F_GETFD) < 0) {
    fprintf(stderr, "concurrency-tracer: %s is not a command for people\n", kReaderCommand);
    return 2;
  }
  if (!DropPrivileges()) {
    fprintf(stderr, "concurrency-tracer: the reader process cannot drop its privileges\n");
    return 1;
  }
  return Server(fd).Run();
}

}  // namespace ct
