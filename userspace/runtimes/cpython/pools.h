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
#include "runtimes/cpython/pool_waits.h"
#include "runtimes/cpython/unit_search.h"

namespace ct::cpython {

class PoolReader {
 public:
  PoolReader(Heap& heap, FrameReader& frames, CodeCache& codes)
      : heap_(heap), frames_(frames), codes_(codes), finder_(heap, frames, codes) {}

  // Of tasks and threads that were read with their waits and holds: adds the pools that they wait
  // for. Costs next to nothing where nobody waits for one.
  // `modules`: sys.modules of its interpreters.
  void Read(const std::vector<Address>& modules, PythonProcess& process);

 private:
  void FindUnits(const std::vector<Address>& modules, PythonProcess& process);
  bool IsUnitOf(const PoolAccount& account, Address object);
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
  PoolFinder finder_;
  std::unordered_map<Address, Address> units_;    // what stands for a unit -> the unit
  std::unordered_map<Address, Address> pool_of_;  // by unit
  std::unordered_map<Address, std::vector<PythonUnitHolder>> holders_;  // by unit
  std::unordered_map<Address, std::string> referrers_;                  // by unit
};

}  // namespace ct::cpython
