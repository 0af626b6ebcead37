#include "observe/python_process.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include <fmt/format.h>

#include "kernel/process_stop.h"
#include "observe/filter.h"
#include "observe/process_row.h"
#include "observe/python_builder.h"
#include "observe/python_forgotten.h"

namespace ct {
namespace {

// Between two looks: at moments that no timer of the process is likely to share.
constexpr std::array<DurationNs, 6> kPauses = {3 * kMillisecond,  7 * kMillisecond,
                                               2 * kMillisecond,  11 * kMillisecond,
                                               23 * kMillisecond, 5 * kMillisecond};
// One more look may take as long as the last: not where all there were took this long.
constexpr DurationNs kLookAgainWithin = 2 * kSecond;

void Pause(DurationNs duration) {
  const timespec time{duration / kSecond, duration % kSecond};
  nanosleep(&time, nullptr);
}

tl::unexpected<Error> WhyNot(pid_t pid, const ProcessRead& answer) {
  // First: what is read of a process while it ends makes no sense.
  if (!IsAlive(pid)) return Fail(ErrorCode::kNotFound, fmt::format("process {} has ended", pid));
  if (!answer.python_error.empty()) {
    return Fail(ErrorCode::kUnsupported, fmt::format("process {}: {}", pid, answer.python_error));
  }
  if (!answer.losses.empty()) {
    const Loss& loss = answer.losses.front();
    return Fail(ErrorCode::kPermission, loss.reason + ": " + loss.detail);
  }
  return Fail(ErrorCode::kUnsupported, fmt::format("process {} is not Python", pid));
}

Result<ProcessRead> Read(Reader& reader, const ProcessToRead& request) {
  ProcessRead answer = reader.Read(request);
  // On a host that is short of CPU the reader may need longer than its patience, once.
  if (!answer.python && !answer.losses.empty()) answer = reader.Read(request);
  if (!answer.python) return WhyNot(request.pid, answer);
  return answer;
}

// As it names itself, unless its first thread has ended: then nobody does.
std::string NameOf(pid_t pid) {
  std::string name;
  std::getline(std::ifstream(fmt::format("/proc/{}/comm", pid)), name);
  return name;
}

// What each look shows was so at one moment.
bool HaveLoopsSlept(const PythonLook& look) {
  const PythonComparison comparison(look);
  return std::all_of(look.second.threads.begin(), look.second.threads.end(),
                     [&](const PythonThread& thread) {
                       return thread.running_loop == 0 || comparison.Slept(thread);
                     });
}

// A service that works has no moment at which nothing of it changes, unless it is given one.
Status LookWhileStopped(Reader& reader, const ProcessToRead& request, PythonLook& look,
                        std::string& said) {
  // Some 100,000 tasks can be read in that.
  constexpr DurationNs kLongest = 250 * kMillisecond;
  PythonLook stopped;
  std::string times;
  for (PythonProcess* process : {&stopped.first, &stopped.second}) {
    ProcessStop stop(request.pid, kLongest);
    if (Status status = stop.Begin(); !status) return status;
    stopped.second_begin = MonotonicNow();
    Result<ProcessRead> answer = Read(reader, request);
    const auto time = stop.End();
    if (!answer) return Fail(answer.error());
    if (!time) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{} is too short a time to read it", FormatDuration(kLongest)));
    }
    *process = std::move(*answer->python);
    times += (times.empty() ? "" : " and ") + FormatDuration(*time);
    if (process == &stopped.first) {
      stopped.begin = MonotonicNow();
      Pause(kPauses.front());
    }
  }
  stopped.end = MonotonicNow();
  look = std::move(stopped);
  said = "stopped to be read, for " + times;
  return {};
}

}  // namespace

Result<Observation> LookAtPython(Reader& reader, pid_t pid, const PythonLookOptions& options) {
  ProcessToRead request;
  request.pid = pid;
  request.want_python = true;
  request.want_process = true;
  request.exclusive_classes = options.exclusive_classes;
  PythonLook look;
  const TimeNs begin = MonotonicNow();
  if (options.task_origins != nullptr) options.task_origins->Follow({pid});
  Result<ProcessRead> first = Read(reader, request);
  request.want_process = false;
  if (!first) return Fail(first.error());
  look.second = std::move(*first->python);
  TimeNs read = MonotonicNow();
  for (const DurationNs pause : kPauses) {
    Pause(pause);
    look.second_begin = MonotonicNow();
    Result<ProcessRead> next = Read(reader, request);
    if (!next) return Fail(next.error());
    look.first = std::exchange(look.second, std::move(*next->python));
    look.begin = std::exchange(read, MonotonicNow());
    if (!IsRestless(look) || MonotonicNow() - begin > kLookAgainWithin) break;
  }
  look.end = MonotonicNow();

  Observation observation;
  observation.degradations = {"by reading memory alone: what threads do in C is not known"};
  if (options.may_stop && !HaveLoopsSlept(look)) {
    std::string said;
    if (Status status = LookWhileStopped(reader, request, look, said); !status) {
      said = "not stopped: " + status.error().message;
    }
    observation.degradations.push_back(std::move(said));
  }
  Fold(look);
  if (options.task_origins != nullptr) {
    options.task_origins->AddToTasks(pid, look.second_begin, look.second);
  }
  if (options.pool_ages != nullptr) options.pool_ages->Update(look);
  observation.begin = begin;
  observation.end = look.end;
  observation.realtime_offset = RealtimeOffset();
  observation.filter = Filter{{pid}, "", "", ""}.Text();
  const SpaceId space = 1;
  Process process = ProcessRow({{pid, 0}, pid, 0, NameOf(pid)}, space,
                               first->process ? &*first->process : nullptr, true);
  process.language = fmt::format("python {}.{}", look.second.version >> 24 & 0xff,
                                 look.second.version >> 16 & 0xff);
  process.threads = static_cast<std::uint32_t>(look.second.threads.size());
  observation.processes.push_back(std::move(process));
  PythonPlace place;
  place.process = 0;
  place.pool_ages = options.pool_ages;
  place.thread = [](const PythonThread& thread) {
    return PythonThreadInfo{{thread.host_tid, 0}, std::nullopt};
  };
  AddPython(look, place, observation);
  if (options.search) {
    const auto forgotten = LookForForgotten(reader, pid, options.task_origins, observation.losses);
    if (forgotten) {
      AddForgotten(*forgotten, place.process, observation);
      AddAbandoned(AbandonedIn(*forgotten), place.process, observation);
    }
  }
  if (options.task_origins != nullptr) options.task_origins->Tell(observation);
  observation.cost.total = MonotonicNow() - begin;
  observation.cost.read = reader.cost().waited;
  return observation;
}

}  // namespace ct
