#include "locks/user_types.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

namespace ct {
namespace {

// The C++ library's wrappers are at most this many inlined frames: scoped_lock, unique_lock,
// mutex, __gthread_mutex_lock, and std::lock in between.
constexpr std::size_t kWrapperFrames = 8;

struct TypeName {
  WaitApi api;
  std::string_view text;  // in a function's demangled name
  std::string_view type;
};

// The more particular names first: "std::mutex" would be found as a template argument, too.
constexpr std::array kTypes = std::to_array<TypeName>({
    {WaitApi::kMutex, "recursive_timed_mutex", "std::recursive_timed_mutex"},
    {WaitApi::kMutex, "std::timed_mutex", "std::timed_mutex"},
    {WaitApi::kMutex, "std::recursive_mutex", "std::recursive_mutex"},
    {WaitApi::kMutex, "std::mutex", "std::mutex"},
    {WaitApi::kReadLock, "shared_timed_mutex", "std::shared_timed_mutex"},
    {WaitApi::kReadLock, "std::shared_mutex", "std::shared_mutex"},
    {WaitApi::kReadLock, "std::__shared_mutex_pthread", "std::shared_mutex"},
    {WaitApi::kWriteLock, "shared_timed_mutex", "std::shared_timed_mutex"},
    {WaitApi::kWriteLock, "std::shared_mutex", "std::shared_mutex"},
    {WaitApi::kWriteLock, "std::__shared_mutex_pthread", "std::shared_mutex"},
    {WaitApi::kCondition, "condition_variable_any", "std::condition_variable_any"},
    {WaitApi::kCondition, "std::condition_variable", "std::condition_variable"},
    {WaitApi::kCondition, "std::__condvar", "std::condition_variable"},
    {WaitApi::kOnce, "std::call_once", "std::once_flag"},
    {WaitApi::kJoin, "std::thread", "std::thread"},
    {WaitApi::kJoin, "std::jthread", "std::jthread"},
    {WaitApi::kJoin, "std::sys::thread", "std::thread::JoinHandle"},
    {WaitApi::kJoin, "std::sys::pal::unix::thread::Thread::join", "std::thread::JoinHandle"},
});

struct C11Name {
  std::string_view function;
  std::string_view type;
};
constexpr std::array kC11Types = std::to_array<C11Name>({
    {"mtx_lock", "mtx_t"},
    {"mtx_timedlock", "mtx_t"},
    {"cnd_wait", "cnd_t"},
    {"cnd_timedwait", "cnd_t"},
    {"thrd_join", "thrd_t"},
    {"call_once", "once_flag"},
});

bool IsWrapper(std::string_view function) {
  return function.find("std::") != std::string_view::npos || function.starts_with("__gthread_") ||
         function.starts_with("__gthr");
}

}  // namespace

std::string UserType(const DecodeContext& context, WaitApi api, std::string otherwise) {
  const WaitApiFrame* called = context.frames.Find(api);
  for (const C11Name& c11 : kC11Types) {
    if (called != nullptr && called->name == c11.function) return std::string(c11.type);
  }
  const auto frames = context.thread.frames;
  const std::size_t end = std::min(frames.size(), context.frames.callers + kWrapperFrames);
  for (std::size_t i = context.frames.callers; i < end && IsWrapper(frames[i].function); ++i) {
    for (const TypeName& name : kTypes) {
      if (name.api == api && frames[i].function.find(name.text) != std::string::npos) {
        return std::string(name.type);
      }
    }
  }
  return otherwise;
}

}  // namespace ct
