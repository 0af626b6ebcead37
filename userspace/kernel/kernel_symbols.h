// Names of kernel functions, from /proc/kallsyms.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace ct {

class KernelSymbols {
 public:
  // Reads /proc/kallsyms at the first use (about 20 ms for 200,000 symbols), never before.
  // Empty string: unknown, or addresses are hidden (kptr_restrict).
  std::string Name(std::uint64_t address);

 private:
  void Load();

  bool loaded_ = false;
  std::vector<std::pair<std::uint64_t, std::string>> functions_;  // sorted
};

}  // namespace ct
