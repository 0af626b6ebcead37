#include "reader/process_facts.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/syscall.h>

namespace ct {
namespace {

using File = std::unique_ptr<FILE, int (*)(FILE*)>;

File OpenProc(pid_t pid, std::string_view name) {
  return {fopen(fmt::format("/proc/{}/{}", pid, name).c_str(), "re"), &fclose};
}

std::string ReadLink(const std::string& path) {
  std::array<char, PATH_MAX> buffer;
  const ssize_t length = readlink(path.c_str(), buffer.data(), buffer.size());
  return length <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(length));
}

// Bounded: a /proc file that never ends (it cannot, but it is not ours) costs this many lines.
constexpr int kMaxLines = 100'000;
constexpr std::size_t kLineLength = 4096;

std::string ReadCgroup(pid_t pid) {
  const File file = OpenProc(pid, "cgroup");
  if (!file) return {};
  std::string best;
  std::array<char, kLineLength> line;
  for (int i = 0; i < kMaxLines && fgets(line.data(), line.size(), file.get()) != nullptr; ++i) {
    std::string_view text(line.data());
    while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
    // "0::/path" is cgroup v2; "N:name=systemd:/path" is where v1 hosts keep the unit.
    const bool unified = text.starts_with("0::");
    const bool systemd = text.find(":name=systemd:") != std::string_view::npos;
    if (!unified && !systemd) continue;
    const std::string path(
        text.substr(text.find('/') == std::string_view::npos ? text.size() : text.find('/')));
    if (path.size() > best.size()) best = path;
  }
  return best;
}

bool CatchesSignals(pid_t pid) {
  const File file = OpenProc(pid, "status");
  if (!file) return false;
  std::array<char, kLineLength> line;
  for (int i = 0; i < kMaxLines && fgets(line.data(), line.size(), file.get()) != nullptr; ++i) {
    unsigned long long caught = 0;
    if (sscanf(line.data(), "SigCgt: %llx", &caught) != 1) continue;
    // Handlers that say nothing about outside help: those for a program's own crashes (Rust, Go
    // and Java install them), and glibc's internal two (32 SIGCANCEL, 33 SIGSETXID).
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, 32, 33}) {
      caught &= ~(1ULL << (signal - 1));
    }
    return caught != 0;
  }
  return false;
}

std::string Ipv4(const char* hex) {
  in_addr address{};
  address.s_addr = static_cast<in_addr_t>(strtoul(hex, nullptr, 16));
  std::array<char, INET_ADDRSTRLEN> text;
  return inet_ntop(AF_INET, &address, text.data(), text.size()) != nullptr ? text.data() : "?";
}

std::string Ipv6(const char* hex) {
  in6_addr address{};
  for (std::size_t word = 0; word < 4; ++word) {
    const std::string part(hex + 8 * word, 8);
    address.s6_addr32[word] = static_cast<std::uint32_t>(strtoul(part.c_str(), nullptr, 16));
  }
  std::array<char, INET6_ADDRSTRLEN> text;
  return inet_ntop(AF_INET6, &address, text.data(), text.size()) != nullptr ? text.data() : "?";
}

// A TCP or UDP socket by inode, from the target's own network namespace: "10.0.0.4:5432", or
// "listening on :8080" without a peer. Empty: not in this table.
std::string FindInetSocket(pid_t pid, const char* table, unsigned long long inode) {
  const File file = OpenProc(pid, table);
  if (!file) return {};
  std::array<char, kLineLength> line;
  for (int i = 0; i < kMaxLines && fgets(line.data(), line.size(), file.get()) != nullptr; ++i) {
    char local[33] = {};
    char remote[33] = {};
    unsigned local_port = 0;
    unsigned remote_port = 0;
    unsigned long long found = 0;
    if (sscanf(line.data(), "%*d: %32[0-9A-F]:%X %32[0-9A-F]:%X %*X %*s %*s %*s %*u %*d %llu",
               local, &local_port, remote, &remote_port, &found) != 5 ||
        found != inode) {
      continue;
    }
    if (remote_port == 0) return fmt::format("listening on :{}", local_port);
    if (strlen(remote) == 8) return fmt::format("{}:{}", Ipv4(remote), remote_port);
    if (strlen(remote) == 32) return fmt::format("[{}]:{}", Ipv6(remote), remote_port);
  }
  return {};
}

