#include "model/own_frame.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "model/function_name.h"

namespace ct {
namespace {

constexpr std::size_t kMaxName = 96;  // bytes of a function or file name in one line

// File names of shared objects, up to a version: "libc.so.6", "libc-2.31.so".
constexpr auto kFrameworkModules = std::to_array<std::string_view>({
    "libc.so",  "libc-2.",  "libc.musl", "libpthread", "libstdc++", "libc++.so",  "libc++abi",
    "libgcc_s", "ld-linux", "ld-2.",     "ld-musl",    "libm.so",   "linux-vdso", "[vdso]",
    "libasan",  "libtsan",  "libubsan",  "libjvm.so",  "libstd-",   "libpython",  "python3",
});

// Where Python keeps the C part of its standard library.
constexpr std::string_view kPythonExtensions = "/lib-dynload/";

// Functions, where framework code is linked into the program itself.
constexpr auto kFrameworkPrefixes = std::to_array<std::string_view>({
    "std::",        "__gnu_cxx::",   "__gthread",
    "__cxa_",       "__libc_",       "__pthread",
    "__lll_",       "___pthread",    "__futex",
    "__sem_",       "__new_sem",     "pthread_",
    "sem_wait",     "sem_timedwait", "futex_",
    "lll_",         "__invoke",      "__GI_",
    "__cxxabiv1::", "absl::",        "core::",
    "alloc::",      "<std::",        "<core::",
    "<alloc::",     "parking_lot::", "parking_lot_core::",
    "lock_api::",   "<lock_api::",   "<parking_lot::",
    "__rust_",      "std_detail::",  "runtime.",
    "sync.",        "internal/",     "__interceptor_",
    "__tsan",       "__asan",        "__sanitizer",
});

constexpr auto kFrameworkFunctions = std::to_array<std::string_view>({
    "start_thread",
    "clone",
    "clone3",
    "__clone",
    "__clone3",
    "_start",
    "syscall",
    "pause",
    "rust_begin_unwind",
    // musl, whose programs are static: its system call and waiting functions
    "sccp",
    "cp_begin",
    "cp_end",
    "start",
    "timedwait",
    "__timedwait",
    "__timedwait_cp",
    "__wait",
    "__syscall_cp",
    "__syscall_cp_asm",
    "__syscall_cp_c",
    "mtx_lock",
    "cnd_wait",
});

constexpr auto kSystemDirectories = std::to_array<std::string_view>({
    "/usr/lib/",
    "/usr/lib64/",
    "/lib/",
    "/lib64/",
});

std::string_view BaseName(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

const Module* ModuleOf(const Frame& frame, const Observation& observation) {
  if (frame.module < 0) return nullptr;
  const auto index = static_cast<std::size_t>(frame.module);
  return index < observation.modules.size() ? &observation.modules[index] : nullptr;
}

template <class Prefixes>
bool StartsWithOneOf(std::string_view text, const Prefixes& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return text.starts_with(prefix); });
}

bool IsFrameworkFunction(std::string_view function) {
  const std::string name = ShortFunction(function);
  if (StartsWithOneOf(name, kFrameworkPrefixes)) return true;
  return std::find(kFrameworkFunctions.begin(), kFrameworkFunctions.end(), name) !=
         kFrameworkFunctions.end();
}

// Made while the program ran, and in no file. `python -c` is so, too.
bool IsGenerated(const Frame& frame) {
  return frame.origin == FrameOrigin::kPython && frame.file == "<string>";
}

// It is whoever's called it: SQLAlchemy wraps methods of its own so.
void InheritOwnership(const std::vector<Frame>& frames, std::vector<Ownership>& ownership) {
  std::optional<Ownership> caller;
  for (std::size_t i = frames.size(); i-- > 0;) {
    if (frames[i].origin != FrameOrigin::kPython) continue;
    if (!IsGenerated(frames[i])) {
      caller = ownership[i];
    } else if (caller) {
      ownership[i] = *caller;
    }
  }
}

// asyncio/events.py: whatever an event loop runs, it runs through this.
bool IsStepOfAsyncio(const Frame& frame) {
  return frame.origin == FrameOrigin::kPython && frame.function == "Handle._run" &&
         IsPythonLibrary(frame.file);
}

std::string Unnamed(const Frame& frame, const Module* module) {
  if (module == nullptr) return fmt::format("code at {:#x}", frame.address);
  return fmt::format("{}+{:#x}", CleanText(BaseName(module->path), kMaxName), frame.module_offset);
}

}  // namespace

