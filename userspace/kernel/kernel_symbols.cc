#include "kernel/kernel_symbols.h"

#include <algorithm>
#include <cstdio>
#include <memory>

namespace ct {

void KernelSymbols::Load() {
  loaded_ = true;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen("/proc/kallsyms", "re"), &fclose);
  if (!file) return;
  char line[512];
  while (fgets(line, sizeof(line), file.get()) != nullptr) {
    unsigned long long address = 0;
    char kind = 0;
    char name[256];
    if (sscanf(line, "%llx %c %255s", &address, &kind, name) != 3 || address == 0) continue;
    if (kind == 't' || kind == 'T' || kind == 'w' || kind == 'W') {
      functions_.emplace_back(address, name);
    }
  }
  std::sort(functions_.begin(), functions_.end());
}

std::string KernelSymbols::Name(std::uint64_t address) {
  if (!loaded_) Load();
  const auto after = std::upper_bound(
      functions_.begin(), functions_.end(), address,
      [](std::uint64_t wanted, const auto& function) { return wanted < function.first; });
  if (after == functions_.begin()) return {};
  return std::prev(after)->second;
}

}  // namespace ct
