// The reader of CPython on real interpreters, against what each program knows of itself.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/integration/python_programs.h"

namespace ct {
namespace {

using std::chrono::seconds;
using test::Child;
using test::Interpreters;
using test::InterpretersWith;
using test::NameOf;
using test::Names;
using test::NamesOf;
using test::PythonProgram;
using test::ReadAtRest;
using test::ReadOnce;
using test::SplitLines;
using test::Strings;
using testing::IsEmpty;

std::string Joined(const Strings& words, const char* separator = " ") {
  return fmt::format("{}", fmt::join(words, separator));
}

// "lock", "lock?" while it is entered, "lock+" through something else.
std::string HoldText(const PythonHold& hold, const std::string& name) {
  return name + (hold.entering ? "?" : "") + (hold.through != 0 ? "+" : "");
}

std::vector<const PythonTask*> ByName(const PythonProcess& process) {
  std::vector<const PythonTask*> tasks;
  for (const PythonTask& task : process.tasks) tasks.push_back(&task);
  std::sort(tasks.begin(), tasks.end(),
            [](const auto* left, const auto* right) { return left->name < right->name; });
  return tasks;
}

// As tests/targets/python/truth.py prints it.
Strings ChainsAndHolds(const PythonProcess& process, const Names& names) {
  Strings lines;
  for (const PythonTask* task : ByName(process)) {
    if (task->name == "Task-1") continue;
    lines.push_back("TASK " + task->name);
    for (const PythonFrame& frame : task->frames) {
      Strings holds;
      for (const PythonHold& hold : frame.holds) {
        const std::string name = NameOf(names, hold.object, "");
        if (!name.empty()) holds.push_back(HoldText(hold, name));
      }
      std::sort(holds.begin(), holds.end());
      lines.push_back(fmt::format("TASK   {}:{} [{}]", process.CodeOf(frame).function, frame.line,
                                  Joined(holds)));
    }
  }
  return lines;
}

// What a task waits for; `names` knows the tasks too.
std::string WaitText(const PythonAwait& wait, const Names& names) {
  Strings children;
  for (const std::uint64_t child : wait.children) {
    children.push_back(NameOf(names, child, "(unnamed)"));
  }
  std::sort(children.begin(), children.end());
  switch (wait.kind) {
    case PythonAwaitKind::kNothing:
      return "nothing";
    case PythonAwaitKind::kUnknown:
      return "future " + NameOf(names, wait.future, "(unnamed)");
    case PythonAwaitKind::kOne:
      return "one of " + Joined(children);
    case PythonAwaitKind::kAll:
      return "all of " + Joined(children);
    case PythonAwaitKind::kAny:
      return "any of " + Joined(children);
    case PythonAwaitKind::kObject:
      return fmt::format("{} {}.{}", wait.type, NameOf(names, wait.object, "(unnamed)"),
                         wait.attribute);
    case PythonAwaitKind::kSleep:
      return "sleep";
    case PythonAwaitKind::kConcurrent:
    case PythonAwaitKind::kConcurrentAll:
    case PythonAwaitKind::kConcurrentAny:
      return fmt::format("concurrent ({})", children.size());
    case PythonAwaitKind::kThread:
      return "thread " + NameOf(names, wait.object, "(unnamed)");
    case PythonAwaitKind::kGil:
      return "GIL";
  }
  return "";
}

// As tests/targets/python/anyio_nests.py prints them, of those tasks of which it does.
Strings WaitsOf(const PythonProcess& process, const Names& names, const Strings& expected) {
  std::set<std::string> wanted;
  for (const std::string& line : expected) wanted.insert(line.substr(0, line.find(' ', 5)));
  // From 3.12 on not even the program knows until when wait_for() waits.
  const bool with_deadlines = (process.version >> 16 & 0xff) < 12;
  Strings lines;
  for (const PythonTask* task : ByName(process)) {
    if (!wanted.contains("WAIT " + task->name)) continue;
    std::string line = fmt::format("WAIT {} {}", task->name, WaitText(task->waits_for, names));
    if (with_deadlines) line += fmt::format(" until {:.6f}", task->deadline.value_or(INFINITY));
    lines.push_back(line);
  }
  return lines;
}

// How many of each kind the program says that it has.
std::map<std::string, int> GeneratedBy(const Strings& output) {
  std::map<std::string, int> counts;
  for (const std::string& line : output) {
    if (!line.starts_with("GENERATED ")) continue;
    std::istringstream words(line.substr(line.find(' ')));
    int count = 0;
    std::string kind;
    std::getline(words >> count >> std::ws, kind);
    counts[kind] += count;
  }
  return counts;
}

std::map<std::string, int> ExpectSameAsTruth(const std::string& python, const std::string& seed,
                                             int tasks, bool eager = false) {
  SCOPED_TRACE(python + " seed " + seed);
  Strings command = PythonProgram(python, "nests.py");
  command.insert(command.end(), {seed, std::to_string(tasks)});
  if (eager) command.emplace_back("--eager");
  Child program(command);
  program.ReadUntil("READY", seconds(60));
  const PythonProcess process = ReadAtRest(program.pid());
  const Strings output = SplitLines(program.output());
  Strings expected, waits;
  for (const std::string& line : output) {
    if (line.starts_with("TASK")) expected.push_back(line);
    if (line.starts_with("WAIT")) waits.push_back(line);
  }
  Names names = NamesOf(program);
  EXPECT_GT(expected.size(), static_cast<std::size_t>(tasks));
  EXPECT_EQ(Joined(ChainsAndHolds(process, names), "\n"), Joined(expected, "\n"));
  for (const PythonTask& task : process.tasks) {
    names[task.address] = task.name;
    EXPECT_EQ(task.state, PythonTaskState::kWaiting) << task.name;
  }
  std::sort(waits.begin(), waits.end());
  Strings seen = WaitsOf(process, names, waits);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(Joined(seen, "\n"), Joined(waits, "\n"));
  EXPECT_THAT(process.skips, IsEmpty());
  auto generated = GeneratedBy(output);
  const bool has_eager = (process.version >> 16 & 0xff) >= 12;
  EXPECT_EQ(generated["eager"], eager && has_eager ? tasks : 0);
  return generated;
}

// The frames of the program itself, with all holds, also of objects without a name.
Strings OwnFrames(const PythonProcess& process, const std::vector<PythonFrame>& frames,
                  const Names& names) {
  Strings lines;
  for (const PythonFrame& frame : frames) {
    const PythonCode& code = process.CodeOf(frame);
    if (!code.file.ends_with("waits.py") || code.function == "<module>") continue;
    Strings holds;
    for (const PythonHold& hold : frame.holds) {
      holds.push_back(HoldText(hold, NameOf(names, hold.object, hold.type)));
    }
    lines.push_back(fmt::format("  {} [{}]", code.function, Joined(holds, ", ")));
  }
  return lines;
}

class Waits : public testing::Test {
 protected:
  void Look(const std::string& python) {
    program_.emplace(PythonProgram(python, "waits.py"));
    program_->ReadUntil("READY", seconds(60));
    process_ = ReadAtRest(program_->pid());
    names_ = NamesOf(*program_);
    for (const PythonTask& task : process_.tasks) names_[task.address] = task.name;
  }
  std::string TaskText(const std::string& name) {
    for (const PythonTask& task : process_.tasks) {
      if (task.name != name) continue;
      EXPECT_EQ(task.state, PythonTaskState::kWaiting);
      EXPECT_EQ(task.thread, program_->pid());
      Strings lines = {WaitText(task.waits_for, names_)};
      if (task.deadline) {
        lines[0] += " until " + process_.CodeOf(task.frames.at(task.deadline_frame)).function;
      }
      const Strings frames = OwnFrames(process_, task.frames, names_);
      lines.insert(lines.end(), frames.begin(), frames.end());
      return Joined(lines, "\n");
    }
    return "no such task";
  }
  const PythonThread* ThreadIn(const std::string& function) {
    for (const PythonThread& thread : process_.threads) {
      for (const PythonFrame& frame : thread.frames) {
        if (process_.CodeOf(frame).function == function) return &thread;
      }
    }
    return nullptr;
  }
  std::string ThreadText(const std::string& function) {
    const PythonThread* thread = ThreadIn(function);
    if (thread == nullptr) return "no such thread";
    return Joined(OwnFrames(process_, thread->frames, names_), "\n");
  }

