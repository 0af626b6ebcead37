// Raw looks for tests: what two sweeps and a reading between them may have seen.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "observe/builder.h"
#include "observe/look.h"

namespace ct::testing {

// When the second sweep ends. The first one began 4 ms before.
inline constexpr TimeNs kEnd = 1'000'000 * kSecond;
inline constexpr pid_t kApp = 100;
inline constexpr std::uint32_t kHostNamespace = 7;

// Readings as the decoders make them: certain, and the word was what the waiter slept on.
LocatedWait Mutex(std::uint64_t object, pid_t owner_ns_tid);
LocatedWait Semaphore(std::uint64_t object);
LocatedWait Condition(std::uint64_t object);
LocatedWait Join(std::uint64_t tid_word, pid_t joined_ns_tid);
// In a file mapped at `address` by this waiter.
LocatedWait SharedMutex(std::uint64_t address, pid_t owner_ns_tid, MappedFile file,
                        std::uint64_t offset);

class LookBuilder {
 public:
  // A thread that sleeps in epoll_wait for 10 s at both sweeps, named "t<tid>". Processes have a
  // memory space each, are selected, have been read, and their facts are known.
  void Thread(pid_t tid, pid_t process = kApp);

  // References into the sample of one sweep, good until the look is taken.
  TaskSample& First(pid_t tid) { return threads_.at(tid).first; }
  TaskSample& Second(pid_t tid) { return threads_.at(tid).second; }
  ThreadReading& Reading(pid_t tid);
  ProcessReadings& Process(pid_t process) { return readings_[process]; }

  // In a futex call at both sweeps, and what the reader made of it.
  LocatedWait& Waits(pid_t tid, const LocatedWait& wait);
  // It ran in between, and is where it was.
  void Moves(pid_t tid) { Second(tid).switches += 2; }
  void RunsAtSecond(pid_t tid);
  void Runs(pid_t tid);
  void Dies(pid_t tid) { threads_.at(tid).at_second = false; }
  void IsBorn(pid_t tid) { threads_.at(tid).at_first = false; }
  void InNamespace(pid_t tid, std::uint32_t pid_ns, pid_t ns_tid);
  void SharesMemory(pid_t tid, pid_t with_process);
  // Somebody besides the threads could touch the memory of the process.
  void ExtraUser(pid_t process) { ++extra_users_[SpaceOf(process)]; }
  void Deselect(pid_t process) { deselected_.insert(process); }

  // Where waits are followed: who was given the lock last, when.
  void Given(std::uint64_t word, const GivenLock& given, pid_t process = kApp) {
    given_locks_[{SpaceOf(process), word}] = given;
  }

  RawLook Look() const;
  Sweep FirstSweep() const { return Look().first; }
  Observation Build(const BuildOptions& options = {}) const;
  // `realtime_offset` is 0.
  Observation Build(History& history, const BuildOptions& options = {}) const;

 private:
  struct Samples {
    TaskSample first;
    TaskSample second;
    bool at_first = true;
    bool at_second = true;
  };
  static std::uint64_t SpaceOf(pid_t process) { return 0xffff888000000000 + 0x1000U * process; }

  std::map<pid_t, Samples> threads_;
  std::unordered_map<pid_t, ProcessReadings> readings_;
  std::map<std::uint64_t, std::uint32_t> extra_users_;
  std::set<pid_t> deselected_;
  GivenLocks given_locks_;
};

// Everything that an observation says about waits, holds and abandoned locks, one line each:
//   "101 waits for mutex 1:0x1000 (still, certain)", "102 holds mutex 1:0x1000 (certain)",
//   "holders of mutex 1:0x1000 unknown", "mutex 1:0x1000 abandoned by 102: owner exited"
std::vector<std::string> Edges(const Observation& observation);
std::vector<pid_t> ActorTids(const Observation& observation);
const Actor& ActorOf(const Observation& observation, pid_t tid);

}  // namespace ct::testing
