// Pools that keep no account of what is in use, known by what their code does and by what the code
// of others does with them; not by any name of a class.
//
// A class may be one if, for one of its containers C, a method takes out of C and waits where it is
// empty, and another one puts into C and wakes who waits. So far it may as well be a queue of work.
// What makes it a pool is that what was taken comes back: there is a stack that keeps what such a
// method returned in a local variable, and whose code hands it to the other method on every way to
// its end that no exception takes; who does work does so only where it failed and shall be done
// again. A stack that is about to hand something in without taking anything out is somebody who
// makes work: then it is none.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "runtimes/cpython/names.h"
#include "runtimes/cpython/pool_accounts.h"

namespace ct::cpython {

class CirculationReader {
 public:
  CirculationReader(Heap& heap, FrameReader& frames, CodeCache& codes)
      : heap_(heap), frames_(frames), codes_(codes), names_(heap, frames, codes) {}

  // What may be a pool, by its class: the object in whose method a stack waits. 0: none.
  Address CandidateOf(const std::vector<PythonFrame>& stack, const PythonAwait& wait);

  // A unit that a frame has taken from a candidate.
  struct Taken {
    Address pool = 0;
    Address unit = 0;
    std::uint32_t frame = 0;  // index in the stack
    bool in_block = false;    // by a generator whose with-block that frame is in
    bool given_back = false;  // it still refers to what it has no more
  };
  // Of a stack, the outermost frame first. Notes, too, what tells pools from queues.
  std::vector<Taken> TakenBy(const std::vector<PythonFrame>& stack);

  // After all stacks; `units`: what was taken of it.
  [[nodiscard]] bool IsPool(Address candidate, const std::unordered_set<Address>& units) const;
  PoolAccount AccountOf(Address candidate);

 private:
  using Names = std::unordered_set<std::string>;
  // What the methods of a class do, by the attribute that they do it with.
  struct Class {
    std::unordered_map<std::string, Names> puts, removes, wakes;
    std::unordered_map<std::string, Names> calls;  // by method: others of its own
    Names resolves;                                // those that set the result of a future
  };
  struct Candidate {
    std::string container;
    Names takes, gives;  // methods
    [[nodiscard]] bool IsTakenBy(const Names& methods) const;
  };

  const Class& ClassOf(const Type& type);
  void ReadMethod(const std::string& name, Address function, Class& methods);
  // Its attribute that is, or has in it, what is waited on.
  std::string AttributeOf(Address object, const PythonAwait& wait);
  static Candidate Judge(const Class& methods, const Names& waiting, const std::string& attribute);
  static Names WithCallers(const Class& methods, Names called, const Names& except);
  void LookAt(const FrameView& view, std::uint32_t frame, bool in_block, std::vector<Taken>& taken);
  std::vector<Address> LocalsOf(const FrameView& view);

  Heap& heap_;
  FrameReader& frames_;
  CodeCache& codes_;
  NameReader names_;
  std::unordered_map<Address, Class> classes_;  // by type
  std::unordered_map<Address, Candidate> candidates_;
  // Objects that are no candidates for who waits on an object of theirs, or (0) on a future.
  std::set<std::pair<Address, Address>> none_;
  Names takes_, gives_;                  // of all candidates
  std::unordered_set<Address> returns_;  // candidates to which something comes back
  // A stack that is about to hand something in that it has not taken.
  struct Feed {
    Address pool = 0;
    std::vector<Address> locals;
  };
  std::vector<Feed> feeds_;
};

}  // namespace ct::cpython
