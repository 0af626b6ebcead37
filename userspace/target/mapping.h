// /proc/PID/maps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ct {

// One line of /proc/PID/maps.
struct Mapping {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t file_offset = 0;
  std::uint64_t device = 0;  // makedev(major, minor); 0 with inode 0 = anonymous
  std::uint64_t inode = 0;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool shared = false;
  bool deleted = false;  // the kernel appended " (deleted)", which `path` does not contain
  std::string path;      // as the target names it; "[heap]", "[stack]", "[vdso]"; "" = anonymous
  [[nodiscard]] bool Contains(std::uint64_t address) const {
    return address >= begin && address < end;
  }
  [[nodiscard]] bool HasFile() const { return inode != 0; }
  bool operator==(const Mapping&) const = default;
};

// Lines that do not parse, and mappings that are empty or not in ascending order, are left out.
// At most `limit` mappings are returned.
std::vector<Mapping> ParseMaps(std::string_view text, std::size_t limit);

// Of mappings sorted by begin, the one that contains `address`; nullptr if none does.
const Mapping* FindMapping(const std::vector<Mapping>& mappings, std::uint64_t address);

}  // namespace ct
