// Which of a process's waits are for a unit of a pool.
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtimes/cpython/circulation.h"
#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"
#include "runtimes/cpython/pool_accounts.h"

namespace ct::cpython {

class PoolFinder {
 public:
  PoolFinder(Heap& heap, FrameReader& frames, CodeCache& codes)
      : heap_(heap), frames_(frames), codes_(codes), circulation_(heap, frames, codes) {}

  // Writes it down in the waits, and in the frames that are the pool's own. Costs next to nothing
  // where nobody waits for a pool.
  void Find(PythonProcess& process);

  // Those that are waited for, in order.
  [[nodiscard]] const std::vector<Address>& pools() const { return pools_; }
  [[nodiscard]] const PoolAccount& AccountOf(Address pool) const { return accounts_.at(pool); }

 private:
  void IndexWaiters(const PythonProcess& process);
  // Of a task whose wait another one awaits, that one, too.
  void OfTask(PythonProcess& process, PythonTask& task);
  void OfThread(PythonThread& thread);
  // What it sleeps on, if a pool may be behind that; 0: nothing of the kind.
  Address PrimitiveOf(const PythonAwait& wait);
  // Marks, from the innermost frame on, those of the pool; false: none of the stack is another's.
  bool MarkFrames(Address pool, std::vector<PythonFrame>& frames);
  // A method of the pool, or the __enter__ of something that refers to it.
  bool IsOfPool(const FrameView& frame, Address pool);
  // The pool among the objects of a frame that keeps `primitive`; 0: none.
  Address PoolOf(const std::vector<PythonFrame>& frames, Address primitive);
  // By its account, or else by what its code does.
  Address PoolOf(const std::vector<PythonFrame>& frames, const PythonAwait& wait);
  bool KeepsAccount(Address object);
  bool Owns(Address pool, Address primitive);
  void AddOwned(Address value, int hops, int depth, std::unordered_set<Address>& owned);

  // Of those that keep no account: who has their units, and whether they are pools at all.
  void SettleInferred(PythonProcess& process);
  void Take(const std::vector<PythonFrame>& frames, PythonUnitHolder holder);
  void SetUnitType(PoolAccount& account);
  void Forget(const std::unordered_set<Address>& pools, PythonProcess& process);

  Heap& heap_;
  FrameReader& frames_;
  CodeCache& codes_;
  CirculationReader circulation_;
  std::unordered_map<Address, std::vector<std::size_t>> awaited_by_;  // task -> who waits for it
  std::unordered_map<Address, std::unordered_set<Address>> owned_;    // by object
  std::unordered_map<Address, PoolAccount> accounts_;
  std::vector<Address> pools_;
};

}  // namespace ct::cpython
