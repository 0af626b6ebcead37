// A set of host tids that costs a bit a tid: a sweep asks it once for each sleeping thread.
#pragma once

#include <cstddef>
#include <vector>

#include <sys/types.h>

namespace ct {

class TidSet {
 public:
  // True if it was not in the set. A tid that no kernel gives never is.
  bool Insert(pid_t tid) {
    const auto at = static_cast<std::size_t>(tid);
    if (tid < 0 || at >= kTids) return true;
    if (at >= members_.size()) members_.resize(at + 1);
    const bool is_new = !members_[at];
    members_[at] = true;
    return is_new;
  }
  void Clear() { members_.clear(); }

 private:
  // include/linux/threads.h: PID_MAX_LIMIT on 64 bits. Half a megabyte when all are used.
  static constexpr std::size_t kTids = std::size_t{1} << 22;

  std::vector<bool> members_;
};

}  // namespace ct
