// From what the kernel keeps and sends of holds to the tracer's own words.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "bpf/wire.h"
#include "kernel/holds.h"

namespace ct {

// nullopt: the bytes are no such record.
std::optional<HoldEvent> ParseHoldEvent(std::span<const std::byte> bytes);
ThreadHolds ParseThreadHolds(pid_t tid, const ct_thread_holds& holds);
HoldCount ParseHoldCount(const ct_hold_key& key, const ct_hold_statistics& statistics);
// What the programs are told of a probe.
// `python`: the process is followed as one that runs Python.
ct_hold_probe DescribeProbe(pid_t pid, std::uint32_t family, const HoldProbe& probe, bool python);

}  // namespace ct
