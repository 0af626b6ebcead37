// Who refers to locks that somebody waits for: by what names code can come to them, and whether
// something that is not code keeps them to release them.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "runtimes/cpython/gc_walk.h"
#include "runtimes/cpython/lock_releases.h"

namespace ct::cpython {

// A lock that is taken, and for which somebody waits.
struct WantedLock {
  LockNames names;
  bool may_be_had = false;     // somebody may have it, or something may release it
  std::uint64_t entering = 0;  // who waits for it in a with statement
  std::uint64_t exits = 0;     // objects that are its bound __exit__
  std::uint64_t references = 0;
};
using WantedLocks = std::unordered_map<Address, WantedLock>;

class LockReferenceReader {
 public:
  // `modules`: the interpreter's, by their names. All must outlive it.
  LockReferenceReader(Heap& heap, FrameReader& frames, GcWalk& walk, Address modules,
                      WantedLocks& wanted)
      : heap_(heap), frames_(frames), walk_(walk), modules_(modules), wanted_(wanted) {}

  // A frame that is not over.
  void AddFrame(const FrameView& frame) {
    frames_seen_.insert(frame.address);
    CountSlots(frame);
  }
  // All objects, when all such frames have been added; their functions are added to `code`. False
  // if not everything could be looked at.
  bool Find(Address interpreter, LockReleaseReader& code);

 private:
  // What objects of a type are, for one who looks for references.
  enum class Role : std::uint8_t {
    kNothing,
    kDict,
    kContainer,
    kCell,
    kFunction,
    kMethod,
    kBuiltinMethod,
    kInstance,
    kClass,
    kGenerator,
    kFrame,
    kGreenlet,
    kOther,
  };

  void Visit(Address object, Address type, LockReleaseReader& code);
  Role RoleOf(Address type_address, Address object);
  void CountSlots(const FrameView& frame);
  void Count(Address value);
  void LookAtDict(Address dict);
  void LookAtInstance(Address object);
  void LookAtClass(Address object, LockReleaseReader& code);
  void LookAtOther(Address object);
  void LookAtMethod(std::string_view name, Address self);
  void AddClass(const Type& type, WantedLock& wanted);
  bool IsOfLibrary(const Type& type);
  bool Spend(std::uint64_t count);

  Heap& heap_;
  FrameReader& frames_;
  GcWalk& walk_;
  Address modules_;
  WantedLocks& wanted_;
  std::unordered_set<Address> frames_seen_;
  std::unordered_map<Address, Role> roles_;  // by type
  std::uint64_t words_left_ = 32 << 20;      // references looked at
  std::uint64_t words_since_clock_ = 0;
};

}  // namespace ct::cpython
