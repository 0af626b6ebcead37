#include "tests/unit/graph/observation_builder.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "model/names.h"

namespace ct::testing {

namespace {

template <class Named>
std::int32_t IndexOf(const std::vector<Named>& table, std::string_view name,
                     std::string Named::*member) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const Named& item) { return item.*member == name; });
  return found == table.end() ? kNoIndex : static_cast<std::int32_t>(found - table.begin());
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream{std::string(text)};
  for (std::string part; std::getline(stream, part, separator);) {
    const std::size_t first = part.find_first_not_of(" \t");
    if (first == std::string::npos) continue;
    parts.push_back(part.substr(first, part.find_last_not_of(" \t") - first + 1));
  }
  return parts;
}

void NotUnderstood(std::string_view what) { ADD_FAILURE() << "not understood: " << what; }

std::optional<std::uint32_t> Number(std::string_view text, std::string_view* rest) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  *rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<DurationNs> Duration(std::string_view text) {
  std::string_view unit;
  const auto value = Number(text, &unit);
  if (!value || (unit != "s" && unit != "ms")) return std::nullopt;
  return *value * (unit == "s" ? kSecond : kMillisecond);
}

class Parser {
 public:
  Observation Parse(std::string_view text) {
    builder_.Process("app");
    for (const std::string& line : Split(text, '\n')) ParseLine(line);
    return builder_.Build();
  }

 private:
  Observation& Built() { return builder_.observation; }

  void ParseLine(const std::string& line) {
    if (line == "closed") {
      Built().spaces.back().all_observed = true;
      return;
    }
    if (line.starts_with("process ")) {
      builder_.Process(line.substr(8));
      return;
    }
    const std::size_t colon = line.find(':');
    const std::string rest = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (line.starts_with("lock ")) {
      ParseLock(line.substr(5, colon - 5), rest);
      return;
    }
    if (line.starts_with("order ")) {
      ParseOrder(line.substr(6, colon - 6), rest);
      return;
    }
    const ActorIndex actor = builder_.Thread(line.substr(0, colon));
    for (const std::string& clause : Split(rest, ',')) ParseClause(actor, Split(clause, ' '));
  }

  void ParseLock(const std::string& name, const std::string& words) {
    Resource& lock = Built().resources[static_cast<std::size_t>(builder_.Lock(name))];
    for (const std::string& word : Split(words, ' ')) {
      std::string_view rest;
      if (word == "semaphore") {
        lock.kind = ResourceKind::kSemaphore;
      } else if (word == "condition") {
        lock.kind = ResourceKind::kCondition;
      } else if (word == "rwlock") {
        lock.kind = ResourceKind::kRwLock;
      } else if (word == "pool") {
        lock.kind = ResourceKind::kPool;
      } else if (word == "all") {
        lock.rule = ReleaseRule::kAllHolders;
      } else if (word == "unknown") {
        lock.holders_known = false;
      } else if (word == "moves") {
        lock.changed_hands = true;
      } else if (word == "exited") {
        lock.abandoned = Abandoned::kOwnerExited;
      } else if (word == "forked") {
        lock.abandoned = Abandoned::kInheritedOverFork;
      } else if (word == "unreferenced") {
        lock.abandoned = Abandoned::kUnreferenced;
        lock.holders_known = false;
      } else if (word == "reused") {
        lock.abandoned = Abandoned::kTidReused;
      } else if (word == "robust") {
        lock.type = "pthread_mutex_t (robust)";
      } else if (word.starts_with("capacity=")) {
        lock.capacity = Number(std::string_view(word).substr(9), &rest);
      } else if (word.starts_with("in_use=")) {
        lock.in_use = Number(std::string_view(word).substr(7), &rest);
      } else if (word.starts_with("high_water=")) {
        lock.high_water = Number(std::string_view(word).substr(11), &rest);
      } else if (word == "address") {
        lock.symbol.clear();
        lock.where = "heap";
      } else if (word.starts_with("idle=")) {
        lock.idle = Number(std::string_view(word).substr(5), &rest);
      } else if (word.starts_with("lost=")) {
        lock.lost_units.resize(Number(std::string_view(word).substr(5), &rest).value_or(0));
      } else {
        NotUnderstood(word);
      }
    }
    if (lock.abandoned != Abandoned::kNo) lock.abandoned_by = 77;
  }