std::string DescribeSocket(pid_t pid, unsigned long long inode) {
  for (const char* table : {"net/tcp", "net/tcp6", "net/udp", "net/udp6"}) {
    const std::string peer = FindInetSocket(pid, table, inode);
    if (!peer.empty()) return "socket " + peer;
  }
  const File file = OpenProc(pid, "net/unix");
  std::array<char, kLineLength> line;
  for (int i = 0; file && i < kMaxLines && fgets(line.data(), line.size(), file.get()); ++i) {
    unsigned long long found = 0;
    char path[256] = {};
    if (sscanf(line.data(), "%*s %*s %*s %*s %*s %*s %llu %255[^\n]", &found, path) >= 1 &&
        found == inode) {
      return path[0] != '\0' ? fmt::format("unix socket {}", path) : "unix socket";
    }
  }
  return "socket";
}

std::string DescribeFd(pid_t pid, std::uint64_t fd) {
  if (fd > INT_MAX) return {};
  const std::string target = ReadLink(fmt::format("/proc/{}/fd/{}", pid, fd));
  unsigned long long inode = 0;
  if (sscanf(target.c_str(), "socket:[%llu]", &inode) == 1) return DescribeSocket(pid, inode);
  if (target.starts_with("pipe:")) return "pipe";
  if (target.starts_with("anon_inode:")) return target.substr(strlen("anon_inode:"));
  return target.empty() ? std::string() : "file " + target;
}

std::optional<DurationNs> ReadTimespec(Memory& memory, std::uint64_t address) {
  struct Timespec {
    std::int64_t seconds;
    std::int64_t nanoseconds;
  };
  if (address == 0) return std::nullopt;
  const auto value = memory.ReadValue<Timespec>(address);
  constexpr std::int64_t kCentury = 100LL * 365 * 86400;
  if (!value || value->seconds < 0 || value->seconds > kCentury || value->nanoseconds < 0 ||
      value->nanoseconds >= kSecond) {
    return std::nullopt;
  }
  return value->seconds * kSecond + value->nanoseconds;
}

}  // namespace

ProcessFacts ReadProcessFacts(pid_t pid) {
  ProcessFacts facts;
  facts.executable = ReadLink(fmt::format("/proc/{}/exe", pid));
  facts.cgroup = ReadCgroup(pid);
  facts.catches_signals = CatchesSignals(pid);
  return facts;
}

std::string DescribeSyscallObject(pid_t pid, std::int64_t syscall,
                                  const std::array<std::uint64_t, 6>& arguments) {
  switch (syscall) {
    case SYS_read:
    case SYS_write:
    case SYS_readv:
    case SYS_writev:
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_accept:
    case SYS_accept4:
    case SYS_connect:
    case SYS_flock:
    case SYS_fcntl:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_ioctl:
    case SYS_fallocate:
      return DescribeFd(pid, arguments[0]);
    case SYS_wait4: {
      const auto child = static_cast<std::int32_t>(arguments[0]);
      return child > 0 ? fmt::format("process {}", child) : "any child process";
    }
    default:
      return {};
  }
}

std::optional<DurationNs> SyscallTimeout(std::int64_t syscall,
                                         const std::array<std::uint64_t, 6>& arguments,
                                         Memory& memory) {
  const auto milliseconds = [](std::uint64_t argument) -> std::optional<DurationNs> {
    const auto value = static_cast<std::int32_t>(argument);
    if (value < 0) return std::nullopt;
    return value * kMillisecond;
  };
  switch (syscall) {
    case SYS_nanosleep:
      return ReadTimespec(memory, arguments[0]);
    case SYS_clock_nanosleep: {
      // An absolute one cannot be told relative to when the call began, which is not known here.
      if ((arguments[1] & TIMER_ABSTIME) != 0) return std::nullopt;
      return ReadTimespec(memory, arguments[2]);
    }
    case SYS_poll:
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
      return milliseconds(syscall == SYS_poll ? arguments[2] : arguments[3]);
    case SYS_ppoll:
      return ReadTimespec(memory, arguments[2]);
    default:
      return std::nullopt;
  }
}

}  // namespace ct
