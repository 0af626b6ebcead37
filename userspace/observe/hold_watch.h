// Holds as they happen: which processes' acquires and releases are followed, what that costs them,
// and what was seen.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"
#include "kernel/holds.h"
#include "model/observation.h"
#include "observe/history.h"
#include "observe/hold_book.h"
#include "observe/hold_budget.h"
#include "observe/hold_probes.h"
#include "observe/hold_rows.h"
#include "observe/look.h"
#include "observe/stack_book.h"
#include "probes/catalog.h"
#include "reader/reader.h"

namespace ct {

struct HoldOptions {
  std::vector<CatalogFamily> catalog;
  DurationNs long_hold = kSecond;  // as the tracer's
  DurationNs long_wait = kSecond;  // from which age on who asks a pool is worth a look
  double max_overhead = 0.02;      // of each process's CPU time
};

class HoldWatch {
 public:
  // Arming probes of more processes than that takes too long, and costs too many places too much.
  static constexpr std::size_t kMaxProcesses = 64;

  // Borrows all three for its lifetime.
  HoldWatch(HoldTracer& tracer, Reader& reader, History& history, HoldOptions options);

  // From now on these processes. Arms what is new; what has ended is forgotten. Errors of one
  // process are told by TakeLines and keep no other from being followed; kUnsupported: too many.
  Status Select(const std::unordered_set<pid_t>& pids);
  // Takes in what came, and looks at what it costs. To be called every interval().
  Status Step();
  [[nodiscard]] static constexpr DurationNs interval() { return 25 * kMillisecond; }

  // Something is to be told that was not there at the last call.
  bool TakeNews() { return std::exchange(news_, false); }
  // For the user: what is followed by now, what came off and why.
  std::vector<std::string> TakeLines() { return std::exchange(lines_, {}); }
  [[nodiscard]] std::size_t probes_armed() const;

  // Who has which lock now, as far as that was seen: whose stacks are worth reading in a look.
  SeenHolders Holders();

  // All that was seen so far, and who has and asks for what now: adds to an observation of the same
  // moment. Its actors are what it knows them as; threads that are none of them are left out.
  Status AddTo(Observation& observation);

 private:
  struct Family {
    std::vector<ProbeId> probes;
    bool off = false;
  };
  struct Process {
    UniqueFd pidfd;
    TimeNs asked_at = 0;
    std::map<std::string, Family> families;
    // What is armed already: inode and offset of functions.
    std::set<std::pair<std::uint64_t, std::uint64_t>> functions;
    std::set<std::string> told;  // lines about it that were told
    HoldBudget budget;
    std::vector<std::string> given_up;
  };
  // What is asked for, or held, by whom since when.
  using HeldId = std::tuple<pid_t, std::uint64_t, TimeNs>;

  void Arm(pid_t pid, Process& process);
  void ArmFamily(pid_t pid, Process& process, const FamilyProbes& family);
  bool AreArmed(pid_t pid, const std::vector<ProbeId>& probes);
  // True if something came off.
  bool CheckBudget(pid_t pid, Process& process);
  void GiveUp(pid_t pid, Process& process, const OverBudget& over);
  void TellOnce(Process& process, const std::string& line);
  void ForgetEnded(const std::unordered_set<pid_t>& pids);

  void ReadPending();
  void Note(std::span<const HoldEvent> events);
  void NoteEnded(std::span<const HoldEvent> events);
  // Where it took what it has, and where it asks for more or lets go.
  using Places = std::pair<std::optional<StackBook::Id>, std::optional<StackBook::Id>>;
  std::vector<Places> PlacesOf(std::span<const HoldEvent> events);
  void Confirm(std::vector<HeldNow>& held, const HoldCounts& counts, TimeNs now);
  void ForgetPlaces(const std::vector<HeldNow>& held, const std::vector<HeldNow>& asked);
  void FindPlaces(std::vector<HeldNow>& held);
  void ReadObjects(const std::vector<HeldNow>& held, const std::vector<HeldNow>& asked,
                   const HoldCounts& counts);
  Status AddLosses(Observation& observation);
  // Who asks a pool, or has something, for long: a change of those is news.
  Status LookForSuspects();

  HoldTracer& tracer_;
  Reader& reader_;
  History& history_;
  HoldOptions options_;
  std::vector<FunctionToFind> questions_;
  TimeNs begin_;
  std::unordered_map<pid_t, Process> processes_;
  std::deque<HoldEvent> pending_;
  std::vector<HoldKey> ended_;  // locks of which the tracer does not know it yet
  StackBook stacks_;
  HoldBook book_;
  // And whether it has been so for as long as kQuietPool.
  std::set<std::pair<HeldId, bool>> suspects_;
  TimeNs next_suspects_ = 0;
  std::map<HeldId, std::optional<StackBook::Id>> places_;  // where what is held now was acquired
  std::map<HeldId, TimeNs> seen_since_;  // what was seen held though nothing said since when
  std::map<std::pair<pid_t, std::uint64_t>, ObjectPlace> objects_;
  std::vector<std::string> lines_;
  bool news_ = false;
};

}  // namespace ct
