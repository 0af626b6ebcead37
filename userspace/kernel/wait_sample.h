// From the wire records of finished waits and of locks to samples.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "bpf/wire.h"
#include "kernel/waits.h"

namespace ct {

// nullopt: the bytes are no such record.
std::optional<WaitSample> ParseWait(std::span<const std::byte> bytes);
LockCount ParseLock(const ct_lock_key& key, const ct_lock_statistics& statistics);

}  // namespace ct
