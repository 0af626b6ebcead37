#include "observe/python_forgotten.h"

#include <time.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

namespace ct {
namespace {

// Between the two readings: a loop that runs goes around many times meanwhile.
constexpr DurationNs kPause = 9 * kMillisecond;

class Builder {
 public:
  Builder(const PythonLook& look, ProcessIndex process, Observation& out)
      : look_(look), process_(process), out_(out) {}

  void Build() {
    AddFailures();
    AddUnawaited();
    SortRows();
    AddPythonLosses(look_, out_);
  }

 private:
  void AddFailures() {
    std::unordered_map<std::uint64_t, const PythonFailure*> before;
    for (const PythonFailure& failure : look_.first.failures) {
      before.emplace(failure.future, &failure);
    }
    for (const PythonFailure& failure : look_.second.failures) {
      const auto found = before.find(failure.future);
      if (found == before.end() || found->second->type != failure.type ||
          found->second->message != failure.message) {
        continue;
      }
      SwallowedException row;
      row.process = process_;
      row.future = failure.future;
      row.is_task = failure.is_task;
      row.name = failure.name;
      row.type = failure.type;
      row.message = failure.message;
      row.raised_at = AddStack(failure.raised);
      row.created_at = AddStack(failure.created);
      row.referrer = failure.referrer;
      const bool may_be = failure.may_be_asked_for || found->second->may_be_asked_for;
      row.evidence = may_be ? Evidence::kProbable : Evidence::kCertain;
      out_.swallowed_exceptions.push_back(std::move(row));
    }
  }

  void AddUnawaited() {
    std::set<std::pair<std::uint64_t, std::uint32_t>> before;  // coroutine, line
    for (const PythonUnawaited& row : look_.first.unawaited) {
      before.emplace(row.coroutine, row.line);
    }
    std::map<std::pair<StackIndex, std::string>, std::size_t> known;
    for (const PythonUnawaited& coroutine : look_.second.unawaited) {
      if (!before.contains({coroutine.coroutine, coroutine.line})) continue;
      PythonFrame begin;
      begin.code = coroutine.code;
      begin.line = coroutine.line;
      const StackIndex function = AddStack({begin});
      const auto [entry, is_new] =
          known.try_emplace({function, coroutine.referrer}, out_.never_awaited.size());
      if (is_new) {
        // Whoever has them could await them one day; nobody who runs or waits does so now.
        out_.never_awaited.push_back(
            {process_, function, 0, coroutine.referrer, Evidence::kProbable});
      }
      ++out_.never_awaited[entry->second].count;
    }
  }

  // Addresses are no order that a reader could follow, nor one that is the same in the next run.
  void SortRows() {
    std::stable_sort(out_.swallowed_exceptions.begin(), out_.swallowed_exceptions.end(),
                     [](const SwallowedException& a, const SwallowedException& b) {
                       return std::tie(a.type, a.name) < std::tie(b.type, b.name);
                     });
    const auto key = [this](const NeverAwaited& row) {
      const Frame& frame = out_.stacks[static_cast<std::size_t>(row.function)].frames.front();
      return std::tie(frame.function, frame.line, row.referrer);
    };
    std::stable_sort(out_.never_awaited.begin(), out_.never_awaited.end(),
                     [&](const NeverAwaited& a, const NeverAwaited& b) { return key(a) < key(b); });
  }

  StackIndex AddStack(const std::vector<PythonFrame>& frames) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> key;
    key.reserve(frames.size());
    for (const PythonFrame& frame : frames) key.emplace_back(frame.code, frame.line);
    if (key.empty()) return kNoIndex;
    const auto [entry, is_new] =
        stacks_.try_emplace(std::move(key), static_cast<StackIndex>(out_.stacks.size()));
    if (!is_new) return entry->second;
    Stack& stack = out_.stacks.emplace_back();
    stack.end = StackEnd::kComplete;
    for (const PythonFrame& from : frames) stack.frames.push_back(FrameOf(look_.second, from));
    return entry->second;
  }

  const PythonLook& look_;
  ProcessIndex process_;
  Observation& out_;
  std::map<std::vector<std::pair<std::uint32_t, std::uint32_t>>, StackIndex> stacks_;
};

// And missed nothing.
bool HasNothing(const PythonProcess& process) {
  return process.failures.empty() && process.unawaited.empty() && process.abandoned.empty() &&
         process.skips.empty();
}

}  // namespace

std::optional<PythonLook> LookForForgotten(Reader& reader, pid_t pid, TaskOrigins* origins,
                                           std::vector<Loss>& losses) {
  ProcessToRead request;
  request.pid = pid;
  request.want_forgotten = true;
  ProcessRead first = reader.Read(request);
  losses.insert(losses.end(), first.losses.begin(), first.losses.end());
  if (!first.python) return std::nullopt;
  const TimeNs begin = MonotonicNow();
  // Nearly always: no second look could confirm anything.
  if (HasNothing(*first.python)) {
    return PythonLook{*first.python, *first.python, begin, begin, begin};
  }
  const timespec pause{0, kPause};
  nanosleep(&pause, nullptr);
  const TimeNs second_begin = MonotonicNow();
  ProcessRead second = reader.Read(request);
  losses.insert(losses.end(), second.losses.begin(), second.losses.end());
  if (!second.python) return std::nullopt;
  if (origins != nullptr) origins->AddToFailures(pid, second_begin, *second.python);
  return PythonLook{std::move(*first.python), std::move(*second.python), begin, second_begin,
                    MonotonicNow()};
}

void AddForgotten(const PythonLook& look, ProcessIndex process, Observation& observation) {
  Builder(look, process, observation).Build();
  observation.searched_for_forgotten = true;
}

AbandonedLocks AbandonedIn(const PythonLook& look) {
  std::set<std::uint64_t> before;
  for (const PythonAbandonedLock& lock : look.first.abandoned) before.insert(lock.lock);
  AbandonedLocks locks;
  locks.at = look.begin;
  for (const PythonAbandonedLock& lock : look.second.abandoned) {
    if (!before.contains(lock.lock)) continue;
    std::string& takers = locks.takers[lock.lock];
    for (const PythonFrame& frame : lock.takers) {
      const PythonCode& code = look.second.CodeOf(frame);
      takers += fmt::format("{}{} {}:{}", takers.empty() ? "" : ", ", code.function,
                            code.file.substr(code.file.rfind('/') + 1), frame.line);
    }
  }
  return locks;
}

void AddAbandoned(const AbandonedLocks& locks, ProcessIndex process, Observation& observation) {
  if (locks.takers.empty() || process == kNoIndex) return;
  const SpaceId space = observation.processes[static_cast<std::size_t>(process)].space;
  std::set<ResourceIndex> held;
  for (const Hold& hold : observation.holds) held.insert(hold.resource);
  for (const Wait& wait : observation.waits) {
    Resource& resource = observation.resources[static_cast<std::size_t>(wait.resource)];
    if (wait.since > locks.at || held.contains(wait.resource) || resource.changed_hands) continue;
    if (resource.implementation != Implementation::kCpython ||
        resource.kind != ResourceKind::kMutex || resource.id.space != space) {
      continue;
    }
    const auto found = locks.takers.find(resource.id.address);
    if (found == locks.takers.end()) continue;
    resource.abandoned = Abandoned::kUnreferenced;
    if (!found->second.empty()) resource.where = "acquire() in " + found->second;
  }
}

}  // namespace ct
