// The model -> rows of a snapshot.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/finding.h"
#include "model/observation.h"
#include "snapshot/enums.h"

namespace ct {

class MessageBuilder {
 public:
  explicit MessageBuilder(pb::Snapshot& out) : out_(out) { Intern(""); }

  void Add(const Observation& observation);
  void Add(const Finding& finding);

 private:
  void AddMeta(const Observation& observation);
  void Add(const Module& module);
  void Add(const Stack& stack);
  void Add(const Space& space);
  void Add(const Process& process);
  void Add(const Actor& actor);
  void Add(const Resource& resource);
  void Add(const Wait& wait);
  void Add(const Hold& hold);
  void Add(const Use& use);
  void Add(const LockContention& lock);
  void Add(const GilContention& gil);
  void Add(const SwallowedException& exception);
  void Add(const NeverAwaited& coroutines);
  void Add(const EventLoop& loop);
  void Add(const LoopBlock& block);
  void Add(const LockOrder& order);
  void Add(const LongHold& hold);
  void Add(const ResourceHolds& holds);

  std::uint32_t Intern(std::string_view text);
  std::uint32_t Intern(const Frame& frame);
  std::uint32_t InternFunction(const Frame& frame);

  pb::Snapshot& out_;
  std::unordered_map<std::string, std::uint32_t> strings_;
  // Keyed by the serialized row: equal rows have equal bytes.
  std::unordered_map<std::string, std::uint32_t> functions_;
  std::unordered_map<std::string, std::uint32_t> frames_;
};

// kNoIndex is an absent field.
template <class Row>
void SetIndex(Row& row, void (Row::*set)(std::uint32_t), std::int32_t index) {
  if (index != kNoIndex) (row.*set)(static_cast<std::uint32_t>(index));
}

template <class Field>
void AddIndices(Field& field, const std::vector<std::int32_t>& indices) {
  for (const std::int32_t index : indices) field.Add(static_cast<std::uint32_t>(index));
}

inline void SetId(pb::ThreadId& out, const ThreadId& id) {
  out.set_tid(id.tid);
  out.set_start_ns(id.start_time);
}

}  // namespace ct
