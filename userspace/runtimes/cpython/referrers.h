// Who refers to an object: frames, globals of modules, attributes of instances.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/gc_walk.h"
#include "runtimes/cpython/objects.h"
#include "runtimes/cpython/threads.h"

namespace ct::cpython {

struct Referrer {
  // A frame that is not over has it, or something that a loop or a queue will hand to one: it may
  // still be taken care of.
  bool live = false;
  // asyncio.wait() has it: its result will be handed on when the wait is over.
  bool waited_for = false;
  std::string name;  // "shop.jobs.pending", "workers of main()"; empty: nobody was found
};

using Referrers = std::unordered_map<Address, Referrer>;

class ReferrerFinder {
 public:
  ReferrerFinder(Heap& heap, FrameReader& frames, GcWalk& walk, Referrers& targets)
      : heap_(heap), frames_(frames), walk_(walk), targets_(targets) {}

  // `suspended`: generators and coroutines that have begun. False if not everything could be looked
  // at: then somebody else may refer to them, too.
  bool Find(const InterpreterView& interpreter, const std::vector<Address>& suspended);

 private:
  // Those of targets_ that are reached through an object.
  using Wanted = std::unordered_map<Address, std::vector<Address>>;
  // What objects of a type are, for one who looks for references.
  enum class Role : std::uint8_t { kNothing, kContainer, kCell, kClass, kOwner, kWillUse };

  void LookInFrame(const FrameView& frame);
  void LookInModules(Address interpreter);
  void LookInHeap(Address interpreter, const Wanted& wanted, Wanted& through);
  void LookInObject(Address object, Role role, const Wanted& wanted, Wanted& through);
  // All targets in a value or, through containers and iterators, behind it.
  std::vector<Address> Reach(Address value, int depth);
  void ReachInto(Address value, int depth, std::vector<Address>& found);
  [[nodiscard]] bool IsPassedThrough(const Type& type) const;
  Role RoleOf(Address type_address, Address object);
  std::vector<Address> Body(Address object, const Type& type);
  void Note(const Wanted& wanted, Address value, bool live, const std::string& name);
  bool Spend(std::uint64_t count);

  Heap& heap_;
  FrameReader& frames_;
  GcWalk& walk_;
  Referrers& targets_;
  std::unordered_set<Address> seen_;  // by Reach()
  std::unordered_set<Address> module_dicts_;
  std::unordered_map<Address, Role> roles_;  // by type
  std::uint64_t words_left_ = 32 << 20;      // references looked at
  std::uint64_t words_since_clock_ = 0;
  bool complete_ = true;
};

}  // namespace ct::cpython
