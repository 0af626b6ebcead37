// The cancel scopes of anyio (move_on_after(), fail_after(), CancelScope): their timeouts also end
// what the tasks wait for that a group inside of them has started.
#pragma once

#include <unordered_map>

#include "runtimes/cpython/objects.h"
#include "runtimes/python_process.h"

namespace ct::cpython {

class AnyioScopes {
 public:
  explicit AnyioScopes(Heap& heap) : heap_(heap) {}

  // Of the interpreter with this sys.modules.
  void Find(Address modules);
  // Lowers the deadline of a task with its frames and holds to that of the scopes that it is in.
  void LowerDeadline(PythonTask& task);

 private:
  // The outermost frame where the scope is another task's.
  std::uint32_t FrameOf(Address scope, const PythonTask& task);

  Heap& heap_;
  std::unordered_map<Address, Address> scope_of_;  // the innermost one, by task
  std::uint64_t scopes_left_ = 1 << 20;            // of all tasks together
};

}  // namespace ct::cpython
