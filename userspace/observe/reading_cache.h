// What was read of sleeping threads, kept from one look to the next: what a thread waits for is
// true for as long as it has not run.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "observe/look.h"

namespace ct {

class ReadingCache {
 public:
  // Adds to look.readings what is known of the threads of look.first (`index`), all but the owners
  // of their locks: those may have changed.
  void Recall(const SweepIndex& index, RawLook& look);
  // Keeps what held at both ends of this look, and nothing else.
  void Remember(const RawLook& look, const SweepIndex& first, const SweepIndex& second);
  // True if this very sleep was read in the look that was remembered.
  [[nodiscard]] bool Knows(const TaskSample& task) const;

 private:
  struct CachedThread {
    ThreadId id;
    std::uint64_t switches = 0;
    ThreadReading reading;
  };
  struct CachedProcess {
    ThreadId leader;
    std::uint64_t space = 0;
    std::uint64_t switches = 0;  // of all threads of its space, added up
    std::vector<Module> modules;
    std::optional<ProcessFacts> facts;
    std::unordered_map<pid_t, CachedThread> threads;
  };

  std::unordered_map<pid_t, CachedProcess> processes_;  // by tgid
};

}  // namespace ct
