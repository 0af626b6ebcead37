#include "observe/contention_report.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "observe/given_locks.h"
#include "observe/look.h"
#include "observe/process_row.h"

namespace ct {
namespace {

constexpr std::size_t kMaxStacks = 16;  // of a lock

// The rows with the longest waiting first.
template <class Row>
void SortByTotal(std::vector<Row>& rows) {
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.total > b.total; });
}

template <class Row>
void AddSum(Row& row, const ContentionLedger::Sum& sum) {
  row.waits += sum.waits;
  row.total += sum.total;
  row.max = std::max(row.max, sum.max);
}

class ReportBuilder {
 public:
  ReportBuilder(const ContentionInput& input, Observation& observation)
      : input_(input), out_(observation) {
    out_.contention.since = input.since;
    out_.contention.min_wait = input.min_wait;
    for (std::size_t i = 0; i < out_.processes.size(); ++i) {
      processes_.emplace(out_.processes[i].id.tid, static_cast<ProcessIndex>(i));
    }
    for (std::size_t i = 0; i < out_.resources.size(); ++i) {
      resources_.emplace(out_.resources[i].id, static_cast<ResourceIndex>(i));
      // What is known of it there is as it is now.
      const bool known = out_.resources[i].kind != ResourceKind::kFutex;
      described_.emplace_back(known ? Evidence::kCertain : Evidence::kUnknown);
    }
  }

  void Build() {
    for (const LockCount& count : input_.counts) {
      Row& row = RowOf(count.key, ProcessOf(count.key));
      row.lock->waits.Add(count.waits);
      row.lock->holds.Add(count.holds);
      row.by_waiters = row.by_waiters || IsLetGoByWaiters(count);
    }
    for (const auto& [key, lock] : input_.ledger.locks()) {
      // Of what was only seen waiting there is nothing to count: the sweep adds it below.
      if (!lock.long_waits || lock.long_waits->uncounted.waits == 0) continue;
      RowOf(key, input_.ledger.ProcessOf(key)).lock->waits.Add(lock.long_waits->uncounted);
    }
    AddWaiters();
    for (const auto& [key, lock] : input_.ledger.locks()) AddDetails(key, lock);
    Finish();
  }

 private:
  struct Row {
    LockContention* lock = nullptr;
    std::optional<Evidence> described;  // how well its purpose is known
    bool by_waiters = false;            // IsLetGoByWaiters
    std::map<StackId, WaitingStack> stacks;
    std::map<ThreadId, WaitingThread> threads;
    std::map<pid_t, Counterpart> releasers;
    std::map<pid_t, Counterpart> holders;
  };
  using RowKey = std::tuple<ResourceId, pid_t>;

  ProcessNames ProcessOf(const LockKey& key) {
    if (input_.ledger.Find(key) != nullptr) return input_.ledger.ProcessOf(key);
    ProcessNames process;
    process.id.tid = key.pid;
    for (const TaskSample& task : input_.sweep.tasks) {
      if (task.leader.tid != key.pid) continue;
      return {task.leader, task.ns_tgid, task.pid_ns, task.leader_comm};
    }
    return process;
  }

  ProcessIndex IndexOf(const ProcessNames& waiting, std::uint64_t space) {
    const auto [entry, is_new] =
        processes_.try_emplace(waiting.id.tid, static_cast<ProcessIndex>(out_.processes.size()));
    if (!is_new) return entry->second;
    const auto facts = input_.facts.find(waiting.id.tid);
    out_.processes.push_back(ProcessRow(waiting, input_.history.Space(space),
                                        facts == input_.facts.end() ? nullptr : &facts->second,
                                        true));
    return entry->second;
  }

  ResourceId IdOf(const LockKey& key, const ContentionLedger::Lock* lock) {
    if (lock != nullptr && lock->shared) return *lock->shared;
    ResourceId id;
    id.space = input_.history.Space(key.space);
    if (const auto gil = GilOf(key)) {
      id.address = *gil;
      return id;
    }
    id.address = lock != nullptr && lock->description != nullptr ? lock->object : key.address;
    return id;
  }

