// The part of an Observation that is of one Python process, while it is put together.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/observation.h"
#include "observe/python_builder.h"
#include "observe/python_look.h"
#include "observe/python_resources.h"

namespace ct {

// What of the clock of time.monotonic(), in seconds, is a TimeNs.
std::optional<TimeNs> ToTime(double seconds);

class PythonGraph {
 public:
  // All must outlive it.
  PythonGraph(const PythonLook& look, const PythonPlace& place, Observation& out);

  [[nodiscard]] const PythonLook& look() const { return look_; }
  [[nodiscard]] const PythonPlace& place() const { return place_; }
  [[nodiscard]] const PythonComparison& comparison() const { return comparison_; }
  [[nodiscard]] Observation& out() { return out_; }
  [[nodiscard]] Actor& actor(ActorIndex index) {
    return out_.actors[static_cast<std::size_t>(index)];
  }
  [[nodiscard]] Resource& resource(ResourceIndex index) {
    return out_.resources[static_cast<std::size_t>(index)];
  }

  void AddTask(const PythonTask& task, ActorIndex actor) { tasks_.emplace(task.address, actor); }
  void AddThread(const PythonThread& thread, ActorIndex actor);
  // kNoIndex if there is no such actor. A task that is shown as its caller is that one.
  [[nodiscard]] ActorIndex TaskAt(std::uint64_t address) const;
  [[nodiscard]] ActorIndex ThreadOf(pid_t native_id) const;
  [[nodiscard]] ActorIndex ThreadWithIdent(std::uint64_t ident) const;

  // What is known of a thread from elsewhere.
  [[nodiscard]] const PythonThreadInfo& InfoOf(pid_t native_id) const;

  ResourceIndex ResourceAt(const PythonResource& from);
  [[nodiscard]] std::optional<ResourceIndex> FindResource(const PythonResource& from) const;
  // Frames from the one with this index outward. Tasks come by the thousand, and most of them stand
  // where others do: equal stacks are one.
  StackIndex AddStack(const std::vector<PythonFrame>& frames, std::size_t innermost,
                      bool truncated);

  // nullptr if it has none. Valid until the next wait is added.
  Wait* WaitOf(ActorIndex actor);
  // Instead of the one that the actor has, if it has one.
  void SetWait(Wait wait);
  void AddHold(ActorIndex actor, ResourceIndex resource, Evidence evidence, std::string note,
               StackIndex acquired_at = kNoIndex);
  // Of with-blocks: everything that a frame of these holds and others may wait for. Those of bare
  // acquire() calls only once AddBareHolds() is called.
  void AddHoldsOf(const std::vector<PythonFrame>& frames, std::size_t index, bool truncated,
                  ActorIndex actor);
  // Where nothing more certain is known of who has the lock.
  void AddBareHolds();
  [[nodiscard]] bool IsHeld(ResourceIndex resource) const { return held_.contains(resource); }

 private:
  const PythonLook& look_;
  const PythonPlace& place_;
  Observation& out_;
  const PythonComparison comparison_;
  SpaceId space_ = 0;
  std::unordered_map<pid_t, PythonThreadInfo> infos_;    // by native id
  std::unordered_map<std::uint64_t, ActorIndex> tasks_;  // by address
  std::unordered_map<pid_t, ActorIndex> threads_;        // by native id
  std::unordered_map<std::uint64_t, ActorIndex> idents_;
  std::unordered_map<ActorIndex, std::size_t> waits_;
  std::unordered_map<ResourceIndex, ActorIndex> held_;  // by one of its holders
  std::vector<Hold> bare_;
  std::map<std::pair<bool, std::vector<std::pair<std::uint32_t, std::uint32_t>>>, StackIndex>
      stacks_;
  std::map<std::pair<std::uint64_t, std::string>, ResourceIndex> resources_;
};

}  // namespace ct