  LockOrder& Order(const std::string& pair) {
    const std::size_t at = pair.find('>');
    const ProcessIndex process = builder_.CurrentProcess();
    const ResourceIndex held = builder_.Lock(pair.substr(0, at));
    const ResourceIndex wanted = builder_.Lock(pair.substr(at + 1));
    for (LockOrder& order : Built().hold_activity.orders) {
      if (order.held == held && order.wanted == wanted && order.process == process) return order;
    }
    Built().hold_activity.since = kNow - 60 * kSecond;
    return Built().hold_activity.orders.emplace_back(LockOrder{held, wanted, process, {}, false});
  }

  void ParseOrder(const std::string& pair, const std::string& words) {
    LockOrder& order = Order(pair);
    LockOrderSighting sighting;
    for (const std::string& word : Split(words, ' ')) {
      if (word == "more") {
        order.more_sightings = true;
      } else if (word.starts_with("guard=")) {
        sighting.guards.push_back(builder_.Lock(word.substr(6)));
      } else if (word.starts_with("reads=")) {
        if (word != "reads=wanted") sighting.held_mode = AccessMode::kShared;
        if (word != "reads=held") sighting.wanted_mode = AccessMode::kShared;
      } else {
        const ActorIndex actor = builder_.Thread(word);
        sighting.thread = Built().actors[static_cast<std::size_t>(actor)].id;
        sighting.thread_name = word;
        sighting.at = kNow - 5 * kSecond + static_cast<TimeNs>(order.sightings.size()) * kSecond;
        order.sightings.push_back(std::exchange(sighting, {}));
      }
    }
  }

  void ParseClause(ActorIndex actor, const std::vector<std::string>& words) {
    if (words.size() > 1 && words[0] == "holds") {
      ParseHold(builder_.Holds(actor, builder_.Lock(words[1])), words);
    } else if (words.size() > 1 && words[0] == "waits") {
      ParseWait(builder_.Waits(actor, builder_.Lock(words[1])), words);
    } else if (words.size() > 1 && words[0] == "joins") {
      ParseWait(Join(actor, words[1]), words);
    } else {
      ParseState(Built().actors[static_cast<std::size_t>(actor)], words[0]);
    }
  }

  Wait& Join(ActorIndex actor, const std::string& name) {
    const ActorIndex joined = builder_.Thread(name);
    const ResourceIndex life = builder_.Lock("exit-of-" + name);
    Resource& exit = Built().resources[static_cast<std::size_t>(life)];
    if (exit.kind != ResourceKind::kThreadExit) {
      exit.kind = ResourceKind::kThreadExit;
      builder_.Holds(joined, life);
    }
    Wait& wait = builder_.Waits(actor, life);
    wait.purpose = WaitPurpose::kJoin;
    wait.private_futex = false;
    return wait;
  }

  static void ParseHold(Hold& hold, const std::vector<std::string>& words) {
    for (std::size_t i = 2; i < words.size(); ++i) {
      if (words[i] == "probable") {
        hold.evidence = Evidence::kProbable;
      } else if (words[i] == "doubtful") {
        hold.evidence = Evidence::kUnknown;
      } else if (words[i] == "shared") {
        hold.mode = AccessMode::kShared;
      } else {
        NotUnderstood(words[i]);
      }
    }
  }

  static void ParseWait(Wait& wait, const std::vector<std::string>& words) {
    for (std::size_t i = 2; i < words.size(); ++i) {
      const std::string& word = words[i];
      if (word == "probable") {
        wait.evidence = Evidence::kProbable;
      } else if (word == "doubtful") {
        wait.evidence = Evidence::kUnknown;
      } else if (word == "still") {
        wait.continuity = Continuity::kStill;
      } else if (word == "woken") {
        wait.continuity = Continuity::kDidNotRun;
      } else if (word == "continued") {
        wait.continuity = Continuity::kContinued;
      } else if (word == "once") {
        wait.continuity = Continuity::kSeenOnce;
      } else if (word == "event") {
        wait.purpose = WaitPurpose::kEvent;
      } else if (word == "public") {
        wait.private_futex = false;
      } else if (word.starts_with("timed")) {
        wait.timed = true;
        if (word.size() > 6) wait.deadline = kNow + Duration(word.substr(6)).value_or(0);
      } else if (const auto age = Duration(word)) {
        wait.since = kNow - *age;
      } else {
        NotUnderstood(word);
      }
    }
  }

