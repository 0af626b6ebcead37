#include "observe/stack_book.h"

#include <functional>
#include <utility>

#include "base/hash.h"

namespace ct {
namespace {

std::uint64_t HashOf(const Stack& stack) {
  std::uint64_t hash = stack.frames.size();
  for (const Frame& frame : stack.frames) {
    hash = HashCombine(hash, frame.address);
    hash = HashCombine(hash, std::hash<std::string>()(frame.function));
  }
  return hash;
}

ModuleIndex IndexOf(const Module& module, std::map<Module, ModuleIndex>& index,
                    std::vector<Module>& rows) {
  const auto [entry, is_new] = index.try_emplace(module, static_cast<ModuleIndex>(rows.size()));
  if (is_new) rows.push_back(module);
  return entry->second;
}

}  // namespace

std::optional<StackBook::Id> StackBook::Add(Stack stack, const std::vector<Module>& modules) {
  if (stack.frames.empty()) return std::nullopt;
  for (Frame& frame : stack.frames) {
    const bool known = frame.module >= 0 && static_cast<std::size_t>(frame.module) < modules.size();
    frame.module =
        known ? IndexOf(modules[static_cast<std::size_t>(frame.module)], module_index_, modules_)
              : kNoIndex;
  }
  const std::uint64_t hash = HashOf(stack);
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto entry = first; entry != last; ++entry) {
    if (stacks_[entry->second] == stack) return entry->second;
  }
  if (stacks_.size() >= max_stacks_) return std::nullopt;
  const auto id = static_cast<Id>(stacks_.size());
  stacks_.push_back(std::move(stack));
  by_hash_.emplace(hash, id);
  return id;
}

StackRows::StackRows(const StackBook& book, Observation& observation)
    : book_(book), out_(observation) {
  for (std::size_t i = 0; i < out_.modules.size(); ++i) {
    modules_.emplace(out_.modules[i], static_cast<ModuleIndex>(i));
  }
}

StackIndex StackRows::Row(std::optional<StackBook::Id> id) {
  if (!id || *id >= book_.stacks_.size()) return kNoIndex;
  const auto [entry, is_new] = rows_.try_emplace(*id, static_cast<StackIndex>(out_.stacks.size()));
  if (!is_new) return entry->second;
  Stack stack = book_.stacks_[*id];
  for (Frame& frame : stack.frames) {
    if (frame.module == kNoIndex) continue;
    frame.module =
        IndexOf(book_.modules_[static_cast<std::size_t>(frame.module)], modules_, out_.modules);
  }
  out_.stacks.push_back(std::move(stack));
  return entry->second;
}

}  // namespace ct
