#include "observe/python_graph.h"

#include <cmath>
#include <span>
#include <unordered_set>

namespace ct {

std::optional<TimeNs> ToTime(double seconds) {
  constexpr double kLimit = 9e18;
  const double time = seconds * static_cast<double>(kSecond);
  if (!std::isfinite(time) || std::fabs(time) >= kLimit) return std::nullopt;
  return static_cast<TimeNs>(time);
}

PythonGraph::PythonGraph(const PythonLook& look, const PythonPlace& place, Observation& out)
    : look_(look), place_(place), out_(out), comparison_(look) {
  const bool known =
      place.process >= 0 && static_cast<std::size_t>(place.process) < out.processes.size();
  space_ = known ? out.processes[static_cast<std::size_t>(place.process)].space : 0;
  for (const PythonThread& thread : look.second.threads) {
    infos_.emplace(thread.native_id, place.thread ? place.thread(thread) : PythonThreadInfo{});
  }
  for (std::size_t i = 0; i < out.waits.size(); ++i) waits_.emplace(out.waits[i].actor, i);
  // Who waits for the GIL is known from the C frames, too.
  for (std::size_t i = 0; i < out.resources.size(); ++i) {
    const Resource& resource = out.resources[i];
    if (resource.kind != ResourceKind::kGil || resource.id.space != space_) continue;
    resources_.emplace(std::pair(resource.id.address, resource.type),
                       static_cast<ResourceIndex>(i));
  }
}

void PythonGraph::AddThread(const PythonThread& thread, ActorIndex actor) {
  threads_.emplace(thread.native_id, actor);
  idents_.emplace(thread.ident, actor);
}

ActorIndex PythonGraph::TaskAt(std::uint64_t address) const {
  const auto found = tasks_.find(address);
  return found != tasks_.end() ? found->second : kNoIndex;
}

ActorIndex PythonGraph::ThreadOf(pid_t native_id) const {
  const auto found = threads_.find(native_id);
  return found != threads_.end() ? found->second : kNoIndex;
}

ActorIndex PythonGraph::ThreadWithIdent(std::uint64_t ident) const {
  const auto found = idents_.find(ident);
  return found != idents_.end() ? found->second : kNoIndex;
}

const PythonThreadInfo& PythonGraph::InfoOf(pid_t native_id) const {
  static const PythonThreadInfo kNone;
  const auto found = infos_.find(native_id);
  return found != infos_.end() ? found->second : kNone;
}

std::optional<ResourceIndex> PythonGraph::FindResource(const PythonResource& from) const {
  const auto found = resources_.find(std::pair(from.address, from.type));
  return found != resources_.end() ? std::optional(found->second) : std::nullopt;
}

ResourceIndex PythonGraph::ResourceAt(const PythonResource& from) {
  const auto [entry, is_new] = resources_.try_emplace(
      std::pair(from.address, from.type), static_cast<ResourceIndex>(out_.resources.size()));
  if (!is_new) return entry->second;
  Resource resource;
  resource.kind = from.kind;
  resource.implementation = Implementation::kCpython;
  resource.id.space = space_;
  resource.id.address = from.address;
  resource.type = from.type;
  resource.rule = from.rule;
  out_.resources.push_back(std::move(resource));
  return entry->second;
}

StackIndex PythonGraph::AddStack(const std::vector<PythonFrame>& all, std::size_t innermost,
                                 bool truncated) {
  const auto frames = std::span(all).subspan(innermost);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> key;
  for (const PythonFrame& frame : frames) key.emplace_back(frame.code, frame.line);
  if (key.empty()) return kNoIndex;
  const auto [entry, is_new] = stacks_.try_emplace(std::pair(truncated, std::move(key)),
                                                   static_cast<StackIndex>(out_.stacks.size()));
  if (!is_new) return entry->second;
  Stack& stack = out_.stacks.emplace_back();
  stack.end = truncated ? StackEnd::kTooDeep : StackEnd::kComplete;
  for (const PythonFrame& frame : frames) stack.frames.push_back(FrameOf(look_.second, frame));
  return entry->second;
}

Wait* PythonGraph::WaitOf(ActorIndex actor) {
  const auto found = waits_.find(actor);
  return found != waits_.end() ? &out_.waits[found->second] : nullptr;
}

void PythonGraph::SetWait(Wait wait) {
  const auto [entry, is_new] = waits_.try_emplace(wait.actor, out_.waits.size());
  if (is_new) out_.waits.emplace_back();
  out_.waits[entry->second] = std::move(wait);
}

void PythonGraph::AddHold(ActorIndex actor, ResourceIndex resource, Evidence evidence,
                          std::string note, StackIndex acquired_at) {
  Hold hold;
  hold.actor = actor;
  hold.resource = resource;
  hold.evidence = evidence;
  hold.evidence_note = std::move(note);
  hold.acquired_at = acquired_at;
  out_.holds.push_back(std::move(hold));
  held_.emplace(resource, actor);
}

void PythonGraph::AddHoldsOf(const std::vector<PythonFrame>& frames, std::size_t index,
                             bool truncated, ActorIndex actor) {
  for (const PythonHold& hold : frames[index].holds) {
    auto held = HeldResource(hold);
    if (!held) continue;
    const ResourceIndex what = ResourceAt(held->resource);
    if (hold.bare) {
      Hold& later = bare_.emplace_back();
      later.actor = actor;
      later.resource = what;
      later.evidence = held->evidence;
      later.evidence_note = std::move(held->note);
      later.acquired_at = AddStack(frames, index, truncated);
      continue;
    }
    AddHold(actor, what, held->evidence, std::move(held->note), AddStack(frames, index, truncated));
    resource(what).holders_known = true;
  }
}

void PythonGraph::AddBareHolds() {
  std::unordered_set<ResourceIndex> known;
  for (const auto& [resource, holder] : held_) known.insert(resource);
  for (Hold& hold : bare_) {
    Resource& what = resource(hold.resource);
    if (what.kind == ResourceKind::kMutex && known.contains(hold.resource)) continue;
    what.holders_known = true;
    AddHold(hold.actor, hold.resource, hold.evidence, std::move(hold.evidence_note),
            hold.acquired_at);
  }
  bare_.clear();
}

}  // namespace ct
