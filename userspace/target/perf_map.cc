#include "target/perf_map.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <sys/stat.h>

#include "target/byte_source.h"

namespace ct {
namespace {

constexpr std::uint64_t kMaxFile = 64 << 20;
constexpr std::size_t kMaxSymbols = 1 << 20;
constexpr std::size_t kMaxName = 1024;
constexpr DurationNs kLookInterval = 2 * kSecond;

bool TakeHex(std::string_view& text, std::uint64_t& value) {
  if (text.starts_with("0x")) text.remove_prefix(2);  // as OpenJDK writes them
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty() || text.front() != ' ') return false;
  text.remove_prefix(1);
  return true;
}

// The pid by which the process knows itself: the last one of "NSpid:" in /proc/PID/status.
std::string InnermostPid(const ProcDir& process) {
  constexpr std::size_t kMaxStatus = 16 << 10;
  const auto status = process.ReadFile("status", kMaxStatus);
  if (!status) return {};
  const std::size_t line = status->find("\nNSpid:");
  if (line == std::string::npos) return {};
  const std::size_t end = status->find('\n', line + 1);
  const std::string pids = status->substr(line, end - line);
  return pids.substr(pids.find_last_of("\t ") + 1);
}

}  // namespace

std::vector<JitSymbol> ParsePerfMap(std::string_view text, std::size_t limit) {
  std::vector<JitSymbol> symbols;
  while (!text.empty() && symbols.size() < limit) {
    const std::size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
    JitSymbol symbol;
    if (!TakeHex(line, symbol.begin) || !TakeHex(line, symbol.size) || line.empty()) continue;
    symbol.name = line.substr(0, kMaxName);
    symbols.push_back(std::move(symbol));
  }
  std::stable_sort(
      symbols.begin(), symbols.end(),
      [](const JitSymbol& left, const JitSymbol& right) { return left.begin < right.begin; });
  return symbols;
}

std::string PerfMap::Find(std::uint64_t pc, const ProcDir& process) {
  if (const TimeNs now = MonotonicNow(); now >= next_look_) {
    next_look_ = now + kLookInterval;
    Refresh(process);
  }
  auto after = std::upper_bound(
      symbols_.begin(), symbols_.end(), pc,
      [](std::uint64_t value, const JitSymbol& symbol) { return value < symbol.begin; });
  // Code that was thrown away stays in the map, so that an old symbol may cover a new one's start.
  constexpr int kMaxOverlapping = 16;
  for (int i = 0; i < kMaxOverlapping && after != symbols_.begin(); ++i) {
    --after;
    if (pc - after->begin < after->size) return after->name;
  }
  return {};
}

void PerfMap::Refresh(const ProcDir& process) {
  const std::string pid = InnermostPid(process);
  if (pid.empty()) return;
  auto fd = process.OpenBelowRoot(fmt::format("tmp/perf-{}.map", pid));
  if (!fd) return;
  struct stat status {};
  if (fstat(fd->get(), &status) != 0) return;
  const std::int64_t modified_ns = status.st_mtim.tv_sec * kSecond + status.st_mtim.tv_nsec;
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size == size_ && modified_ns == modified_ns_) return;
  size_ = size;
  modified_ns_ = modified_ns;
  symbols_.clear();
  auto source = FileSource::Open(std::move(*fd));
  if (!source) return;
  const auto bytes = source->ReadRange(0, source->size(), kMaxFile);
  if (!bytes) return;
  symbols_ =
      ParsePerfMap({reinterpret_cast<const char*>(bytes->data()), bytes->size()}, kMaxSymbols);
}

}  // namespace ct
