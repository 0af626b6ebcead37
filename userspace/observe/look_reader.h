// Whom to read in a look, and what to ask the reader process of them.
#pragma once

#include <unordered_map>
#include <vector>

#include "observe/look.h"
#include "reader/reader.h"

namespace ct {

// A sleeping thread: its stack, and what it waits for if that is a futex.
ThreadToRead ToRead(const TaskSample& task);

class LookReader {
 public:
  // Borrows `reader` for its lifetime. `all_waits`: idle threads too. `long_wait`: how old a wait
  // is for whose holder every stack is searched.
  LookReader(Reader& reader, bool all_waits, DurationNs long_wait);

  // Reads the locks of look.selected's waiters into look.readings, then those of their holders,
  // wherever these are, until nobody new is named; and the lines of all who are near a lock. What
  // is in look.readings already is not read again, except for the owners. `index` is of look.first.
  void ReadLocks(const SweepIndex& index, RawLook& look);
  // Reads again who owns the locks of look.readings; a wait whose lock cannot be confirmed is
  // forgotten.
  void RefreshOwners(const SweepIndex& index, RawLook& look);
  // Lock waiters, their holders, and everybody in a space where all wait.
  [[nodiscard]] std::vector<const TaskSample*> NearLocks(const SweepIndex& index,
                                                         const RawLook& look) const;
  // Adds the loss of those who are not asked again (NoteSick).
  void CountSick(const SweepIndex& index, RawLook& look);

 private:
  // A sleep of a thread that blocked the reader.
  struct Sleep {
    ThreadId id;
    std::uint64_t switches = 0;
  };
  enum class Detail { kLocks, kLines };

  // Threads of `tasks` are read (again, with lines, if they were read without).
  void ReadThreads(const SweepIndex& index, const std::vector<const TaskSample*>& tasks,
                   Detail detail, RawLook& look);
  std::vector<const TaskSample*> FirstSuspects(const RawLook& look) const;
  std::vector<const TaskSample*> HoldersOf(const SweepIndex& index, const RawLook& look) const;
  std::vector<const TaskSample*> SharedWaiters(const RawLook& look) const;
  std::vector<const TaskSample*> LockedInSpaces(const SweepIndex& index, const RawLook& look,
                                                const std::vector<const TaskSample*>& near) const;
  void FindReferrers(const SweepIndex& index, RawLook& look);
  void CheckSharedOwners(const SweepIndex& index, RawLook& look);
  static void TellLocksFromSignals(const SweepIndex& index, RawLook& look);
  void NoteSick(const SweepIndex& index, const ProcessRead& answer);
  bool IsSick(const TaskSample& task) const;

  Reader& reader_;
  bool all_waits_;
  DurationNs long_wait_;
  std::unordered_map<pid_t, Sleep> sick_;
};

}  // namespace ct
