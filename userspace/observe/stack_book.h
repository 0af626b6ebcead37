// Stacks that are kept over many looks, each once, with the modules that their frames name.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "model/observation.h"

namespace ct {

class StackBook {
 public:
  using Id = std::uint32_t;

  explicit StackBook(std::size_t max_stacks) : max_stacks_(max_stacks) {}

  // The frames of `stack` name `modules`. nullopt: there is no room for another, or it has no
  // frames.
  std::optional<Id> Add(Stack stack, const std::vector<Module>& modules);
  [[nodiscard]] const Stack& stack(Id id) const { return stacks_[id]; }

 private:
  friend class StackRows;
  std::size_t max_stacks_;
  std::vector<Stack> stacks_;
  std::unordered_multimap<std::uint64_t, Id> by_hash_;
  std::vector<Module> modules_;
  std::map<Module, ModuleIndex> module_index_;
};

// Rows of an observation for stacks of a book: each stack that is asked for becomes one row.
class StackRows {
 public:
  StackRows(const StackBook& book, Observation& observation);
  // kNoIndex for nullopt.
  StackIndex Row(std::optional<StackBook::Id> id);

 private:
  const StackBook& book_;
  Observation& out_;
  std::map<StackBook::Id, StackIndex> rows_;
  std::map<Module, ModuleIndex> modules_;
};

}  // namespace ct
