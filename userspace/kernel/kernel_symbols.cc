#include "kernel/kernel_symbols.h"

#include <bcc/bcc_syms.h>

namespace ct {
namespace {

constexpr int kKernel = -1;  // bcc_syms.h: the cache of pid -1 is the kernel's

}  // namespace

void KernelSymbols::CacheDeleter::operator()(void* cache) const {
  bcc_free_symcache(cache, kKernel);
}

std::string KernelSymbols::Name(std::uint64_t address) {
  if (!cache_) cache_.reset(bcc_symcache_new(kKernel, nullptr));
  bcc_symbol symbol{};
  if (!cache_ || bcc_symcache_resolve_no_demangle(cache_.get(), address, &symbol) != 0) return {};
  return symbol.name != nullptr ? symbol.name : "";
}

}  // namespace ct
