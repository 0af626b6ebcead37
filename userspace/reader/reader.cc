#include "reader/reader.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/capabilities.h"
#include "base/text.h"
#include "base/unique_fd.h"
#include "reader/protocol.h"
#include "reader/python_protocol.h"
#include "reader/reading_capabilities.h"

namespace ct {
namespace {

// The descriptor that the reader process finds its socket at.
constexpr int kReaderFd = 3;

// A process whose reader was killed this often within one request is given up.
constexpr int kMaxRestartsPerRequest = 3;

// Owns the child: killed and reaped when this goes.
class ReaderChild {
 public:
  ReaderChild() = default;
  ReaderChild(pid_t pid, UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}
  ~ReaderChild() { Kill(); }
  ReaderChild(ReaderChild&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), socket_(std::move(other.socket_)) {}
  ReaderChild& operator=(ReaderChild&& other) noexcept {
    if (this != &other) {
      Kill();
      pid_ = std::exchange(other.pid_, -1);
      socket_ = std::move(other.socket_);
    }
    return *this;
  }
  ReaderChild(const ReaderChild&) = delete;
  ReaderChild& operator=(const ReaderChild&) = delete;

  [[nodiscard]] int fd() const { return socket_.get(); }
  [[nodiscard]] bool ok() const { return pid_ > 0; }

  void Kill() {
    socket_.Reset();
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    // A reader that hangs in a page fault dies at once; one in a dead NFS mount may not, and must
    // not take the tracer with it: reaped if it is quick, left to init otherwise.
    for (int i = 0; i < 100; ++i) {
      if (waitpid(pid_, nullptr, WNOHANG) != 0) break;
      usleep(1000);
    }
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  UniqueFd socket_;
};

Result<ReaderChild> Spawn() {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return FailErrno("a socket for the reader process", errno);
  }
  UniqueFd ours(pair[0]);
  const UniqueFd theirs(pair[1]);
  const pid_t child = fork();
  if (child < 0) return FailErrno("starting the reader process", errno);
  if (child == 0) {
    // Only async-signal-safe calls between fork and exec.
    if (theirs.get() == kReaderFd) {
      fcntl(kReaderFd, F_SETFD, 0);
    } else {
      dup2(theirs.get(), kReaderFd);
    }
    // Whatever else the tracer has open (BPF, output files) closes itself at exec.
    execl("/proc/self/exe", "concurrency-tracer", kReaderCommand, nullptr);
    _exit(127);
  }
  return ReaderChild(child, std::move(ours));
}

class ProcessReader final : public Reader {
 public:
  ProcessReader(const ReaderOptions& options, ReaderChild child)
      : options_(options), child_(std::move(child)) {}

  ProcessRead Read(const ProcessToRead& request) override {
    const TimeNs begin = MonotonicNow();
    ProcessRead result;
    ProcessToRead rest = request;
    for (int attempt = 0; attempt <= kMaxRestartsPerRequest; ++attempt) {
      const std::size_t had = result.threads.size();
      const Status status = Ask(rest, result);
      if (status) break;
      child_.Kill();
      ++cost_.restarts;
      // The thread whose answer did not come is the one that blocked the reader (or crashed it).
      const std::size_t answered = result.threads.size() - had;
      const bool in_threads = answered < rest.threads.size();
      const std::string reason =
          status.error().code == ErrorCode::kTimeout
              ? (in_threads ? "thread not readable: its memory did not come in time"
                            : "process not readable: its memory did not come in time")
              : (in_threads ? "thread not readable: the reader failed on it"
                            : "process not readable: the reader failed on it");
      const pid_t tid = in_threads ? rest.threads[answered].tid : 0;
      AddLoss(result, reason,
              tid != 0 ? fmt::format("thread {} of process {}", tid, request.pid)
                       : fmt::format("process {}", request.pid));
      if (!in_threads) break;
      result.blocked.push_back(tid);
      rest.threads.erase(rest.threads.begin(),
                         rest.threads.begin() + static_cast<std::ptrdiff_t>(answered) + 1);
      if (attempt == kMaxRestartsPerRequest && !rest.threads.empty()) {
        AddLoss(result, "thread not read: its process blocked the reader too often",
                fmt::format("process {}", request.pid), rest.threads.size());
      }
    }
    cost_.waited += MonotonicNow() - begin;
    return result;
  }

  ReaderCost cost() const override { return cost_; }

 private:
  static void AddLoss(ProcessRead& result, std::string reason, std::string detail,
                      std::uint64_t count = 1) {
    result.losses.push_back({std::move(reason), count, true, std::move(detail)});
  }

