// What a suspended task waits for, and until when.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtimes/cpython/anyio_scopes.h"
#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"

namespace ct::cpython {

class WaitReader {
 public:
  WaitReader(Heap& heap, FrameReader& frames) : heap_(heap), frames_(frames), scopes_(heap) {}

  // Whose tasks are described next: by its sys.modules.
  void SetInterpreter(Address modules) { scopes_.Find(modules); }
  // `frames` are those of the task, innermost first; task.frames has them with their holds.
  void Describe(Address future, const std::vector<FrameView>& frames, PythonTask& task);
  [[nodiscard]] bool IsDone(Address future);

 private:
  struct Waitable {
    Address object = 0;
    std::string attribute;
  };

  void FindDeadline(const std::vector<FrameView>& frames, PythonTask& task);
  // If the function was given a delay: when it began to wait until `when`.
  void NoteBegin(Address when, const std::vector<FrameView>& frames, std::size_t frame,
                 PythonTask& task);
  void LowerDeadline(Address when, std::size_t frame, PythonTask& task);
  bool IsGroup(Address future, PythonAwait& wait);
  bool IsFunctionOfAsyncio(Address future, const FrameView& innermost, PythonAwait& wait);
  bool IsObject(Address future, const std::vector<FrameView>& frames, PythonAwait& wait);
  bool IsForwarded(Address future, PythonTask& task);
  // Locks and conditions of anyio make an Event for each who waits: it is the lock that he waits
  // for.
  void FindOuterLock(const std::vector<FrameView>& frames, PythonAwait& wait);
  bool HasWeakReferences(Address object);
  // All references to it are the task's own, and a variable of its frames is one of them: who makes
  // a future in passing, to wait until somebody cancels him, means to.
  bool IsUnreferenced(Address future, const std::vector<FrameView>& frames);
  bool FollowClosure(Address callback, PythonTask& task);
  void SetPending(const std::vector<Address>& children, PythonAwaitKind kind, PythonAwait& wait);
  // The elements of a container, charged to the limit of all of them.
  std::vector<Address> Elements(Address container);
  // Remembers all futures that the object keeps.
  void Index(Address object);
  void IndexValue(Address object, const std::string& attribute, Address value, int depth);
  void IndexKeys(Address object, const std::string& attribute, Address dict);

  Heap& heap_;
  FrameReader& frames_;
  AnyioScopes scopes_;
  std::unordered_set<Address> indexed_;
  std::unordered_map<Address, Waitable> waitables_;  // by future
  std::uint64_t elements_left_ = 4 << 20;            // of containers and objects looked into
};

}  // namespace ct::cpython
