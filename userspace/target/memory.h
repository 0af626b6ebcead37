// Memory of a live process, read from outside. The interface is what decoders and the unwinder
// take, so that tests feed them bytes without a process.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <type_traits>

#include <sys/types.h>

#include "base/unique_fd.h"

namespace ct {

class Memory {
 public:
  virtual ~Memory() = default;
  // Reads from `address` into `out`; returns how many bytes from the start were readable (0 if the
  // first page is not). Never throws, never blocks longer than the target's paging does: callers
  // run in a process that can be killed.
  virtual std::size_t Read(std::uint64_t address, std::span<std::byte> out) = 0;

  template <class T>
  std::optional<T> ReadValue(std::uint64_t address) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::array<std::byte, sizeof(T)> bytes;
    if (Read(address, bytes) != sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data(), sizeof(T));
    return value;
  }
  // A NUL-terminated string of at most `limit` bytes; nullopt if unreadable or not terminated.
  std::optional<std::string> ReadString(std::uint64_t address, std::size_t limit);
};

// /proc/PID/mem. Needs CAP_SYS_PTRACE (or the same user). Where process_vm_readv would sleep in the
// kernel until killed for a page that userfaultfd holds back, this fails at once (EIO): it asks for
// pages without leave to wait for a handler. Other paging (NFS, FUSE) it does wait for.
class ProcessMemory final : public Memory {
 public:
  explicit ProcessMemory(pid_t pid) : pid_(pid) {}
  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override;

 private:
  void Open();
  // `gone`: the file is of a memory that the process has no more.
  std::size_t ReadFile(std::uint64_t address, std::span<std::byte> out, bool& gone) const;

  pid_t pid_;
  UniqueFd file_;
};

}  // namespace ct
