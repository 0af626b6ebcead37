#include "detect/describe.h"

#include <string_view>

#include <fmt/format.h>

#include "model/names.h"

namespace ct {

namespace {

// The scope that has no name says nothing to a reader.
std::string ShortSymbol(std::string symbol) {
  static constexpr std::string_view kAnonymous = "(anonymous namespace)::";
  for (std::size_t at; (at = symbol.find(kAnonymous)) != std::string::npos;) {
    symbol.erase(at, kAnonymous.size());
  }
  return symbol;
}

std::string Place(const Resource& resource) {
  std::string place = resource.id.shared ? fmt::format("offset {:#x}", resource.id.offset)
                                         : fmt::format("{:#x}", resource.id.address);
  if (!resource.where.empty()) place += fmt::format(" ({})", resource.where);
  return place;
}

std::string In(const Syscall& syscall) {
  if (syscall.name.empty()) return "";
  if (syscall.object.empty()) return fmt::format(" in {}", syscall.name);
  return fmt::format(" in {} on {}", syscall.name, syscall.object);
}

}  // namespace

std::string Describe::Actor(ActorIndex index) const {
  const ct::Actor& actor = graph_->actor(index);
  if (!actor.request.empty()) {
    return actor.client.empty() ? actor.request
                                : fmt::format("{} from {}", actor.request, actor.client);
  }
  if (actor.kind == ActorKind::kTask) return fmt::format("task {}", actor.name);
  return fmt::format("{} ({})", actor.name, actor.id.tid);
}

std::string Describe::Resource(ResourceIndex index) const {
  const ct::Resource& resource = graph_->resource(index);
  if (resource.kind == ResourceKind::kThreadExit && !graph_->HoldersOf(index).empty()) {
    return "the exit of " + Actor(graph_->hold(graph_->HoldersOf(index).front()).actor);
  }
  const std::string type = resource.type.empty() ? ToString(resource.kind) : resource.type;
  // A sleep is nobody's object.
  if (resource.kind == ResourceKind::kEventLoop && resource.symbol.empty()) return type;
  return fmt::format("{} {}", type,
                     resource.symbol.empty() ? Place(resource) : ShortSymbol(resource.symbol));
}

std::string Describe::Doing(ActorIndex index) const {
  const ct::Actor& actor = graph_->actor(index);
  switch (actor.state) {
    case RunState::kRunning:
      return "runs";
    case RunState::kRunnable:
      return "wants a CPU and gets none";
    case RunState::kStopped:
      return "is stopped";
    case RunState::kTraced:
      return "is stopped by a debugger";
    case RunState::kFrozen:
      return "is frozen with its cgroup";
    case RunState::kThrottled:
      return "is throttled: its cgroup is out of CPU quota";
    case RunState::kUninterruptible:
      return "is in uninterruptible sleep" + In(actor.syscall);
    case RunState::kExited:
      return "has exited";
    case RunState::kSleeping:
    case RunState::kUnknown:
      break;
  }
  if (const WaitIndex wait = graph_->WaitOf(index); wait != kNoIndex) {
    return "waits for " + Resource(graph_->wait(wait).resource);
  }
  return actor.state == RunState::kSleeping ? "sleeps" + In(actor.syscall)
                                            : "is in an unknown state";
}

std::string Describe::Doubt(Evidence evidence, const std::string& note) {
  if (evidence == Evidence::kCertain) return "";
  return fmt::format(" ({}{}{})", ToString(evidence), note.empty() ? "" : ": ", note);
}

}  // namespace ct
