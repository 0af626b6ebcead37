// Python's GILs while they are waited for: finished waits come from the kernel, who has the GIL
// meanwhile from looks at the interpreter.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "kernel/waits.h"
#include "model/observation.h"
#include "observe/gil_book.h"
#include "observe/history.h"
#include "observe/look.h"
#include "reader/reader.h"

namespace ct {

class GilWatch {
 public:
  static constexpr std::size_t kMaxProcesses = 16;
  // Borrows the reader for its lifetime. Counts from `begin` on.
  GilWatch(Reader& reader, TimeNs begin) : reader_(reader), begin_(begin) {}

  // Looks at this process from now on, if it is one of Python; at most 16 are.
  void Follow(pid_t pid, const SweepIndex& index);
  // A wait that has ended; it may have been for something else.
  void Note(const WaitSample& wait);
  // The GIL that this futex word belongs to; nullopt: to none that is known.
  [[nodiscard]] std::optional<std::uint64_t> GilOf(const LockKey& key) const;

  // When Look has something to do; unset: while nobody waits for a GIL.
  [[nodiscard]] std::optional<TimeNs> next_look() const;
  // At those that are due; `index` is of a recent sweep.
  void Look(const SweepIndex& index);

  // Of those that somebody waited for; the observation has the processes and resources.
  void AddTo(History& history, const SweepIndex& index, TimeNs end, Observation& observation);

 private:
  struct Gil {
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    GilBook book;
    bool waited_for = false;
  };
  struct Python {
    std::vector<Gil> gils;
    TimeNs waited_at = 0;  // the last wait for one of them ended
    TimeNs next_look = 0;
  };

  void Look(pid_t pid, const SweepIndex& index, Python& python);
  static void NoteLook(const PythonProcess& process, const PythonGil& gil, const SweepIndex& index,
                       TimeNs at, GilBook& book);

  Reader& reader_;
  TimeNs begin_;
  std::map<pid_t, Python> pythons_;
  std::unordered_map<pid_t, TimeNs> asked_;  // by Follow, last
};

}  // namespace ct