  std::optional<Child> program_;
  PythonProcess process_;
  Names names_;
};

TEST_F(Waits, AreNamedWithWhatTheyAreFor) {
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"task_holder",
       "asyncio.locks.Event event._waiters until task_holder\n"
       "  task_holder [contextlib._AsyncGeneratorContextManager, lock+, contextlib.AsyncExitStack,"
       " semaphore+, asyncio.timeouts.Timeout]"},
      {"task_lock", "asyncio.locks.Lock lock._waiters\n  task_lock [lock?]"},
      {"task_semaphore",
       "asyncio.locks.Semaphore semaphore._waiters\n  task_semaphore [semaphore?]"},
      {"task_generator", "sleep until sleep\n  numbers [other_lock]\n  task_generator []"},
      {"task_iterates", "sleep until sleep\n  task_iterates [iterated+]"},
      {"task_group", "all of group_a group_b\n  task_group []"},
      {"group_a", "sleep until sleep\n  child []"},
      {"task_gather", "all of gather_a gather_b\n  task_gather []"},
      {"task_shield", "one of shielded\n  task_shield []"},
      {"task_wait_all", "all of all_a\n  task_wait_all []"},
      {"task_wait_any", "any of any_a any_b until _wait\n  task_wait_any []"},
      {"task_executor", "concurrent (1)\n  task_executor []"},
      {"task_queue", "asyncio.queues.Queue queue._getters\n  task_queue []"},
      {"task_queue_full", "asyncio.queues.Queue full_queue._putters\n  task_queue_full []"},
      // wait() has let go of the lock.
      {"task_condition", "asyncio.locks.Condition condition._waiters\n  task_condition []"},
      {"task_condition_held",
       "sleep until sleep\n  child []\n"
       "  task_condition_held [held_condition, held_condition_lock+]"},
      {"task_future", "future future\n  task_future []"},
      {"task_of_task", "one of child\n  task_of_task []"},
  };
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    Look(python);
    for (const auto& [task, text] : expected) EXPECT_EQ(TaskText(task), text) << task;
    EXPECT_EQ(process_.tasks.size(), 27u);
    EXPECT_THAT(process_.skips, IsEmpty());
  }
}