  static void ParseState(Actor& actor, const std::string& word) {
    if (word == "runs") {
      actor.state = RunState::kRunning;
    } else if (word == "runnable") {
      actor.state = RunState::kRunnable;
    } else if (word == "stopped") {
      actor.state = RunState::kStopped;
    } else if (word == "traced") {
      actor.state = RunState::kTraced;
    } else if (word == "frozen") {
      actor.state = RunState::kFrozen;
    } else if (word == "throttled") {
      actor.state = RunState::kThrottled;
    } else if (word == "uninterruptible") {
      actor.state = RunState::kUninterruptible;
    } else if (word.starts_with("ran=")) {
      actor.off_cpu_since = kNow - Duration(word.substr(4)).value_or(0);
    } else if (word == "signal") {
      actor.signal_may_interrupt = true;
    } else if (word == "task") {
      actor.kind = ActorKind::kTask;
      actor.task = 0x7000U + static_cast<std::uint64_t>(actor.id.tid);
    } else {
      NotUnderstood(word);
    }
  }

  ObservationBuilder builder_;
};

const std::string& Name(const Observation& observation, ActorIndex actor) {
  return observation.actors[static_cast<std::size_t>(actor)].name;
}

std::string Names(const Observation& observation, const std::vector<ActorIndex>& actors,
                  std::size_t from = 0) {
  std::string names;
  for (std::size_t i = from; i < actors.size(); ++i) {
    names += (i == from ? "" : " ") + Name(observation, actors[i]);
  }
  return names;
}

std::string Steps(const Observation& observation, const std::vector<RingStep>& steps) {
  std::string text;
  for (const RingStep& step : steps) {
    const Wait& wait = observation.waits[static_cast<std::size_t>(step.wait)];
    const Resource& lock = observation.resources[static_cast<std::size_t>(wait.resource)];
    if (!text.empty()) text += ' ';
    text += Name(observation, wait.actor) + ">" + lock.symbol;
  }
  return text;
}

std::string LockName(const Observation& observation, ResourceIndex index) {
  const Resource& lock = observation.resources[static_cast<std::size_t>(index)];
  return lock.symbol.empty() ? fmt::format("{:#x}", lock.id.address) : lock.symbol;
}

std::string EndingOf(const Finding& finding) {
  switch (finding.ending) {
    case Ending::kNever:
      return "never";
    case Ending::kUnlessSignalled:
      return "unless signalled";
    case Ending::kTimeout:
      return finding.ends_at ? "timeout in " + FormatDuration(*finding.ends_at - kNow) : "timeout";
    case Ending::kMayEnd:
      return "may end";
  }
  return "";
}

std::string Line(const Finding& finding, const Observation& observation) {
  std::string line =
      fmt::format("{} {}, {}, for {}", ToString(finding.kind), ToString(finding.evidence),
                  EndingOf(finding), FormatDuration(kNow - finding.since));
  if (!finding.orders.empty()) {
    line += " | " + Orders(observation, finding.orders);
  } else if (finding.ring.empty()) {
    line += " | " + Names(observation, finding.members) + " wait";
  } else {
    line += " | " + Steps(observation, finding.ring);
    if (finding.members.size() > finding.ring.size()) {
      line += " | with " + Names(observation, finding.members, finding.ring.size());
    }
  }
  if (!finding.chain.empty()) line += " | " + Steps(observation, finding.chain);
  if (finding.root != kNoIndex) line += " | root " + Name(observation, finding.root);
  if (!finding.blocked_behind.empty()) {
    line += " | behind " + Names(observation, finding.blocked_behind);
  }
  return line;
}

}  // namespace