  Row& RowOf(const LockKey& key, const ProcessNames& process) {
    const ContentionLedger::Lock* lock = input_.ledger.Find(key);
    const ResourceId id = IdOf(key, lock);
    Row& row = rows_[RowKey(id, key.pid)];
    if (row.lock == nullptr) {
      row.lock = locks_.emplace_back(std::make_unique<LockContention>()).get();
      row.lock->process = IndexOf(process, key.space);
      row.lock->resource = ResourceOf(id);
    }
    if (GilOf(key)) {
      Describe(GilDescription(), row);
    } else if (lock != nullptr && lock->description != nullptr) {
      Describe(*lock->description, row);
    }
    return row;
  }

  std::optional<std::uint64_t> GilOf(const LockKey& key) const {
    return input_.gils == nullptr ? std::nullopt : input_.gils->GilOf(key);
  }

  // The interpreter says where it is; C frames that tell it may have no names.
  static ContentionLedger::Description GilDescription() {
    ContentionLedger::Description gil;
    gil.kind = ResourceKind::kGil;
    gil.implementation = Implementation::kCpython;
    gil.purpose = WaitPurpose::kAcquire;
    gil.evidence = Evidence::kCertain;
    gil.type = "GIL";
    return gil;
  }

  // Its futex call times out every switch interval, and the thread asks again: that is one wait.
  // How long one was is not known of the pieces.
  static void MergeTries(WaitTotals& waits) {
    const std::uint64_t tries = std::min(waits.timeouts, waits.waits);
    waits.waits = std::max<std::uint64_t>(waits.waits - tries, waits.waits == 0 ? 0 : 1);
    waits.timeouts = 0;
    waits.max = 0;
    waits.histogram = {};
  }

  // By the most certain of the readings of an object's words.
  void Describe(const ContentionLedger::Description& description, Row& row) {
    const Evidence evidence = description.evidence;
    if (!row.described || evidence > *row.described) {
      row.described = evidence;
      row.lock->purpose = description.purpose;
      row.lock->purpose_known = evidence != Evidence::kUnknown;
    }
    const auto index = static_cast<std::size_t>(row.lock->resource);
    std::optional<Evidence>& described = described_[index];
    if (described && evidence <= *described) return;
    described = evidence;
    Resource& resource = out_.resources[index];
    resource.kind = description.kind;
    resource.implementation = description.implementation;
    resource.type = description.type;
    resource.capacity = description.capacity;
    resource.symbol = description.symbol;
    resource.where = description.where;
  }

  ResourceIndex ResourceOf(const ResourceId& id) {
    const auto [entry, is_new] =
        resources_.try_emplace(id, static_cast<ResourceIndex>(out_.resources.size()));
    if (!is_new) return entry->second;
    Resource resource;
    resource.id = id;
    out_.resources.push_back(std::move(resource));
    described_.emplace_back();
    return entry->second;
  }

  // Who waits now, and for how long within the interval.
  void AddWaiters() {
    for (const TaskSample& task : input_.sweep.tasks) {
      const std::optional<std::uint64_t> word = FutexWordOf(task);
      if (!word || !input_.selected.contains(task.leader.tid)) continue;
      const LockKey key{task.space, *word, task.leader.tid};
      Row& row = RowOf(key, {task.leader, task.ns_tgid, task.pid_ns, task.leader_comm});
      ++row.lock->waiters;
      row.lock->waiting +=
          std::max<DurationNs>(0, input_.sweep.end - std::max(input_.since, task.off_cpu_since));
    }
  }

  void AddDetails(const LockKey& key, const ContentionLedger::Lock& lock) {
    const auto found = rows_.find(RowKey(IdOf(key, &lock), key.pid));
    if (found == rows_.end() || !lock.long_waits) return;
    Row& row = found->second;
    for (const auto& [id, sum] : lock.long_waits->stacks) AddSum(row.stacks[id], sum);
    for (const auto& [id, sum] : lock.long_waits->threads) {
      WaitingThread& thread = row.threads[id];
      thread.id = id;
      thread.name = CleanText(sum.name);
      AddSum(thread, sum);
    }
    AddCounterparts(lock.long_waits->releasers, row.releasers);
    AddCounterparts(lock.long_waits->holders, row.holders);
  }

