// Up to 3.11 asyncio.wait_for() makes a task of the coroutine that it is given, from 3.12 on it
// awaits it itself. For who reads the answer they are one: such a task is shown as its caller.
#pragma once

#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "runtimes/python_process.h"

namespace ct {

class PythonCallers {
 public:
  // `process` must outlive it.
  explicit PythonCallers(const PythonProcess& process);

  // The task that is shown for this one (by address): its caller's caller's, or itself.
  [[nodiscard]] std::uint64_t ShownAs(std::uint64_t task) const;
  // The task as it is shown: with the frames, the wait and the deadline of what it runs by
  // wait_for().
  [[nodiscard]] const PythonTask& Whole(const PythonTask& task) const;
  // Those that it is made of: itself first.
  [[nodiscard]] std::vector<const PythonTask*> Parts(const PythonTask& task) const;
  // How many frames of others lie inside of its own.
  [[nodiscard]] std::uint32_t FramesInside(std::uint64_t task) const;

 private:
  void Join(const PythonTask& caller);
  [[nodiscard]] const PythonTask* RunBy(const PythonTask& caller) const;

  const PythonProcess* process_;
  std::unordered_map<std::uint64_t, const PythonTask*> by_address_;
  std::unordered_map<std::uint64_t, std::size_t> waiters_;          // of a task
  std::unordered_map<std::uint64_t, const PythonTask*> run_by_;     // caller -> what it runs
  std::unordered_map<std::uint64_t, const PythonTask*> caller_of_;  // and back
  std::unordered_map<std::uint64_t, PythonTask> whole_;
};

}  // namespace ct
