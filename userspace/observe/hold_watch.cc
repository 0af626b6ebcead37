#include "observe/hold_watch.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/syscall.h>

#include "observe/call_places.h"
#include "observe/hold_rows.h"
#include "reader/catalog_queries.h"

namespace ct {
namespace {

constexpr std::size_t kMaxStacks = 1 << 16;
// Up to 17 KiB each. What more there is stays in the ring buffer; what that has no room for is as
// if it had not been seen, and comes again.
constexpr std::size_t kMaxPending = 512;
constexpr DurationNs kReadingBudget = 40 * kMillisecond;  // of one step
// To the reader in one go.
constexpr std::size_t kMaxAtOnce = 16;
// A library that is loaded later has its probes soon after.
constexpr DurationNs kAskAgain = kSecond;
constexpr DurationNs kSuspectInterval = 100 * kMillisecond;
// x86's breakpoint; and the call that a kernel puts over a nop of its own choice (6.18).
constexpr char kBreakpoint = '\xcc';
constexpr char kCall = '\xe8';

// All CPU time of a process; it may be anybody's.
DurationNs CpuTimeOf(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) != 0) return 0;
  return time.tv_sec * kSecond + time.tv_nsec;
}

std::vector<std::string> NamesOf(const CatalogFamily& family) {
  std::vector<std::string> names;
  for (const CatalogFunction& function : family.functions) names.push_back(function.name);
  return names;
}

bool HasEnded(const UniqueFd& pidfd) {
  pollfd ended{pidfd.get(), POLLIN, 0};
  return poll(&ended, 1, 0) != 0;
}

}  // namespace

HoldWatch::HoldWatch(HoldTracer& tracer, Reader& reader, History& history, HoldOptions options)
    : tracer_(tracer),
      reader_(reader),
      history_(history),
      options_(std::move(options)),
      questions_(QueriesOf(options_.catalog).functions),
      begin_(MonotonicNow()),
      stacks_(kMaxStacks) {}

std::size_t HoldWatch::probes_armed() const {
  std::size_t count = 0;
  for (const auto& [pid, process] : processes_) {
    for (const auto& [name, family] : process.families) {
      if (!family.off) count += family.probes.size();
    }
  }
  return count;
}

void HoldWatch::TellOnce(Process& process, const std::string& line) {
  if (process.told.insert(line).second) lines_.push_back(line);
}

// --- which processes --------------------------------------------------------------------------

void HoldWatch::ForgetEnded(const std::unordered_set<pid_t>& pids) {
  for (auto entry = processes_.begin(); entry != processes_.end();) {
    const pid_t pid = entry->first;
    if (pids.contains(pid) && !HasEnded(entry->second.pidfd)) {
      ++entry;
      continue;
    }
    tracer_.Forget(pid);
    book_.ForgetProcess(pid);
    std::erase_if(objects_, [&](const auto& object) { return object.first.first == pid; });
    entry = processes_.erase(entry);
  }
}

Status HoldWatch::Select(const std::unordered_set<pid_t>& pids) {
  ForgetEnded(pids);
  if (pids.size() > kMaxProcesses) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("--holds follows {} processes at most, and {} match the filter: name "
                            "fewer",
                            kMaxProcesses, pids.size()));
  }
  for (const pid_t pid : pids) {
    auto found = processes_.find(pid);
    if (found == processes_.end()) {
      Process process{.pidfd = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))),
                      .asked_at = 0,
                      .families = {},
                      .functions = {},
                      .told = {},
                      .budget = HoldBudget(options_.max_overhead),
                      .given_up = {}};
      if (!process.pidfd.ok()) continue;  // it has ended
      found = processes_.emplace(pid, std::move(process)).first;
    }
    if (MonotonicNow() - found->second.asked_at >= kAskAgain) Arm(pid, found->second);
  }
  return {};
}