TEST_F(Waits, OfThreadsAreSeenInTheirFrames) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    Look(python);
    EXPECT_EQ(ThreadText("in_with_blocks"),
              "  in_with_blocks [rlock, thread_condition, thread_condition_lock+]");
    EXPECT_EQ(ThreadText("waits_condition"), "  waits_condition []");
    const PythonThread* enters = ThreadIn("enters_lock");
    ASSERT_NE(enters, nullptr);
    ASSERT_FALSE(enters->frames.empty());
    EXPECT_EQ(fmt::format("python/waits.py:{}", enters->frames.front().line),
              test::LineOf("python/waits.py", "enters"));
    // 3.12 and 3.13 leave nothing on the stack while a built-in __enter__ runs.
    const std::uint32_t minor = process_.version >> 16 & 0xff;
    const bool shows_entering = minor != 12 && minor != 13;
    EXPECT_EQ(ThreadText("enters_lock"),
              std::string("  enters_lock [contextlib._GeneratorContextManager, other_rlock+") +
                  (shows_entering ? ", busy_lock?]" : "]"));
    const PythonThread* loop = ThreadIn("BaseEventLoop.run_forever");
    ASSERT_NE(loop, nullptr);
    EXPECT_EQ(loop->native_id, program_->pid());
    EXPECT_NE(loop->running_loop, 0u);
    EXPECT_EQ(loop->running_task, 0u);
    EXPECT_EQ(process_.threads.size(), 5u);
    ASSERT_EQ(process_.gils.size(), 1u);
    EXPECT_FALSE(process_.gils[0].held);
    EXPECT_EQ(process_.gils[0].holder, 0);
  }
}

