// Python's pools as resources: how many units they have, and who holds them.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "observe/python_callers.h"
#include "observe/python_graph.h"

namespace ct {

class PythonPools {
 public:
  // Both must outlive it.
  PythonPools(PythonGraph& graph, const PythonCallers& callers);

  // After all actors.
  void Add();

 private:
  struct Holder {
    ActorIndex actor = kNoIndex;
    const PythonUnitHolder* how = nullptr;
  };
  void Add(const PythonPool& pool);
  // Its likeliest holder becomes one; false if there is none.
  bool AddUnit(const PythonUnit& unit, ResourceIndex pool);
  [[nodiscard]] std::vector<Holder> HoldersOf(const PythonUnit& unit) const;
  StackIndex StackOf(const PythonUnitHolder& holder);
  [[nodiscard]] bool IsSteady(const PythonPool& pool) const;

  PythonGraph& graph_;
  const PythonCallers& callers_;
  std::unordered_map<std::uint64_t, const PythonTask*> tasks_;      // by address
  std::unordered_map<std::uint64_t, const PythonThread*> threads_;  // by address
};

}  // namespace ct
