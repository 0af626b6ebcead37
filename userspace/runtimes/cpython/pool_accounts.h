// What a pool's own attributes say of its units: how many there may be, which are in use. Known by
// what attributes it has, not by the name of its class.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

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
};

// nullopt: not a pool that keeps account in a way that is known.
std::optional<PoolAccount> ReadPoolAccount(Heap& heap, Address pool);

// "Pool" or "Connector" at the end of its class's name.
bool IsPoolName(std::string_view type);

}  // namespace ct::cpython
