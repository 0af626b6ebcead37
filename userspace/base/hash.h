// Hash combination for the keys of our maps.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ct {

// splitmix64's finalizer (public domain, Vigna): one multiply-xor round mixes well enough for
// unordered_map keys made of pids and addresses.
inline std::size_t HashCombine(std::size_t seed, std::uint64_t value) {
  std::uint64_t mixed = seed ^ (value + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2));
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
  return static_cast<std::size_t>(mixed ^ (mixed >> 31));
}

}  // namespace ct
