// What the innermost frames of a blocked thread say about the function that blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/frame.h"

namespace ct {

// The C library's blocking functions, by what they block on.
enum class WaitApi : std::uint8_t {
  kMutex,
  kReadLock,
  kWriteLock,
  kCondition,
  kSemaphore,
  kBarrier,
  kOnce,
  kJoin,
  kStdio,
  kMalloc,
};

struct WaitApiFrame {
  WaitApi api;
  std::size_t index = 0;  // in BlockedThread::frames
  std::string name;       // "pthread_mutex_lock": no leading underscores, no suffix
};

// The C library's part of the stack: the innermost frames up to the first that is the user's.
// Inner frames may carry the name of a neighbour (a stripped library has no names for its local
// functions), so that of several blocking functions the outermost is the one that was called.
struct WaitFrames {
  std::vector<WaitApiFrame> api;  // innermost first
  std::size_t callers = 0;        // index of the first frame outside the C library's part
  bool named = false;             // the innermost frame, or the one after it, has a name
  bool plumbing = false;          // some frame is a futex wrapper (lll_lock_wait, syscall...)
  bool internal_lock = false;     // in __lll_lock_wait_private: no pthread object waits there
  bool musl = false;              // musl's wrappers or module
  bool glibc = false;             // glibc's module; a static program has neither
  // The innermost frame is libc's syscall(): somebody's own futex, never one of the C library's.
  bool by_syscall = false;

  [[nodiscard]] const WaitApiFrame* Find(WaitApi wanted) const;  // the outermost such frame
  // The function that was called, for purposes of pthread objects: the outermost frame that is
  // neither stdio nor malloc. nullptr if none.
  [[nodiscard]] const WaitApiFrame* PthreadCall() const;
};

WaitFrames AnalyzeWaitFrames(std::span<const Frame> frames, std::span<const Module> modules);

// The C identifier that a function's name begins with, without leading underscores, the prefixes
// of glibc's internal aliases (GI_, libc_, new_, old_) and any suffix ("@plt", ".part.0",
// " (local)"). Empty for C++ and Rust names.
std::string_view CName(std::string_view function);

// How many frames outside the C library are looked at to tell what a wait is for.
inline constexpr std::size_t kCallerFrames = 12;

// The index of the first of `frames` in [from, from + kCallerFrames) whose function contains
// `text`; frames.size() if none.
std::size_t FindCaller(std::span<const Frame> frames, std::size_t from, std::string_view text);
bool HasCaller(std::span<const Frame> frames, std::size_t from, std::string_view text);

}  // namespace ct