  static void AddCounterparts(const std::map<pid_t, ContentionLedger::CounterpartSum>& from,
                              std::map<pid_t, Counterpart>& to) {
    for (const auto& [tid, sum] : from) {
      Counterpart& counterpart = to[tid];
      counterpart.tid = tid;
      counterpart.pid = sum.pid;
      counterpart.name = CleanText(sum.name);
      counterpart.waits += sum.waits;
      counterpart.total += sum.total;
    }
  }

  StackIndex IndexOf(StackId id) {
    const auto [entry, is_new] =
        stacks_.try_emplace(id, static_cast<StackIndex>(out_.stacks.size()));
    if (!is_new) return entry->second;
    Stack& stack = out_.stacks.emplace_back(input_.ledger.stack(id));
    for (Frame& frame : stack.frames) {
      if (frame.module != kNoIndex) frame.module = modules_[static_cast<std::size_t>(frame.module)];
    }
    return entry->second;
  }

  void AddModules() {
    std::map<Module, ModuleIndex> known;
    for (std::size_t i = 0; i < out_.modules.size(); ++i) {
      known.emplace(out_.modules[i], static_cast<ModuleIndex>(i));
    }
    for (const Module& module : input_.ledger.modules()) {
      const auto [entry, is_new] =
          known.try_emplace(module, static_cast<ModuleIndex>(out_.modules.size()));
      if (is_new) out_.modules.push_back(module);
      modules_.push_back(entry->second);
    }
  }

  void Finish() {
    AddModules();
    for (auto& [key, row] : rows_) {
      const Resource& resource = out_.resources[static_cast<std::size_t>(row.lock->resource)];
      if (row.by_waiters && MayBeASignal(resource.kind, resource.implementation)) {
        row.lock->purpose = WaitPurpose::kAcquire;
      }
      if (resource.kind == ResourceKind::kGil) MergeTries(row.lock->waits);
      for (auto& [id, thread] : row.threads) row.lock->threads.push_back(std::move(thread));
      for (auto& [tid, releaser] : row.releasers) {
        row.lock->releasers.push_back(std::move(releaser));
      }
      for (auto& [tid, holder] : row.holders) row.lock->holders.push_back(std::move(holder));
      // Only the stacks that stay get a place in the observation.
      std::vector<std::pair<StackId, WaitingStack>> stacks(row.stacks.begin(), row.stacks.end());
      std::stable_sort(stacks.begin(), stacks.end(), [](const auto& a, const auto& b) {
        return a.second.total > b.second.total;
      });
      if (stacks.size() > kMaxStacks) stacks.resize(kMaxStacks);
      for (auto& [id, stack] : stacks) {
        stack.stack = IndexOf(id);
        row.lock->stacks.push_back(stack);
      }
      SortByTotal(row.lock->threads);
      SortByTotal(row.lock->releasers);
      SortByTotal(row.lock->holders);
    }
    for (const auto& lock : locks_) out_.contention.locks.push_back(std::move(*lock));
    std::stable_sort(out_.contention.locks.begin(), out_.contention.locks.end(),
                     [](const LockContention& a, const LockContention& b) {
                       return a.waits.total + a.waiting > b.waits.total + b.waiting;
                     });
  }

  const ContentionInput& input_;
  Observation& out_;
  std::map<RowKey, Row> rows_;
  std::vector<std::unique_ptr<LockContention>> locks_;
  std::unordered_map<pid_t, ProcessIndex> processes_;
  std::map<ResourceId, ResourceIndex> resources_;
  std::vector<std::optional<Evidence>> described_;  // of out_.resources
  std::map<StackId, StackIndex> stacks_;
  std::vector<ModuleIndex> modules_;  // of the ledger's modules, in out_.modules
};

}  // namespace

void AddContention(const ContentionInput& input, Observation& observation) {
  ReportBuilder(input, observation).Build();
}

}  // namespace ct
