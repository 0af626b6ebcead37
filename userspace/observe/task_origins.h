// Where asyncio's tasks were made: what a probe in the kernel has kept, put into words by the
// reader, at the tasks that a look has found.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "kernel/task_origins.h"
#include "model/observation.h"
#include "reader/reader.h"

namespace ct {

class TaskOrigins {
 public:
  // Borrows both for its lifetime.
  TaskOrigins(TaskOriginTracer& tracer, Reader& reader) : tracer_(tracer), reader_(reader) {}

  // From now on the tasks of these processes, and of no others. Those that have not imported
  // asyncio yet are asked again at a later call.
  void Follow(const std::unordered_set<pid_t>& pids);

  // At least one is followed.
  [[nodiscard]] bool follows_any() const;

  // `process` was read, from this moment on: says of its tasks, or of those that failed, which
  // stack made them. Not of those that are younger than that: another was at their place when it
  // was read.
  void AddToTasks(pid_t pid, TimeNs read_at, PythonProcess& process);
  void AddToFailures(pid_t pid, TimeNs read_at, PythonProcess& process);

  // What is not known, since it was told last.
  void Tell(Observation& observation);

 private:
  struct Process {
    bool followed = false;
    std::string why_not;  // for good
    TimeNs asked_at = 0;  // 0: not yet
  };
  // A place in its code, as it was first read.
  struct Point {
    CodePlace place;        // kUnknown: it could not be read so far
    bool replaced = false;  // later there was other code at the same address
  };
  struct Book {
    std::map<CodePoint, Point> points;
    std::vector<PythonCode> codes;
    std::map<std::pair<std::string, std::string>, std::uint32_t> code_index;
    std::uint64_t text_left = 32 << 20;  // bytes of names that are kept of a process
  };
  using Stacks = std::map<std::uint64_t, OriginStack>;  // by their hash

  Status Attach(pid_t pid, Process& process);
  // 0: not known, which is counted; or younger than the reading.
  std::uint64_t StackMadeBefore(pid_t pid, std::uint64_t task, TimeNs read_at);
  // Reads their code; what was read before is compared with what is there now.
  void Resolve(pid_t pid, const Stacks& stacks, Book& book);
  static void Note(const CodePoint& at, const CodePlace& now, const CodePlaces& places, Book& book);
  static CodePlace Keep(const CodePlace& place, const CodePlaces& places, Book& book);
  // Puts them into words: stack by hash. Codes that are new to the process are appended to it.
  std::map<std::uint64_t, PythonOrigin> Words(pid_t pid, const std::set<std::uint64_t>& wanted,
                                              PythonProcess& process);

  TaskOriginTracer& tracer_;
  Reader& reader_;
  std::unordered_map<pid_t, Process> processes_;
  std::unordered_map<pid_t, Book> books_;
  std::uint64_t not_known_ = 0;  // tasks
  std::uint64_t left_out_ = 0;   // frames
};

}  // namespace ct
