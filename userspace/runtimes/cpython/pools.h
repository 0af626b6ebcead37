// Pools for a unit of which somebody waits: how many units there are, and who has them.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtimes/cpython/frames.h"
#include "runtimes/cpython/objects.h"
#include "runtimes/cpython/pool_accounts.h"
#include "runtimes/cpython/unit_search.h"

namespace ct::cpython {

class PoolReader {
 public:
  PoolReader(Heap& heap, FrameReader& frames, CodeCache& codes)
      : heap_(heap), frames_(frames), codes_(codes) {}

  // Of tasks and threads that were read with their waits and holds: adds the pools that they wait
  // for. Costs next to nothing where nobody waits for one.
  // `modules`: sys.modules of its interpreters.
  void Read(const std::vector<Address>& modules, PythonProcess& process);

 private:
  void IndexWaiters(const PythonProcess& process);
  void FindPool(const PythonProcess& process, PythonTask& task);
  // What it sleeps on, if a pool may be behind that; 0: nothing of the kind.
  Address PrimitiveOf(const PythonAwait& wait);
  void SetPool(PythonAwait& wait, Address pool);
  // The pool among the objects of a frame that keeps `primitive`; 0: none.
  Address PoolOf(const std::vector<PythonFrame>& frames, Address primitive);
  bool IsPool(Address object);
  bool Owns(Address pool, Address primitive);
  void AddOwned(Address value, int hops, int depth, std::unordered_set<Address>& owned);

  void FindUnits(const std::vector<Address>& modules, PythonProcess& process);
  Address UnitOf(Address object);
  void Search(const std::vector<PythonFrame>& frames, PythonUnitHolder holder, UnitSearch& search);
  void Keep(const std::vector<UnitSearch::Found>& found, PythonUnitHolder holder,
            const std::vector<PythonFrame>& frames, bool is_own);
  // Of the program itself, not of a library.
  bool IsOwn(const PythonFrame& frame);
  // Units that nobody has: which globals of the program still refer to them.
  void FindReferrers(const std::vector<Address>& modules, UnitSearch& search);
  std::string PathText(const std::string& global, const std::vector<Address>& path);
  PythonPool Describe(const PoolAccount& account, bool complete);

  Heap& heap_;
  FrameReader& frames_;
  CodeCache& codes_;
  std::unordered_map<Address, std::vector<std::size_t>> awaited_by_;  // task -> who waits for it
  std::unordered_map<Address, std::unordered_set<Address>> owned_;    // by object
  std::unordered_map<Address, PoolAccount> accounts_;
  std::vector<Address> pools_;                    // those that are waited for, in order
  std::unordered_map<Address, Address> units_;    // what stands for a unit -> the unit
  std::unordered_map<Address, Address> pool_of_;  // by unit
  std::unordered_map<Address, std::vector<PythonUnitHolder>> holders_;  // by unit
  std::unordered_map<Address, std::string> referrers_;                  // by unit
};

}  // namespace ct::cpython