std::string Orders(const Observation& observation, const std::vector<OrderStep>& steps) {
  std::string text;
  for (const OrderStep& step : steps) {
    const LockOrder& order = observation.hold_activity.orders[static_cast<std::size_t>(step.order)];
    text += fmt::format("{}{}>{} {}", text.empty() ? "" : ", ", LockName(observation, order.held),
                        LockName(observation, order.wanted),
                        order.sightings[static_cast<std::size_t>(step.sighting)].thread_name);
  }
  return text;
}

ObservationBuilder::ObservationBuilder() {
  observation.begin = kNow - 100 * kMillisecond;
  observation.end = kNow;
}

ProcessIndex ObservationBuilder::Process(std::string_view name) {
  process_ = IndexOf(observation.processes, name, &ct::Process::name);
  if (process_ != kNoIndex) return process_;
  process_ = static_cast<ProcessIndex>(observation.processes.size());
  ct::Process process;
  process.id = {static_cast<pid_t>(1000 * (process_ + 1)), kNow - 3600 * kSecond};
  process.name = name;
  process.space = static_cast<SpaceId>(process_ + 1);
  process.selected = true;
  observation.processes.push_back(process);
  observation.spaces.push_back({process.space, 0, false});
  return process_;
}

ActorIndex ObservationBuilder::Thread(std::string_view name) {
  if (process_ == kNoIndex) Process("app");
  if (const ActorIndex known = IndexOf(observation.actors, name, &Actor::name); known != kNoIndex) {
    return known;
  }
  const auto index = static_cast<ActorIndex>(observation.actors.size());
  Actor actor;
  actor.id = {1000 + index, kNow - 3600 * kSecond};
  actor.name = name;
  actor.process = process_;
  actor.state = RunState::kSleeping;
  actor.still = true;
  observation.actors.push_back(actor);
  return index;
}

ResourceIndex ObservationBuilder::Lock(std::string_view name) {
  if (const auto known = IndexOf(observation.resources, name, &Resource::symbol);
      known != kNoIndex) {
    return known;
  }
  const auto index = static_cast<ResourceIndex>(observation.resources.size());
  Resource lock;
  lock.kind = ResourceKind::kMutex;
  lock.type = "mutex";
  lock.symbol = name;
  lock.id.space = process_ == kNoIndex ? 1 : static_cast<SpaceId>(process_ + 1);
  lock.id.address = 0x5000 + 0x40 * static_cast<std::uint64_t>(index);
  lock.holders_known = true;
  observation.resources.push_back(lock);
  return index;
}

Wait& ObservationBuilder::Waits(ActorIndex actor, ResourceIndex resource) {
  Wait wait;
  wait.actor = actor;
  wait.resource = resource;
  wait.purpose = WaitPurpose::kAcquire;
  wait.evidence = Evidence::kCertain;
  wait.continuity = Continuity::kStill;
  wait.since = kNow - 10 * kSecond;
  wait.private_futex = true;
  observation.waits.push_back(wait);
  return observation.waits.back();
}

Hold& ObservationBuilder::Holds(ActorIndex actor, ResourceIndex resource) {
  Hold hold;
  hold.actor = actor;
  hold.resource = resource;
  hold.evidence = Evidence::kCertain;
  observation.holds.push_back(hold);
  return observation.holds.back();
}

Observation ObservationBuilder::Build() {
  for (Space& space : observation.spaces) space.threads = 0;
  for (const Actor& actor : observation.actors) {
    if (actor.kind == ActorKind::kThread) {
      ++observation.spaces[static_cast<std::size_t>(actor.process)].threads;
    }
  }
  for (ct::Process& process : observation.processes) {
    process.threads = observation.spaces[process.space - 1].threads;
  }
  return observation;
}

Observation Observe(std::string_view text) { return Parser().Parse(text); }

std::string Summary(const std::vector<Finding>& findings, const Observation& observation) {
  std::string text;
  for (const Finding& finding : findings) {
    if (!text.empty()) text += '\n';
    text += Line(finding, observation);
  }
  return text;
}

}  // namespace ct::testing
