// From what a stack refers to, attribute by attribute, to the units of pools.
#pragma once

#include <cstdint>
#include <functional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"

namespace ct::cpython {

class UnitSearch {
 public:
  // The unit that an object is, or stands for; 0: none.
  using UnitOf = std::function<Address(Address object)>;

  // What is in `barred` is never gone through: pools themselves. Nor are coroutines whose frames
  // are in `stacks`: they belong to somebody's stack.
  UnitSearch(Heap& heap, FrameReader& frames, UnitOf unit_of,
             const std::unordered_set<Address>& barred, const std::unordered_set<Address>& stacks)
      : heap_(heap),
        frames_(frames),
        unit_of_(std::move(unit_of)),
        barred_(barred),
        stacks_(stacks) {}

  struct Root {
    Address object = 0;
    std::uint32_t frame = 0;
  };
  struct Found {
    Address unit = 0;
    std::uint32_t frame = 0;
    std::uint32_t hops = 0;
    std::vector<Address> path;  // the objects on the way, the root's first
  };
  // Breadth first: each unit once, by the shortest way; of several that are as short, by the first
  // root's.
  std::vector<Found> From(const std::vector<Root>& roots);

  // False once something was left out: a container too long, or the limit of all searches reached.
  [[nodiscard]] bool complete() const { return complete_; }

 private:
  struct Step {
    Address object = 0;
    std::uint32_t frame = 0;
    std::uint32_t hops = 0;
    std::size_t from = 0;  // its index in queue_; its own: a root
  };
  std::vector<Address> PathTo(std::size_t step) const;
  // Queues what `value` refers to, at `hops`; containers, methods, generators and the like are gone
  // through at once.
  void Visit(Address value, std::uint32_t frame, std::uint32_t hops, int depth);
  void VisitElements(Address container, std::uint32_t frame, std::uint32_t hops, int depth);
  void VisitGenerator(Address generator, std::uint32_t frame, std::uint32_t hops, int depth);
  bool IsBarred(Address object, const Type& type) const;

  Heap& heap_;
  FrameReader& frames_;
  UnitOf unit_of_;
  const std::unordered_set<Address>& barred_;
  const std::unordered_set<Address>& stacks_;

  std::vector<Step> queue_;  // of the current search
  std::size_t from_ = 0;     // the step that is being followed
  std::unordered_set<Address> seen_;
  // Objects from which no unit can be reached within this many hops.
  std::unordered_map<Address, std::uint32_t> barren_;
  std::uint64_t nodes_left_ = 1 << 20;  // of all searches together
  std::uint64_t nodes_of_search_ = 0;
  bool complete_ = true;
};

}  // namespace ct::cpython
