// glibc's struct __pthread_mutex_s: sysdeps/nptl/bits/struct_mutex.h and nptl/pthreadP.h, the same
// from 2.31 to 2.42 on x86-64.
#pragma once

#include <cstdint>
#include <string>

namespace ct {

constexpr std::uint32_t kTypeMask = 3;
constexpr std::uint32_t kKindRobust = 16;
constexpr std::uint32_t kKindInheritPriority = 32;
constexpr std::uint32_t kKindProtectPriority = 64;
constexpr std::uint32_t kKindShared = 128;
// PTHREAD_MUTEX_ELISION_NP and PTHREAD_MUTEX_NO_ELISION_NP; nothing above them is used.
constexpr std::uint32_t kKindBits = 0x3f3;

struct MutexImage {
  std::uint32_t lock;
  std::uint32_t count;  // of a recursive mutex
  std::uint32_t owner;
  std::uint32_t users;  // 0 while free: what tells a mutex from other words that happen to fit
  std::uint32_t kind;
};

// "pthread_mutex_t (recursive, robust)"
std::string MutexTypeName(std::uint32_t kind);

}  // namespace ct
