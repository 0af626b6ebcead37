// Snapshot files on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "base/clock.h"
#include "base/result.h"

namespace ct {

// A snapshot of a whole host with 100,000 threads is some tens of MiB.
inline constexpr std::size_t kMaxSnapshotFileBytes = std::size_t{1} << 30;

// Writes all of `bytes` or nothing: a temporary file (mode 0600) in the same directory, synced,
// then renamed over `path`. Replaces a regular file; refuses to replace anything else (a symbolic
// link, a device, a directory). Errors name `path`.
Status WriteFile(const std::string& path, std::string_view bytes);

// The whole file: a regular one of at most kMaxSnapshotFileBytes. Never blocks on a FIFO.
Result<std::string> ReadFile(const std::string& path);

// "ct-db3-977-20261122T140923Z.pb"; without the pid if it is 0. `wall` is ns since the epoch. Of
// the host's name only letters, digits, '-', '_' and inner dots are taken.
std::string DefaultFileName(std::string_view host, pid_t pid, TimeNs wall);

}  // namespace ct
