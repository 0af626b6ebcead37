// The numbers of kernel tracepoints, which tracefs tells.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace ct {

class Tracefs {
 public:
  // Where it is mounted; where it is not, a mount that only this object has (fsopen, Linux 5.2).
  // kPermission, kUnsupported.
  static Result<Tracefs> Open();

  // The id for perf_event_attr.config of "syscalls/sys_enter_futex"; nullopt: this kernel has none.
  [[nodiscard]] std::optional<std::uint64_t> EventId(const std::string& event) const;

 private:
  explicit Tracefs(UniqueFd root) : root_(std::move(root)) {}

  UniqueFd root_;
};

}  // namespace ct
