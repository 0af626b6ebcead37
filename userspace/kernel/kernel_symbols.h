// Names of kernel functions, by BCC's cache of /proc/kallsyms.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace ct {

class KernelSymbols {
 public:
  // Reads /proc/kallsyms at the first use (some 50 ms), never before. Empty string: unknown, or
  // addresses are hidden (kptr_restrict).
  std::string Name(std::uint64_t address);

 private:
  struct CacheDeleter {
    void operator()(void* cache) const;
  };
  std::unique_ptr<void, CacheDeleter> cache_;
};

}  // namespace ct
