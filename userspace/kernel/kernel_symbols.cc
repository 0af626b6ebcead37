#include "kernel/kernel_symbols.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <string_view>

namespace ct {

void KernelSymbols::Load() {
  loaded_ = true;
  std::ifstream file("/proc/kallsyms");
  std::string line;
  // "ffffffff81000000 T _text [module]"
  while (std::getline(file, line)) {
    std::uint64_t address = 0;
    const auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), address, 16);
    const std::size_t at = static_cast<std::size_t>(rest - line.data());
    if (error != std::errc() || address == 0 || line.size() < at + 4) continue;
    if (std::string_view("tTwW").find(line[at + 1]) == std::string_view::npos) continue;
    const std::size_t end = line.find_first_of(" \t", at + 3);
    functions_.emplace_back(address, line.substr(at + 3, end - (at + 3)));
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
