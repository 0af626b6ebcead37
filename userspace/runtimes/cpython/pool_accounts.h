// What a pool's own attributes say of its units: how many there may be, which are in use. Known by
// what attributes it has, not by the name of its class.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "runtimes/cpython/objects.h"

namespace ct::cpython {

struct PoolAccount {
  Address pool = 0;
  std::string type;
  std::optional<std::uint32_t> capacity;
  std::uint32_t in_use = 0;
  std::unordered_set<Address> idle;
  std::uint32_t idle_count = 0;
  // Objects that stand for a unit in use (a connection, its proxy, its holder) -> the unit.
  std::unordered_map<Address, Address> units;
  // Set where the pool does not list its units in use: the attribute by which a unit says whose it
  // is.
  std::string_view back_reference;
  // It keeps no account (circulation.h): units that were taken, and who has each. Without any, he
  // has given it back and still refers to it.
  bool inferred = false;
  std::unordered_map<Address, std::vector<PythonUnitHolder>> taken;
  Address unit_type = 0;  // of all of them; 0: not known, or of no use to tell them by
};

// nullopt: not a pool that keeps account in a way that is known.
std::optional<PoolAccount> ReadPoolAccount(Heap& heap, Address pool);

// Of a pool that lists what is idle, in a container or a queue, and may say how many there are.
void ReadIdle(Heap& heap, Address container, PoolAccount& account);
void ReadCapacity(Heap& heap, PoolAccount& account);

// "Pool" or "Connector" at the end of its class's name.
bool IsPoolName(std::string_view type);

}  // namespace ct::cpython