// Of a thread that holds the GIL, and of a task in the middle of its step.
TEST(PythonReader, NamesTheHolderOfTheGilAndTheRunningTask) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    Child program(PythonProgram(python, "blocks_loop.py"));
    program.ReadUntil("READY", seconds(60));
    test::SleepFor(test::Milliseconds(200));
    const auto process = ReadOnce(program.pid());
    ASSERT_TRUE(process) << process.error().message;
    ASSERT_TRUE(*process);
    ASSERT_EQ((*process)->gils.size(), 1u);
    const PythonGil& gil = (*process)->gils[0];
    EXPECT_TRUE(gil.held);
    EXPECT_EQ(gil.holder, program.pid());
    EXPECT_GT(gil.size, 0u);
    const auto tasks = ByName(**process);
    const auto blocker = std::find_if(tasks.begin(), tasks.end(),
                                      [](const auto* task) { return task->name == "blocker"; });
    ASSERT_NE(blocker, tasks.end());
    EXPECT_EQ((*blocker)->state, PythonTaskState::kRunning);
    EXPECT_EQ((*blocker)->thread, program.pid());
    Strings functions;
    for (const PythonFrame& frame : (*blocker)->frames) {
      functions.push_back((*process)->CodeOf(frame).function);
    }
    EXPECT_THAT(functions, testing::ElementsAre("spin", "step", "blocker"));
    const PythonHold& hold = (*blocker)->frames.back().holds.at(0);
    EXPECT_EQ(hold.type, "_thread.lock");
    EXPECT_FALSE(hold.entering);
    const auto ready = std::find_if(tasks.begin(), tasks.end(),
                                    [](const auto* task) { return task->name == "ready"; });
    ASSERT_NE(ready, tasks.end());
    EXPECT_EQ((*ready)->state, PythonTaskState::kNotStarted);
  }
}

TEST(PythonReader, FindsAnInterpreterWhoseFileWasDeleted) {
  const test::TempDir directory;
  const std::string copy = directory.File("service");
  std::filesystem::copy_file(std::filesystem::canonical(CT_PYTHON), copy);
  Child program({copy, "-c", "import time; print('READY', flush=True); time.sleep(1000)"});
  program.ReadUntil("READY", seconds(60));
  std::filesystem::remove(copy);
  const auto process = ReadOnce(program.pid());
  ASSERT_TRUE(process) << process.error().message;
  ASSERT_TRUE(*process);
  ASSERT_EQ((*process)->threads.size(), 1u);
  EXPECT_EQ((*process)->threads[0].native_id, program.pid());
}

TEST(PythonReader, FindsNoneInOtherPrograms) {
  Child program({"/bin/sleep", "1000"});
  test::SleepFor(test::Milliseconds(100));
  const auto process = ReadOnce(program.pid());
  ASSERT_TRUE(process) << process.error().message;
  EXPECT_FALSE(*process);
}

TEST(PythonReader, LeavesTasksOutWhereNotAsked) {
  Child program(PythonProgram(CT_PYTHON, "waits.py"));
  program.ReadUntil("READY", seconds(60));
  const auto process =
      ReadOnce(program.pid(), {.tasks = false, .exclusive_classes = {}, .futexes = {}});
  ASSERT_TRUE(process) << process.error().message;
  ASSERT_TRUE(*process);
  EXPECT_THAT((*process)->tasks, IsEmpty());
  EXPECT_EQ((*process)->threads.size(), 5u);
}

TEST(PythonReader, AwaitChainsAndHoldsOfRandomNestsAreTheTruth) {
  const Strings with_anyio = InterpretersWith({"anyio"});
  const auto has_anyio = [&](const std::string& python) {
    return std::find(with_anyio.begin(), with_anyio.end(), python) != with_anyio.end();
  };
  for (const std::string& python : Interpreters()) {
    auto generated = ExpectSameAsTruth(python, "1", 300);
    for (const auto& [kind, count] : ExpectSameAsTruth(python, "2", 300)) generated[kind] += count;
    ExpectSameAsTruth(python, "3", 300, true);
    if (!has_anyio(python)) continue;
    // The class of fail_after() in anyio 3, and in anyio 4.
    EXPECT_GE(
        generated["FailAfterContextManager held"] + generated["_GeneratorContextManager held"], 20);
    for (const char* const kind :
         {"Lock held", "Lock entering", "Semaphore held", "Semaphore entering",
          "CapacityLimiter held", "CapacityLimiter entering", "Condition held",
          "Condition entering", "TaskGroup held", "TaskGroup done", "CancelScope held",
          "asyncio.locks.Event", "anyio.Condition", "sleep", "future"}) {
      EXPECT_GE(generated[kind], 20) << kind;
    }
  }
}

}  // namespace
}  // namespace ct
