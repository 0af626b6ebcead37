// A sweeper and a reader that answer as the test says.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "kernel/sweep.h"
#include "observe/observer.h"
#include "reader/reader.h"
#include "tests/unit/observe/raw_look.h"

namespace ct::testing {

class FakeSweeper final : public Sweeper {
 public:
  // Answers with the first and second sweep of `now` in turn, then with those of `later`.
  Result<Sweep> Full(const std::vector<WantedThread>& wanted) override {
    wanted_now = wanted;
    const int sweep = full_sweeps++;
    const RawLook look = later && sweep >= 2 ? later->Look() : now.Look();
    return sweep % 2 == 0 ? look.first : look.second;
  }
  Result<Sweep> Steady(DurationNs, const std::vector<WantedThread>&) override { return steady; }

  LookBuilder now;
  std::optional<LookBuilder> later;
  Sweep steady;
  int full_sweeps = 0;
  std::vector<WantedThread> wanted_now;
};

class FakeReader final : public Reader {
 public:
  ProcessRead Read(const ProcessToRead& request) override {
    requests.push_back(request);
    ProcessRead answer;
    for (const ThreadToRead& thread : request.threads) {
      log.push_back((request.source_lines ? "lines " : "read ") + std::to_string(thread.tid));
      ThreadRead read;
      read.tid = thread.tid;
      if (const auto wait = waits.find(thread.tid); wait != waits.end() && thread.want_lock) {
        read.wait = wait->second;
      }
      read.stack.frames.emplace_back().module = 0;
      read.stack.end = StackEnd::kComplete;
      answer.threads.push_back(std::move(read));
    }
    if (!request.threads.empty()) answer.modules = {{"/bin/app", "aa", false}};
    for (const OwnerToRead& owner : request.owners) {
      log.push_back("owner " + std::to_string(owner.tid));
      if (refresh_fails) continue;
      const auto wait = waits.find(owner.tid);
      if (wait != waits.end()) answer.owners.push_back({owner.tid, true, wait->second});
    }
    if (refresh_fails && !request.owners.empty()) {
      answer.losses.push_back({"process not readable", 1, true, "process"});
    }
    for (const ReferrersToFind& find : request.referrers) {
      const std::set<pid_t> waiters(find.waiters.begin(), find.waiters.end());
      log.push_back(
          fmt::format("referrers of {:#x} but {}", find.address, fmt::join(waiters, " ")));
      const auto found = referrers.find(find.address);
      if (found != referrers.end()) answer.referrers.push_back({find.address, found->second, true});
    }
    for (const MappedFile& file : request.files) {
      log.push_back("maps of " + std::to_string(request.pid));
      if (maps[request.pid].contains(file)) answer.mapped_files.push_back(file);
    }
    if (request.want_process) answer.process.emplace();
    return answer;
  }
  ReaderCost cost() const override { return {}; }

  // What the log says since the last call.
  std::vector<std::string> TakeLog() { return std::exchange(log, {}); }

  std::map<pid_t, LocatedWait> waits;  // by waiter
  std::map<pid_t, std::set<MappedFile>> maps;
  std::map<std::uint64_t, std::vector<pid_t>> referrers;  // by address of a lock
  bool refresh_fails = false;
  std::vector<std::string> log;
  std::vector<ProcessToRead> requests;
};

// An observer of a fake host.
class Host {
 public:
  explicit Host(ObserverOptions options = {})
      : observer(sweeper, reader, history, std::move(options)) {}

  LookBuilder& now() { return sweeper.now; }
  // A thread in a futex call that the reader understands so.
  void Waits(pid_t tid, const LocatedWait& wait) {
    now().Waits(tid, wait);
    reader.waits[tid] = wait;
  }
  Observation Look() { return observer.Look().value(); }

  FakeSweeper sweeper;
  FakeReader reader;
  History history;
  Observer observer;
};

}  // namespace ct::testing