Ownership OwnershipOf(const Frame& frame, const Observation& observation) {
  if (frame.origin == FrameOrigin::kKernel || frame.function.empty()) return Ownership::kUnnamed;
  if (frame.origin == FrameOrigin::kPython) {
    Ownership ownership = Ownership::kOwn;
    if (IsPythonLibrary(frame.file)) ownership = Ownership::kFramework;
    if (IsPythonPackage(frame.file)) ownership = Ownership::kLibrary;
    return frame.of_pool ? std::min(ownership, Ownership::kLibrary) : ownership;
  }
  const Module* module = ModuleOf(frame, observation);
  const std::string_view path = module == nullptr ? std::string_view() : module->path;
  if (StartsWithOneOf(BaseName(path), kFrameworkModules) || IsFrameworkFunction(frame.function) ||
      path.find(kPythonExtensions) != std::string_view::npos) {
    return Ownership::kFramework;
  }
  const bool system = StartsWithOneOf(path, kSystemDirectories);
  const bool library = frame.of_pool || (system && frame.file.empty());
  return library ? Ownership::kLibrary : Ownership::kOwn;
}

Place PlaceOf(const Frame& frame, const Observation& observation) {
  const Module* module = ModuleOf(frame, observation);
  Place place;
  if (frame.function.empty()) {
    place.function = Unnamed(frame, module);
  } else {
    const bool python = frame.origin == FrameOrigin::kPython;
    place.function = CleanText(
        python ? ShortPythonFunction(frame.function) : ShortFunction(frame.function), kMaxName);
  }
  if (!frame.file.empty()) {
    place.location = CleanText(BaseName(frame.file), kMaxName);
    if (frame.line != 0) place.location += fmt::format(":{}", frame.line);
  } else if (module != nullptr && !frame.function.empty()) {
    place.location = CleanText(BaseName(module->path), kMaxName);
  }
  return place;
}

std::vector<Place> OwnFrames::Makers(StackIndex index, std::size_t limit) const {
  std::vector<Place> places;
  if (index < 0 || static_cast<std::size_t>(index) >= observation_->stacks.size()) return places;
  const std::vector<Frame>& all = observation_->stacks[static_cast<std::size_t>(index)].frames;
  const auto best_of = [this](std::span<const Frame> frames) {
    Ownership best = Ownership::kUnnamed;
    for (const Frame& frame : frames) best = std::max(best, OwnershipOf(frame, *observation_));
    return best;
  };
  const auto loop = std::find_if(all.begin(), all.end(), IsStepOfAsyncio);
  std::span<const Frame> frames =
      std::span(all).first(static_cast<std::size_t>(loop - all.begin()));
  if (best_of(frames) < Ownership::kLibrary) frames = all;
  const Ownership best = best_of(frames);
  for (const Frame& frame : frames) {
    if (places.size() == limit) break;
    if (OwnershipOf(frame, *observation_) == best) places.push_back(PlaceOf(frame, *observation_));
  }
  return places;
}

const OwnFrames::Places& OwnFrames::Of(StackIndex stack) {
  const auto [entry, added] = places_.try_emplace(stack);
  if (added) entry->second = Look(stack);
  return entry->second;
}

OwnFrames::Places OwnFrames::Look(StackIndex index) const {
  if (index < 0 || static_cast<std::size_t>(index) >= observation_->stacks.size()) return {};
  const std::vector<Frame>& frames = observation_->stacks[static_cast<std::size_t>(index)].frames;
  if (frames.empty()) return {};
  std::vector<Ownership> ownership;
  ownership.reserve(frames.size());
  for (const Frame& frame : frames) ownership.push_back(OwnershipOf(frame, *observation_));
  InheritOwnership(frames, ownership);
  const auto best = std::max_element(ownership.begin(), ownership.end());  // the first of them
  const Frame& inner = frames[static_cast<std::size_t>(best - ownership.begin())];
  const Frame* outer = &inner;
  for (auto at = best; at != ownership.end() && outer == &inner; ++at) {
    const Frame& frame = frames[static_cast<std::size_t>(at - ownership.begin())];
    if (*at == *best && frame.function != inner.function) outer = &frame;
  }
  return {PlaceOf(inner, *observation_), PlaceOf(*outer, *observation_)};
}

}  // namespace ct
