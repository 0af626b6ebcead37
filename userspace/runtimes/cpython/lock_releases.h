// What the code of a program does with a lock outside of with-blocks: whether anything releases it
// that has not taken it first, and who takes it.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtimes/cpython/names.h"

namespace ct::cpython {

// By what names code can come to a lock.
struct LockNames {
  Address lock = 0;
  // Of attributes, of instances and modules and classes.
  std::unordered_set<std::string> attributes;
  // Short names of the classes whose instances have it, and of those that these derive from.
  std::unordered_set<std::string> classes;
  bool by_any_name = false;    // it is in a slot, or a class has it
  bool is_of_library = false;  // an object of a library has it
};

struct LockReleases {
  bool elsewhere = false;  // something may release it that has not taken it first
  bool paired = false;     // something releases it that has taken it just before
  // Who calls acquire() without a with-block, a few of them: those that name it, else those that
  // may be given it.
  std::vector<PythonFrame> takers;
  std::vector<PythonFrame> may_take;
};

class LockReleaseReader {
 public:
  LockReleaseReader(Heap& heap, FrameReader& frames, CodeCache& codes)
      : heap_(heap), names_(heap, frames, codes), codes_(codes) {}

  // A function's code with those of the functions inside of it, to be looked at.
  void Add(Address code, Address globals) { Add(code, globals, 0); }
  // An attribute that some class computes: it may be any lock.
  void AddProperty(const std::string& name) { properties_.insert(name); }
  // A class that looks for attributes elsewhere (__getattr__), by its short name.
  void AddProxy(const std::string& name) { proxies_.insert(name); }
  // False if there was more than is kept.
  [[nodiscard]] bool complete() const { return complete_; }

  LockReleases ReleasesOf(const LockNames& lock);
  // The frame has called acquire() on it, and nothing since as far as its code stands in order.
  bool MayHave(const FrameView& frame, Address lock);

 private:
  struct Function {
    Code* code = nullptr;
    Address globals = 0;
  };

  void Add(Address code, Address globals, int depth);
  bool NamesLocks(Address code);
  void Judge(const Function& function, const LockNames& lock, LockReleases& releases);
  // This access may be to the lock.
  bool MayBe(const Function& function, const NameAccess& access, const LockNames& lock);
  bool IsOfItsClass(const Code& code, const LockNames& lock);
  // Some are called on what has no name: what a function returned, an element of a container.
  bool HasNameless(const Code& code, std::size_t named);

  Heap& heap_;
  NameReader names_;
  CodeCache& codes_;
  std::unordered_set<Address> seen_;              // codes
  std::unordered_map<Address, bool> is_of_lock_;  // by name
  std::vector<Function> functions_;
  std::unordered_set<std::string> properties_;
  std::unordered_set<std::string> proxies_;
  bool complete_ = true;
};

}  // namespace ct::cpython