  Status Ask(const ProcessToRead& request, ProcessRead& result) {
    if (!child_.ok()) {
      Result<ReaderChild> child = Spawn();
      if (!child) return Fail(child.error());
      child_ = std::move(*child);
    }
    wire::ReadRequest message;
    message.set_id(++last_id_);
    ToWire(request, message);
    if (Status status = SendMessage(child_.fd(), message); !status) return status;
    // Module indices of this answer's parts count from here.
    const auto base = static_cast<ModuleIndex>(result.modules.size());
    const bool long_work =
        request.want_python || request.want_forgotten || !request.functions.empty();
    const DurationNs patience = long_work ? options_.python_patience : options_.patience;
    PythonIntake python;
    for (;;) {
      wire::ReadResponse part;
      if (Status status = ReceiveMessage(child_.fd(), MonotonicNow() + patience, part); !status) {
        return status;
      }
      if (part.id() != last_id_) return Fail(ErrorCode::kMalformed, "an answer to another request");
      if (Status status = Take(part, request, base, result); !status) return status;
      if (part.has_python()) {
        if (Status status = python.Take(part.python()); !status) return status;
      }
      if (part.last()) {
        result.python = python.Finish();
        return {};
      }
    }
  }

  Status Take(const wire::ReadResponse& part, const ProcessToRead& request, ModuleIndex base,
              ProcessRead& result) {
    if (!part.error().empty()) {
      AddLoss(result, "process not readable",
              fmt::format("process {}: {}", request.pid, CleanText(part.error())),
              std::max<std::size_t>(1, request.threads.size()));
      return {};
    }
    for (const wire::Module& module : part.modules()) {
      Module clean = FromWire(module);
      clean.path = CleanText(clean.path);
      clean.build_id = CleanText(clean.build_id);
      result.modules.push_back(std::move(clean));
    }
    for (const wire::ThreadReading& from : part.threads()) {
      ThreadRead thread = FromWire(from);
      CleanThread(thread);
      for (Frame& frame : thread.stack.frames) {
        if (frame.module != kNoIndex) frame.module += base;
        if (frame.module < 0 || frame.module >= static_cast<ModuleIndex>(result.modules.size())) {
          frame.module = kNoIndex;
        }
      }
      result.threads.push_back(std::move(thread));
    }
    for (const wire::OwnerReading& from : part.owners()) {
      OwnerRead owner{from.tid(), from.confirmed(), FromWire(from.reading())};
      CleanWait(owner.wait);
      result.owners.push_back(std::move(owner));
    }
    for (const wire::ReferrersReading& from : part.referrers()) {
      result.referrers.push_back(
          {from.address(), {from.ns_tids().begin(), from.ns_tids().end()}, from.complete()});
    }
    if (part.has_process()) {
      result.process =
          ProcessFacts{CleanText(part.process().executable()), CleanText(part.process().cgroup()),
                       CleanText(part.process().language()), part.process().catches_signals()};
    }
    for (const wire::File& file : part.mapped_files()) {
      result.mapped_files.push_back({file.device(), file.inode()});
    }
    if (part.has_task_probe()) result.task_probe = FromWire(part.task_probe());
    if (part.has_frame_probe()) result.frame_probe = FromWire(part.frame_probe());
    if (part.has_places()) {
      result.places = FromWire(part.places(), request.code_points.size());
    }
    TakeFunctions(part, request.functions.size(), result.functions);
    TakeMemory(part, request.memory, result.memory);
    TakeObjects(part, request.objects, result.objects);
    if (!part.python_error().empty()) result.python_error = CleanText(part.python_error());
    for (const wire::Loss& loss : part.losses()) {
      AddLoss(result, CleanText(loss.reason()), CleanText(loss.detail()), loss.count());
    }
    if (part.last()) {
      cost_.cpu = part.cpu_ns();
      cost_.resident_bytes = part.resident_bytes();
    }
    return {};
  }

  static void CleanWait(LocatedWait& wait) {
    wait.reading.type = CleanText(wait.reading.type);
    wait.reading.evidence_note = CleanText(wait.reading.evidence_note);
    wait.symbol = CleanText(wait.symbol);
    wait.where = CleanText(wait.where);
  }

  static void CleanThread(ThreadRead& thread) {
    if (thread.wait) CleanWait(*thread.wait);
    thread.syscall_object = CleanText(thread.syscall_object);
    thread.not_seen = CleanText(thread.not_seen);
    for (Frame& frame : thread.stack.frames) {
      frame.function = CleanText(frame.function);
      frame.file = CleanText(frame.file);
    }
  }

  ReaderOptions options_;
  ReaderChild child_;
  ReaderCost cost_;
  std::uint64_t last_id_ = 0;
};

}  // namespace

Result<std::unique_ptr<Reader>> Reader::Start(const ReaderOptions& options) {
  if (const auto missing = MissingReadingCapabilities(); !missing.empty()) {
    return FailWithoutCapabilities(missing);
  }
  Result<ReaderChild> child = Spawn();
  if (!child) return Fail(child.error());
  return std::make_unique<ProcessReader>(options, std::move(*child));
}

}  // namespace ct
