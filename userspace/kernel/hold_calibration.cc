#include "kernel/hold_calibration.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

#include <sys/stat.h>

// Written out: where the probe goes must be the instruction that is meant.
asm(R"(
  .text
  .globl ct_calibrate_emulated_acquire, ct_calibrate_emulated_release
  .globl ct_calibrate_stepped_acquire, ct_calibrate_stepped_release
  .type ct_calibrate_emulated_acquire, @function
ct_calibrate_emulated_acquire:
  push %rbp
  pop %rbp
  ret
  .size ct_calibrate_emulated_acquire, . - ct_calibrate_emulated_acquire
  .type ct_calibrate_emulated_release, @function
ct_calibrate_emulated_release:
  push %rbp
  pop %rbp
  ret
  .size ct_calibrate_emulated_release, . - ct_calibrate_emulated_release
  .type ct_calibrate_stepped_acquire, @function
ct_calibrate_stepped_acquire:
  mov %rdi, %rax
  ret
  .size ct_calibrate_stepped_acquire, . - ct_calibrate_stepped_acquire
  .type ct_calibrate_stepped_release, @function
ct_calibrate_stepped_release:
  mov %rdi, %rax
  ret
  .size ct_calibrate_stepped_release, . - ct_calibrate_stepped_release
)");

extern "C" {
void ct_calibrate_emulated_acquire(void* lock);
void ct_calibrate_emulated_release(void* lock);
void ct_calibrate_stepped_acquire(void* lock);
void ct_calibrate_stepped_release(void* lock);
}

namespace ct {
namespace {

using Function = void (*)(void*);

Result<ProbeSite> SiteOf(Function function, bool emulated) {
  const auto address = reinterpret_cast<std::uint64_t>(function);
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    unsigned long offset = 0;
    if (sscanf(line.c_str(), "%lx-%lx %*s %lx", &begin, &end, &offset) != 3) continue;
    if (address < begin || address >= end) continue;
    ProbeSite site;
    site.map_begin = begin;
    site.map_end = end;
    struct stat status {};
    if (stat("/proc/self/exe", &status) == 0) site.inode = status.st_ino;
    site.function_offset = site.entry_offset = address - begin + offset;
    site.entry_address = address;
    site.emulated = emulated;
    return site;
  }
  return Fail(ErrorCode::kUnsupported, "this program does not find itself in /proc/self/maps");
}

}  // namespace

Result<CalibrationPair> CalibrationProbes(bool emulated) {
  const auto acquire =
      SiteOf(emulated ? ct_calibrate_emulated_acquire : ct_calibrate_stepped_acquire, emulated);
  const auto release =
      SiteOf(emulated ? ct_calibrate_emulated_release : ct_calibrate_stepped_release, emulated);
  if (!acquire) return Fail(acquire.error());
  if (!release) return Fail(release.error());
  CalibrationPair pair;
  pair.acquire.family = emulated ? "calibration" : "stepped calibration";
  pair.acquire.owner.has_state = true;
  pair.release = pair.acquire;
  pair.release.role = HoldRole::kRelease;
  pair.acquire.site = *acquire;
  pair.release.site = *release;
  return pair;
}

DurationNs TimeCalibrationPair(bool emulated, int calls) {
  const Function acquire = emulated ? ct_calibrate_emulated_acquire : ct_calibrate_stepped_acquire;
  const Function release = emulated ? ct_calibrate_emulated_release : ct_calibrate_stepped_release;
  DurationNs best = kSecond;
  std::thread([&] {
    std::uint32_t lock = 0;
    for (int round = 0; round < kCalibrationRounds; ++round) {
      const TimeNs begin = MonotonicNow();
      for (int i = 0; i < calls; ++i) {
        acquire(&lock);
        release(&lock);
      }
      best = std::min(best, MonotonicNow() - begin);
    }
  }).join();
  return best / calls;
}

}  // namespace ct
