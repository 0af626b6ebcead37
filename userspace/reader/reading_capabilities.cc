#include "reader/reading_capabilities.h"

#include <unistd.h>

#include <memory>

#include <sys/capability.h>

#include "base/capabilities.h"

namespace ct {
namespace {

struct Needed {
  cap_value_t capability;
  const char* name;
};

// Ptrace-read of any process, its root's and map_files' entries. CAP_CHECKPOINT_RESTORE opens
// /proc/PID/map_files since 5.9 (commit 12886f8ab10c); CAP_SYS_ADMIN did before.
std::vector<Needed> WhatReadingNeeds() {
  std::vector<Needed> needed = {{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
                                {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"}};
  if (CAP_IS_SUPPORTED(CAP_CHECKPOINT_RESTORE)) {
    needed.push_back({CAP_CHECKPOINT_RESTORE, "CAP_CHECKPOINT_RESTORE"});
  } else {
    needed.push_back({CAP_SYS_ADMIN, "CAP_SYS_ADMIN"});
  }
  return needed;
}

}  // namespace

std::vector<std::string> MissingReadingCapabilities() {
  std::vector<std::string> missing;
  if (geteuid() != 0) return missing;
  for (const auto& [capability, name] : WhatReadingNeeds()) {
    if (!HasCapability(capability)) missing.emplace_back(name);
  }
  return missing;
}

bool KeepOnlyReadingCapabilities() {
  const std::unique_ptr<std::remove_pointer_t<cap_t>, decltype(&cap_free)> keep(cap_init(),
                                                                                &cap_free);
  std::vector<cap_value_t> wanted;
  for (const Needed& needed : WhatReadingNeeds()) wanted.push_back(needed.capability);
  const int count = static_cast<int>(wanted.size());
  return keep && cap_set_flag(keep.get(), CAP_PERMITTED, count, wanted.data(), CAP_SET) == 0 &&
         cap_set_flag(keep.get(), CAP_EFFECTIVE, count, wanted.data(), CAP_SET) == 0 &&
         cap_set_proc(keep.get()) == 0;
}

}  // namespace ct