void HoldWatch::Arm(pid_t pid, Process& process) {
  const bool first = process.asked_at == 0;
  process.asked_at = MonotonicNow();
  ProcessToRead request;
  request.pid = pid;
  request.functions = questions_;
  request.want_frame_probe = first;
  const ProcessRead answer = reader_.Read(request);
  if (answer.frame_probe) {
    // Without it there are stacks of C.
    static_cast<void>(tracer_.SetPython(pid, *answer.frame_probe));
  }
  const ProbeSelection selection = SelectProbes(options_.catalog, answer.functions);
  std::size_t armed = 0;
  std::size_t families = 0;
  for (FamilyProbes family : selection.families) {
    const auto known = process.families.find(family.family);
    if (known != process.families.end() && known->second.off) continue;
    std::erase_if(family.probes, [&](const HoldProbe& probe) {
      return !process.functions.emplace(probe.site.inode, probe.site.function_offset).second;
    });
    if (family.probes.empty()) continue;
    ArmFamily(pid, process, family);
    armed += family.probes.size();
    ++families;
  }
  for (const CatalogFamily& family : options_.catalog) {
    const bool armed_before = process.families.contains(family.name);
    const bool refused =
        std::any_of(selection.refused.begin(), selection.refused.end(),
                    [&](const std::string& line) { return line.starts_with(family.name + ": "); });
    if (family.source != "--pool" || armed_before || refused) continue;
    TellOnce(process, fmt::format("process {} has no such functions: {} (--pool)", pid,
                                  fmt::join(NamesOf(family), ", ")));
  }
  for (const std::string& line : selection.refused) {
    TellOnce(process, fmt::format("process {}: {}", pid, line));
  }
  process.asked_at = MonotonicNow();
  if (armed > 0) {
    lines_.push_back(
        fmt::format("following acquires and releases of process {}: {} probes in {} "
                    "famil{}",
                    pid, armed, families, families == 1 ? "y" : "ies"));
  } else if (first) {
    lines_.push_back(
        fmt::format("process {} has none of the functions that the catalog knows so far (doctor "
                    "--probes -p {})",
                    pid, pid));
  }
}

void HoldWatch::ArmFamily(pid_t pid, Process& process, const FamilyProbes& family) {
  Family& armed = process.families[family.family];
  std::vector<ProbeId> ids;
  for (const HoldProbe& probe : family.probes) {
    const Result<ProbeId> id = tracer_.Arm(pid, probe);
    if (!id) {
      TellOnce(process, fmt::format("process {}: {}: {}", pid, family.family, id.error().message));
      continue;
    }
    ids.push_back(*id);
    armed.probes.push_back(*id);
    // A hot one shows at once.
    if (CheckBudget(pid, process) && armed.off) return;
  }
  if (!AreArmed(pid, ids)) {
    tracer_.Disarm(armed.probes);
    armed.off = true;
    const std::string line = fmt::format(
        "process {}: {}: the kernel took the probes and did not arm them", pid, family.family);
    process.given_up.push_back(line);
    TellOnce(process, line);
  }
}

// A probe on some instructions is taken by the kernel and never armed.
bool HoldWatch::AreArmed(pid_t pid, const std::vector<ProbeId>& probes) {
  ProcessToRead request;
  request.pid = pid;
  for (const ProbeId id : probes) {
    request.memory.push_back({tracer_.Probe(id).site.entry_address, 1});
  }
  const ProcessRead answer = reader_.Read(request);
  return std::none_of(answer.memory.begin(), answer.memory.end(), [](const MemoryCopy& copy) {
    return !copy.bytes.empty() && copy.bytes[0] != kBreakpoint && copy.bytes[0] != kCall;
  });
}

// --- what it costs ----------------------------------------------------------------------------

bool HoldWatch::CheckBudget(pid_t pid, Process& process) {
  const auto hits = tracer_.Hits();
  if (!hits) return false;
  std::vector<FamilyCost> costs;
  for (const auto& [name, family] : process.families) {
    if (family.off) continue;
    FamilyCost& cost = costs.emplace_back();
    cost.family = name;
    for (const ProbeId id : family.probes) {
      if (id >= hits->size()) continue;
      cost.calls += (*hits)[id].entries;
      cost.cost += CostOf(tracer_.costs(), tracer_.Probe(id), (*hits)[id]);
    }
  }
  const auto over = process.budget.Check(MonotonicNow(), CpuTimeOf(pid), costs);
  if (over) GiveUp(pid, process, *over);
  return over.has_value();
}

void HoldWatch::GiveUp(pid_t pid, Process& process, const OverBudget& over) {
  Family& family = process.families[over.family];
  family.off = true;
  tracer_.Disarm(family.probes);
  const std::string line = fmt::format(
      "{} of process {} is not followed any more: with {:.0f} calls a second the probes take "
      "{:.0f} % of its CPU time, more than {:g} % (--max-overhead)",
      over.family, pid, over.calls_a_second, 100 * over.share, 100 * options_.max_overhead);
  process.given_up.push_back(line);
  lines_.push_back(line);
}

