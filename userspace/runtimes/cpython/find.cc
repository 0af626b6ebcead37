#include "runtimes/cpython/find.h"

#include <array>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace ct::cpython {
namespace {

// The section of _PyRuntime (GENERATE_DEBUG_SECTION in pycore_runtime.h), which survives strip.
constexpr std::string_view kSection = ".PyRuntime";
constexpr std::string_view kCookie = "xdebugpy";  // _Py_Debug_Cookie, 3.13 and later
constexpr std::uint64_t kThreadInterp = 16;       // PyThreadState.interp, all versions

struct DebugHeader {
  std::array<char, 8> cookie;
  std::uint64_t version;
  std::uint64_t free_threaded;
};

std::string VersionText(std::uint64_t hex) {
  return fmt::format("{}.{}.{}", hex >> 24 & 0xff, hex >> 16 & 0xff, hex >> 8 & 0xff);
}

// The threads of the first interpreter name it as theirs: true of no other layout.
bool ThreadsBelongToInterpreter(Memory& memory, std::uint64_t runtime, const Offsets& offsets) {
  const auto interp = memory.ReadValue<std::uint64_t>(runtime + offsets.runtime_interpreters);
  if (!interp) return false;
  if (*interp == 0) return true;  // not initialized yet, or finalized
  const auto thread = memory.ReadValue<std::uint64_t>(*interp + offsets.interp_threads);
  return thread && memory.ReadValue<std::uint64_t>(*thread + kThreadInterp) == *interp;
}

// Symbols are asked only of files that may well define _PyRuntime: the executable and those that
// are called python. Other files, of which a process has hundreds, show it by their section.
bool MayDefineSymbol(const Mapping& mapping, bool is_first_file) {
  const std::string_view path = mapping.path;
  const std::string_view name = path.substr(path.rfind('/') + 1);
  return is_first_file || name.find("python") != std::string_view::npos;
}

}  // namespace

Result<Interpreter> IdentifyInterpreter(Memory& memory, std::uint64_t runtime,
                                        std::uint64_t version) {
  const auto header = memory.ReadValue<DebugHeader>(runtime);
  if (!header) return Fail(ErrorCode::kMalformed, "_PyRuntime is not readable");
  const bool has_header = std::string_view(header->cookie.data(), header->cookie.size()) == kCookie;
  if (has_header) version = header->version;
  if (version == 0) {
    return Fail(ErrorCode::kUnsupported, "CPython older than 3.11, or without its Py_Version");
  }
  if (version >> 32 != 0 || version >> 24 != 3) {
    return Fail(ErrorCode::kUnsupported, fmt::format("a Python of version {:#x}", version));
  }
  const std::uint32_t minor = version >> 16 & 0xff;
  const Offsets* offsets = OffsetsOf(minor);
  if (offsets == nullptr) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("CPython {}: 3.{} to 3.{} are known", VersionText(version),
                            KnownOffsets().front().minor, KnownOffsets().back().minor));
  }
  if (has_header && header->free_threaded != 0) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("CPython {}, free-threaded", VersionText(version)));
  }
  if (const Status status = CheckDebugOffsets(memory, runtime, *offsets); !status) {
    return Fail(status.error());
  }
  if (!ThreadsBelongToInterpreter(memory, runtime, *offsets)) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("CPython {} whose structures are not where they are known to be",
                            VersionText(version)));
  }
  return Interpreter{runtime, static_cast<std::uint32_t>(version), offsets};
}

Result<std::optional<Interpreter>> FindInterpreter(Target& target) {
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  for (const Mapping& mapping : target.mappings()) {
    if (!mapping.HasFile() || !seen.insert({mapping.device, mapping.inode}).second) continue;
    const bool may_define = MayDefineSymbol(mapping, seen.size() == 1);
    auto runtime = may_define ? target.ObjectNamed(mapping, "_PyRuntime") : std::nullopt;
    if (!runtime) runtime = target.SectionNamed(mapping, kSection);
    if (!runtime) continue;
    const auto symbol = may_define ? target.ObjectNamed(mapping, "Py_Version") : std::nullopt;
    const auto version = symbol ? target.memory().ReadValue<std::uint64_t>(*symbol) : std::nullopt;
    auto found = IdentifyInterpreter(target.memory(), *runtime, version.value_or(0));
    if (!found) return Fail(found.error());
    return *found;
  }
  return std::nullopt;
}

}  // namespace ct::cpython
