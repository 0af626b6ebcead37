#include "locks/wait_frames.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace ct {
namespace {

// A blocking call passes through two or three frames of a C library, six with all inlined ones.
constexpr std::size_t kLibraryFrames = 12;

constexpr std::array kGlibcPlumbing = std::to_array<std::string_view>({
    "lll_lock_wait",
    "lll_lock_wait_private",
    "lll_timedlock_wait",
    "lll_clocklock_wait",
    "lll_wait_tid",
    "futex_wait",
    "futex_wait_simple",
    "futex_wait_cancelable",
    "futex_lock_pi64",
    "futex_clocklock64",
    "futex_clocklock",
    "futex_abstimed_wait",
    "futex_abstimed_wait64",
    "futex_abstimed_wait_cancelable",
    "futex_abstimed_wait_cancelable64",
    "futex_abstimed_wait_common",
    "futex_abstimed_wait_common64",
    "internal_syscall_cancel",
    "syscall",
    "syscall_cancel",
    "syscall_cancel_arch",
});

// As they are spelt: "lock" without underscores is anybody's.
constexpr std::array kMuslPlumbing = std::to_array<std::string_view>({
    "__lock",
    "__timedwait",
    "__timedwait_cp",
    "__wait",
    "__futexwait",
    "__futex4_cp",
    "__syscall_cp",
    "__syscall_cp_c",
    "__syscall_cp_asm",
    "__cp_begin",
    "__cp_end",
});

using ApiName = std::pair<std::string_view, WaitApi>;
constexpr std::array kApis = std::to_array<ApiName>({
    {"pthread_mutex_lock", WaitApi::kMutex},
    {"pthread_mutex_lock_full", WaitApi::kMutex},
    {"pthread_mutex_timedlock", WaitApi::kMutex},
    {"pthread_mutex_timedlock_pi", WaitApi::kMutex},
    {"pthread_mutex_clocklock", WaitApi::kMutex},
    {"pthread_mutex_clocklock64", WaitApi::kMutex},
    {"pthread_mutex_clocklock_common", WaitApi::kMutex},
    {"pthread_mutex_timedlock64", WaitApi::kMutex},
    {"pthread_mutex_cond_lock", WaitApi::kMutex},
    {"pthread_mutex_cond_lock_full", WaitApi::kMutex},
    {"mtx_lock", WaitApi::kMutex},
    {"mtx_timedlock", WaitApi::kMutex},

    {"pthread_rwlock_rdlock", WaitApi::kReadLock},
    {"pthread_rwlock_rdlock_full", WaitApi::kReadLock},
    {"pthread_rwlock_rdlock_full64", WaitApi::kReadLock},
    {"pthread_rwlock_timedrdlock", WaitApi::kReadLock},
    {"pthread_rwlock_timedrdlock64", WaitApi::kReadLock},
    {"pthread_rwlock_clockrdlock", WaitApi::kReadLock},
    {"pthread_rwlock_clockrdlock64", WaitApi::kReadLock},

    {"pthread_rwlock_wrlock", WaitApi::kWriteLock},
    {"pthread_rwlock_wrlock_full", WaitApi::kWriteLock},
    {"pthread_rwlock_wrlock_full64", WaitApi::kWriteLock},
    {"pthread_rwlock_timedwrlock", WaitApi::kWriteLock},
    {"pthread_rwlock_timedwrlock64", WaitApi::kWriteLock},
    {"pthread_rwlock_clockwrlock", WaitApi::kWriteLock},
    {"pthread_rwlock_clockwrlock64", WaitApi::kWriteLock},

    {"pthread_cond_wait", WaitApi::kCondition},
    {"pthread_cond_wait_common", WaitApi::kCondition},
    {"pthread_cond_timedwait", WaitApi::kCondition},
    {"pthread_cond_timedwait64", WaitApi::kCondition},
    {"pthread_cond_clockwait", WaitApi::kCondition},
    {"pthread_cond_clockwait64", WaitApi::kCondition},
    {"cnd_wait", WaitApi::kCondition},
    {"cnd_timedwait", WaitApi::kCondition},

    {"sem_wait", WaitApi::kSemaphore},
    {"sem_wait_slow64", WaitApi::kSemaphore},
    {"sem_wait_fast", WaitApi::kSemaphore},
    {"sem_timedwait", WaitApi::kSemaphore},
    {"sem_timedwait64", WaitApi::kSemaphore},
    {"sem_clockwait", WaitApi::kSemaphore},
    {"sem_clockwait64", WaitApi::kSemaphore},
    {"do_futex_wait", WaitApi::kSemaphore},  // local to glibc's sem_waitcommon.c

    {"pthread_barrier_wait", WaitApi::kBarrier},

    {"pthread_once", WaitApi::kOnce},
    {"pthread_once_slow", WaitApi::kOnce},
    {"pthread_once_full", WaitApi::kOnce},
    {"call_once", WaitApi::kOnce},

    {"pthread_join", WaitApi::kJoin},
    {"pthread_timedjoin_np", WaitApi::kJoin},
    {"pthread_timedjoin_np64", WaitApi::kJoin},
    {"pthread_clockjoin_np", WaitApi::kJoin},
    {"pthread_clockjoin_np64", WaitApi::kJoin},
    {"pthread_clockjoin_ex", WaitApi::kJoin},
    {"thrd_join", WaitApi::kJoin},

    {"flockfile", WaitApi::kStdio},
    {"lockfile", WaitApi::kStdio},
    {"printf", WaitApi::kStdio},
    {"fprintf", WaitApi::kStdio},
    {"vprintf", WaitApi::kStdio},
    {"vfprintf", WaitApi::kStdio},
    {"vfprintf_internal", WaitApi::kStdio},
    {"printf_chk", WaitApi::kStdio},
    {"fprintf_chk", WaitApi::kStdio},
    {"vprintf_chk", WaitApi::kStdio},
    {"vfprintf_chk", WaitApi::kStdio},
    {"wprintf", WaitApi::kStdio},
    {"fwprintf", WaitApi::kStdio},
    {"vfwprintf", WaitApi::kStdio},
    {"vfwprintf_internal", WaitApi::kStdio},
    {"perror", WaitApi::kStdio},
    {"puts", WaitApi::kStdio},
    {"putc", WaitApi::kStdio},
    {"putchar", WaitApi::kStdio},
    {"fputc", WaitApi::kStdio},
    {"fputs", WaitApi::kStdio},
    {"fwrite", WaitApi::kStdio},
    {"fputwc", WaitApi::kStdio},
    {"fputws", WaitApi::kStdio},
    {"putwc", WaitApi::kStdio},
    {"putwchar", WaitApi::kStdio},
    {"scanf", WaitApi::kStdio},
    {"fscanf", WaitApi::kStdio},
    {"vfscanf", WaitApi::kStdio},
    {"vfscanf_internal", WaitApi::kStdio},
    {"isoc99_scanf", WaitApi::kStdio},
    {"isoc99_fscanf", WaitApi::kStdio},
    {"getc", WaitApi::kStdio},
    {"getchar", WaitApi::kStdio},
    {"gets", WaitApi::kStdio},
    {"fgetc", WaitApi::kStdio},
    {"fgets", WaitApi::kStdio},
    {"fgetwc", WaitApi::kStdio},
    {"fgetws", WaitApi::kStdio},
    {"fread", WaitApi::kStdio},
    {"fread_chk", WaitApi::kStdio},
    {"fgets_chk", WaitApi::kStdio},
    {"getline", WaitApi::kStdio},
    {"getdelim", WaitApi::kStdio},
    {"ungetc", WaitApi::kStdio},
    {"fflush", WaitApi::kStdio},
    {"fclose", WaitApi::kStdio},
    {"fopen", WaitApi::kStdio},
    {"fopen64", WaitApi::kStdio},
    {"fdopen", WaitApi::kStdio},
    {"freopen", WaitApi::kStdio},
    {"fcloseall", WaitApi::kStdio},
    {"popen", WaitApi::kStdio},
    {"pclose", WaitApi::kStdio},
    {"rewind", WaitApi::kStdio},
    {"fseek", WaitApi::kStdio},
    {"fseeko", WaitApi::kStdio},
    {"fseeko64", WaitApi::kStdio},
    {"ftell", WaitApi::kStdio},
    {"ftello", WaitApi::kStdio},
    {"ftello64", WaitApi::kStdio},
    {"fgetpos", WaitApi::kStdio},
    {"fsetpos", WaitApi::kStdio},
    {"feof", WaitApi::kStdio},
    {"ferror", WaitApi::kStdio},
    {"clearerr", WaitApi::kStdio},
    {"setbuf", WaitApi::kStdio},
    {"setvbuf", WaitApi::kStdio},
    {"setlinebuf", WaitApi::kStdio},
    {"fwide", WaitApi::kStdio},
    {"psignal", WaitApi::kStdio},

    {"malloc", WaitApi::kMalloc},
    {"free", WaitApi::kMalloc},
    {"cfree", WaitApi::kMalloc},
    {"calloc", WaitApi::kMalloc},
    {"realloc", WaitApi::kMalloc},
    {"reallocarray", WaitApi::kMalloc},
    {"memalign", WaitApi::kMalloc},
    {"aligned_alloc", WaitApi::kMalloc},
    {"posix_memalign", WaitApi::kMalloc},
    {"valloc", WaitApi::kMalloc},
    {"pvalloc", WaitApi::kMalloc},
    {"malloc_trim", WaitApi::kMalloc},
    {"malloc_stats", WaitApi::kMalloc},
    {"malloc_info", WaitApi::kMalloc},
    {"mallinfo", WaitApi::kMalloc},
    {"mallinfo2", WaitApi::kMalloc},
    {"mallopt", WaitApi::kMalloc},
    {"mid_memalign", WaitApi::kMalloc},
    {"int_malloc", WaitApi::kMalloc},
    {"int_free", WaitApi::kMalloc},
    {"int_realloc", WaitApi::kMalloc},
    {"int_memalign", WaitApi::kMalloc},
    {"malloc_consolidate", WaitApi::kMalloc},
    {"arena_get2", WaitApi::kMalloc},
    {"arena_get_retry", WaitApi::kMalloc},
    {"reused_arena", WaitApi::kMalloc},
    {"get_free_list", WaitApi::kMalloc},
    {"tcache_init", WaitApi::kMalloc},
    {"malloc_arena_thread_freeres", WaitApi::kMalloc},
    {"malloc_fork_lock_parent", WaitApi::kMalloc},
});

std::optional<WaitApi> FindApi(std::string_view name) {
  const auto* found = std::find_if(kApis.begin(), kApis.end(),
                                   [&](const ApiName& api) { return api.first == name; });
  if (found != kApis.end()) return found->second;
  // All of glibc's _IO_* and only they: _IO_puts, _IO_new_file_write, _IO_flush_all_lockp.
  if (name.starts_with("IO_")) return WaitApi::kStdio;
  return std::nullopt;
}

template <std::size_t N>
bool Contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool IsIdentifier(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

const std::string* ModulePath(const Frame& frame, std::span<const Module> modules) {
  const auto index = static_cast<std::size_t>(frame.module);
  return frame.module >= 0 && index < modules.size() ? &modules[index].path : nullptr;
}

bool InModule(const Frame& frame, std::span<const Module> modules, std::string_view name) {
  const std::string* path = ModulePath(frame, modules);
  return path != nullptr && path->find(name) != std::string::npos;
}

}  // namespace

std::string_view CName(std::string_view function) {
  const auto end = std::find_if_not(function.begin(), function.end(), IsIdentifier);
  // "operator new(unsigned long)" or "lock(Foo&)" is C++, "ct::lock" is C++ or Rust.
  if (end != function.end() && (*end == '(' || *end == ':' || *end == '<')) return {};
  std::string_view name = function.substr(0, static_cast<std::size_t>(end - function.begin()));
  bool stripped = true;
  while (stripped) {
    stripped = false;
    for (const std::string_view prefix : {"_", "GI_", "libc_", "new_", "old_"}) {
      // "_IO_" keeps its "IO_", and nothing is stripped to nothing.
      if (name.size() > prefix.size() && name.starts_with(prefix)) {
        name.remove_prefix(prefix.size());
        stripped = true;
      }
    }
  }
  return name;
}

const WaitApiFrame* WaitFrames::Find(WaitApi wanted) const {
  for (auto frame = api.rbegin(); frame != api.rend(); ++frame) {
    if (frame->api == wanted) return &*frame;
  }
  return nullptr;
}

const WaitApiFrame* WaitFrames::PthreadCall() const {
  for (auto frame = api.rbegin(); frame != api.rend(); ++frame) {
    if (frame->api != WaitApi::kStdio && frame->api != WaitApi::kMalloc) return &*frame;
  }
  return nullptr;
}

WaitFrames AnalyzeWaitFrames(std::span<const Frame> frames, std::span<const Module> modules) {
  WaitFrames result;
  if (frames.empty()) return result;
  result.musl =
      InModule(frames[0], modules, "ld-musl-") || InModule(frames[0], modules, "libc.musl-");
  result.glibc = InModule(frames[0], modules, "/libc.so.6") ||
                 InModule(frames[0], modules, "/libpthread.so.0") ||
                 InModule(frames[0], modules, "/libpthread-2.") ||
                 InModule(frames[0], modules, "/libc-2.");
  result.by_syscall = CName(frames[0].function) == "syscall";
  for (std::size_t i = 0; i < std::min<std::size_t>(frames.size(), 2); ++i) {
    result.named = result.named || !frames[i].function.empty();
  }
  for (; result.callers < std::min(frames.size(), kLibraryFrames); ++result.callers) {
    const Frame& frame = frames[result.callers];
    const std::string_view name = CName(frame.function);
    if (const auto api = FindApi(name)) {
      result.api.push_back({*api, result.callers, std::string(name)});
    } else if (Contains(kGlibcPlumbing, name)) {
      result.plumbing = true;
      result.internal_lock = result.internal_lock || name == "lll_lock_wait_private";
    } else if (Contains(kMuslPlumbing, frame.function)) {
      result.plumbing = true;
      result.musl = true;
    } else if (!frame.function.empty() || frame.module != frames[0].module) {
      break;
    }
  }
  return result;
}

std::size_t FindCaller(std::span<const Frame> frames, std::size_t from, std::string_view text) {
  const std::size_t end = std::min(frames.size(), from + kCallerFrames);
  for (std::size_t i = from; i < end; ++i) {
    if (frames[i].function.find(text) != std::string::npos) return i;
  }
  return frames.size();
}

bool HasCaller(std::span<const Frame> frames, std::size_t from, std::string_view text) {
  return FindCaller(frames, from, text) < frames.size();
}

}  // namespace ct