// --- what is seen -----------------------------------------------------------------------------

Status HoldWatch::Step() {
  if (pending_.size() < kMaxPending) {
    if (Status status = tracer_.Receive(); !status) return status;
  }
  for (HoldEvent& event : tracer_.Take()) pending_.push_back(std::move(event));
  for (auto& [pid, process] : processes_) CheckBudget(pid, process);
  ReadPending();
  if (MonotonicNow() < next_suspects_) return {};
  next_suspects_ = MonotonicNow() + kSuspectInterval;
  return LookForSuspects();
}

void HoldWatch::ReadPending() {
  const TimeNs enough = MonotonicNow() + kReadingBudget;
  const auto has_ended = [](const HoldEvent& event) { return event.kind == HoldEventKind::kEnded; };
  std::vector<HoldEvent> events;
  while (!pending_.empty() && MonotonicNow() < enough) {
    // Those that follow each other: ends, or what one process did.
    events.clear();
    while (!pending_.empty() && events.size() < kMaxAtOnce) {
      const HoldEvent& next = pending_.front();
      if (!events.empty() && (has_ended(next) != has_ended(events.front()) ||
                              next.leader.tid != events.front().leader.tid)) {
        break;
      }
      events.push_back(std::move(pending_.front()));
      pending_.pop_front();
    }
    if (has_ended(events.front())) {
      NoteEnded(events);
    } else {
      Note(events);
    }
  }
  // Once for all: it looks through all orders. What was done with the locks that are there now is
  // told once more.
  if (!ended_.empty()) tracer_.ForgetOrders(ended_);
  ended_.clear();
}

void HoldWatch::NoteEnded(std::span<const HoldEvent> events) {
  std::vector<HoldKey> locks;
  for (const HoldEvent& event : events) {
    locks.push_back({event.space, event.wanted, event.leader.tid, 0});
    objects_.erase({event.leader.tid, event.wanted});
  }
  book_.ForgetLocks(locks);
  ended_.insert(ended_.end(), locks.begin(), locks.end());
}

void HoldWatch::Note(std::span<const HoldEvent> events) {
  const std::vector<Places> places = PlacesOf(events);
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto& [held_at, now_at] = places[i];
    if (events[i].kind == HoldEventKind::kOrder) {
      book_.NoteOrder(events[i], held_at, now_at);
    } else {
      book_.NoteLongHold(events[i], held_at, now_at);
    }
  }
  news_ = true;
}

// Where it took what it has: its registers of then, over the stack as it is now; what has returned
// since lies in the few bytes that were kept.
std::vector<HoldWatch::Places> HoldWatch::PlacesOf(std::span<const HoldEvent> events) {
  std::vector<PlaceToRead> to_read;
  for (const HoldEvent& event : events) {
    to_read.push_back({event.id.tid, event.ns_tid, &event.now});
    if (event.held.place) {
      to_read.push_back({event.id.tid, event.ns_tid, &*event.held.place, &event.now});
    }
  }
  const auto ids = ReadPlaces(reader_, events.front().leader.tid, to_read, stacks_);
  std::vector<Places> places(events.size());
  std::size_t next = 0;
  for (std::size_t i = 0; i < events.size(); ++i) {
    places[i].second = ids[next++];
    if (events[i].held.place) places[i].first = ids[next++];
  }
  return places;
}

Status HoldWatch::LookForSuspects() {
  const auto threads = tracer_.Threads();
  if (!threads) return Fail(threads.error());
  const TimeNs now = MonotonicNow();
  std::set<std::pair<HeldId, bool>> suspects;
  for (const ThreadHolds& thread : *threads) {
    if (!processes_.contains(thread.pid)) continue;
    for (const HeldObject& held : thread.held) {
      const ResourceKind kind = tracer_.Probe(held.probe).kind;
      const bool pool = kind == ResourceKind::kPool || kind == ResourceKind::kSemaphore;
      const bool asks = held.asking && pool && now - held.asked >= options_.long_wait;
      const bool has = !held.asking && now - held.since >= options_.long_hold;
      const bool quiet = asks && now - held.asked >= kQuietPool;
      if (asks || has) suspects.emplace(HeldId{thread.tid, held.address, held.asked}, quiet);
    }
  }
  if (suspects != suspects_) news_ = true;
  suspects_ = std::move(suspects);
  return {};
}

}  // namespace ct
