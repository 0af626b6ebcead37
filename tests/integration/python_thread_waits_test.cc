// What threads of real interpreters wait for, as the standard library makes them wait.
#include <algorithm>
#include <chrono>
#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "reader/thread_switches.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

PythonProcess ReadAsleep(pid_t pid) {
  for (int i = 0; i < 500; ++i) {
    const ThreadSwitches before = ReadThreadSwitches(pid);
    PythonOptions options;
    options.futexes = FutexCallsOf(before);
    auto process = ReadOnce(pid, options);
    if (!process) throw std::runtime_error(process.error().message);
    if (!*process) throw std::runtime_error("no Python found");
    NoteWhoSlept(before, ReadThreadSwitches(pid), **process);
    if (std::all_of((*process)->threads.begin(), (*process)->threads.end(),
                    [](const PythonThread& thread) { return thread.asleep; })) {
      return **process;
    }
    SleepFor(Milliseconds(20));
  }
  throw std::runtime_error("the program does not come to rest");
}

std::string WaitText(const PythonThread& thread, const Names& names) {
  const PythonAwait& wait = thread.waits_for;
  std::string text;
  std::vector<std::string> children;
  for (const std::uint64_t child : wait.children) children.push_back(NameOf(names, child, "?"));
  std::sort(children.begin(), children.end());
  const std::string all = fmt::format("{}", fmt::join(children, " "));
  switch (wait.kind) {
    case PythonAwaitKind::kNothing:
      text = "nothing";
      break;
    case PythonAwaitKind::kObject:
      text = wait.type + " " + NameOf(names, wait.object, "?");
      if (!wait.attribute.empty()) text += "." + wait.attribute;
      break;
    case PythonAwaitKind::kConcurrent:
      text = "result of " + all;
      break;
    case PythonAwaitKind::kConcurrentAll:
      text = "all of " + all;
      break;
    case PythonAwaitKind::kConcurrentAny:
      text = "any of " + all;
      break;
    case PythonAwaitKind::kThread:
      text = "end of " + NameOf(names, wait.object, "?");
      break;
    default:
      text = fmt::format("kind {}", static_cast<int>(wait.kind));
  }
  if (thread.timed) text += " with timeout";
  const double left = thread.deadline.value_or(0) - static_cast<double>(MonotonicNow()) * 1e-9;
  if (thread.deadline && left > 8000 && left < 9000) text += ", read";
  return text;
}

// By the name of the thread, which is that of its function.
std::map<std::string, std::string> WaitsOf(const PythonProcess& process, const Child& program) {
  const Names names = NamesOf(program);
  std::map<std::string, std::string> waits;
  for (const PythonThread& thread : process.threads) waits[thread.name] = WaitText(thread, names);
  return waits;
}

TEST(PythonThreadWaits, AreNamedWithWhatTheyAreFor) {
  const std::map<std::string, std::string> expected = {
      {"MainThread", "nothing"},
      {"sleep", "nothing"},
      {"with_lock", "_thread.lock lock"},
      {"with_rlock", "_thread.RLock rlock"},
      {"bare_acquire", "_thread.lock bare"},
      {"with_condition", "_thread.RLock condition_lock"},
      {"condition_wait", "threading.Condition idle._waiters"},
      {"condition_wait_for", "threading.Condition predicate._waiters with timeout, read"},
      {"with_semaphore", "threading.BoundedSemaphore semaphore._cond"},
      {"event_wait", "threading.Event event._cond with timeout, read"},
      {"barrier_wait", "threading.Barrier barrier._cond"},
      {"queue_get", "queue.Queue items.not_empty"},
      {"queue_get_timed", "queue.Queue items.not_empty with timeout, read"},
      {"queue_put", "queue.PriorityQueue full.not_full"},
      {"queue_join", "queue.PriorityQueue full.all_tasks_done"},
      {"simple_get", "_queue.SimpleQueue simple"},
      {"future_result", "result of first"},
      {"futures_wait", "all of first second"},
      {"futures_wait_first", "any of first second"},
      {"futures_as_completed", "any of first second"},
      {"join", "end of thread_sleep"},
      {"join_timed", "end of thread_sleep with timeout, read"},
      {"worker_0", "_queue.SimpleQueue ?"},
  };
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    Child program(PythonProgram(python, "thread_waits.py"));
    program.ReadUntil("READY", std::chrono::seconds(60));
    const PythonProcess process = ReadAsleep(program.pid());
    EXPECT_EQ(WaitsOf(process, program), expected);
    EXPECT_TRUE(process.skips.empty());
    int owned = 0;
    for (const PythonLock& lock : process.locks) {
      EXPECT_TRUE(lock.locked);
      if (lock.owner == 0) continue;
      ++owned;
      EXPECT_TRUE(lock.keeps_owner);
      EXPECT_EQ(lock.owner, process.threads.back().ident);  // the main thread: the list's last
    }
    EXPECT_EQ(owned, 2);
    EXPECT_EQ(process.locks.size(), 4U);
  }
}

}  // namespace
}  // namespace ct::test
