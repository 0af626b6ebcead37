// Event loops that are blocked for 120 ms in each of the ways there are: which line, which task,
// and why; found by a trace as it happens, and by a snapshot while it lasts. Compared with what
// asyncio's own debug mode says of the same callbacks.
#include <signal.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kFile = "loop_blocks.py";

Strings Program(const Strings& options, const std::string& python = CT_PYTHON) {
  Strings command = PythonProgram(python, kFile);
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

std::string Line(const std::string& mark) {
  return LineOf("python/" + kFile, mark).substr(sizeof("python"));
}

// "GIL at need_gil loop_blocks.py:69 in task need_gil".
std::string Row(const v1::Snapshot& snapshot, const v1::LoopBlock& block) {
  static const std::map<int, std::string> kCauses = {
      {v1::BLOCK_CAUSE_PYTHON, "Python"},   {v1::BLOCK_CAUSE_NATIVE, "C code"},
      {v1::BLOCK_CAUSE_SYSCALL, "syscall"}, {v1::BLOCK_CAUSE_LOCK, "lock"},
      {v1::BLOCK_CAUSE_GIL, "GIL"},         {v1::BLOCK_CAUSE_GARBAGE, "garbage"},
      {v1::BLOCK_CAUSE_STOPPED, "stopped"}, {v1::BLOCK_CAUSE_UNKNOWN, "unknown"}};
  std::string text = kCauses.at(block.cause());
  if (block.has_stack()) {
    for (const std::uint32_t index : snapshot.stacks(static_cast<int>(block.stack())).frames()) {
      const v1::Frame& frame = snapshot.frames(static_cast<int>(index));
      const v1::Function& function = snapshot.functions(static_cast<int>(frame.function()));
      const std::string file = Text(snapshot, function.file());
      if (!file.ends_with("/" + kFile)) continue;
      text += " at " + Text(snapshot, function.name()) + " " + kFile + ":" +
              std::to_string(frame.line());
      break;
    }
  }
  const std::string task = Text(snapshot, block.task());
  return text + (task.empty() ? "" : " in task " + task);
}

struct Seen {
  Answer answer;
  std::map<std::string, std::uint64_t> rows;  // how often, by Row
  std::uint64_t blocks = 0;
  std::string text;      // what the trace printed
  std::string reported;  // what the program wrote on its standard error
};

// A trace of the program from its first callback to DONE.
Seen Trace(const Strings& options, const Strings& more = {}) {
  Child target(Program(options));
  target.ReadUntil("READY", std::chrono::seconds(60));
  const TempDir directory;
  Strings command = {TracerPath(), "-p", std::to_string(target.pid()), "-o",
                     directory.File("last.pb")};
  command.insert(command.end(), more.begin(), more.end());
  Child trace(command, {directory.path(), {}});
  trace.ReadUntilError("timing event loops by", std::chrono::seconds(20));
  target.Signal(SIGUSR1);
  target.ReadUntil("DONE", std::chrono::seconds(120));
  trace.Signal(SIGINT);
  trace.Wait(std::chrono::seconds(30));
  Seen seen;
  seen.text = trace.output();
  seen.answer = AnswerOf(RunTracer({"show", "--json", directory.File("last.pb")}));
  for (const v1::LoopBlock& block : seen.answer.snapshot.loop_blocks()) {
    seen.rows[Row(seen.answer.snapshot, block)] += block.count();
    seen.blocks += block.count();
  }
  return seen;
}

struct Expected {
  std::string function;
  std::string cause;
  std::string mark;  // empty: any line of the function
};

// Who has the lock is named, in the text and in the row of the file.
void ExpectHolderOfLock(const Seen& seen) {
  const std::regex held("threading.Lock held by thread .* \\([0-9]+\\) in hold_lock " + kFile +
                        ":[0-9]+");
  EXPECT_TRUE(std::regex_search(seen.text, held));
  const auto& rows = seen.answer.snapshot.loop_blocks();
  EXPECT_TRUE(std::any_of(rows.begin(), rows.end(), [&](const v1::LoopBlock& row) {
    return row.cause() == v1::BLOCK_CAUSE_LOCK &&
           std::regex_search(Text(seen.answer.snapshot, row.detail()), held);
  }));
}

// Each callback was timed; looks in time found out why it blocked, and where, at least once for
// each cause. On a busy machine a look may come too late: then the cause is not known, or is told
// as probable. What is told as certain is never another.
void ExpectEachCause(const Strings& options, const std::string& how, bool tasks) {
  static const std::vector<Expected> kExpected = {
      {"compute", "Python", ""},
      {"digest", "C code", "digest"},
      {"add_up", "C code", "add up"},
      {"doze", "syscall", "doze"},
      {"take_lock", "lock", "take lock"},
      {"need_gil", "GIL", ""},
      {"collect", "garbage", "collect"},
      {"receive", "syscall", "receive"},
      {"run_program", "syscall", "run program"},
  };
  constexpr std::uint64_t kRounds = 5;
  Strings all = options;
  if (!how.empty()) all.push_back(how);
  const Seen seen = Trace(all);
  std::string rows;
  for (const auto& [text, times] : seen.rows) rows += std::to_string(times) + " x " + text + "\n";
  SCOPED_TRACE(rows + seen.text);
  std::map<std::string, std::uint64_t> right;
  for (const v1::LoopBlock& block : seen.answer.snapshot.loop_blocks()) {
    const std::string row = Row(seen.answer.snapshot, block);
    for (const Expected& expected : kExpected) {
      const std::string at = " at " + expected.function + " ";
      if (row.find(at) == std::string::npos) continue;
      const std::string begin =
          expected.cause + at + (expected.mark.empty() ? kFile : Line(expected.mark));
      const std::string end = tasks ? " in task " + expected.function : "";
      if (row.starts_with(begin) && row.ends_with(end)) {
        right[expected.function] += block.count();
      } else {
        EXPECT_NE(block.evidence(), v1::EVIDENCE_CERTAIN) << row;
      }
    }
  }
  for (const Expected& expected : kExpected)
    EXPECT_GE(right[expected.function], 1U) << expected.function;
  ASSERT_EQ(seen.answer.snapshot.event_loops_size(), 1);
  const v1::EventLoop& loop = seen.answer.snapshot.event_loops(0);
  // Who wakes up every few milliseconds to ask for the GIL may queue for most of that.
  EXPECT_GE(loop.slow() + loop.starved(), kRounds * kExpected.size());
  EXPECT_EQ(loop.slow(), seen.blocks);
  EXPECT_EQ(seen.answer.run.status, kFindings);
  EXPECT_EQ(seen.answer.relevant_losses, Strings{});
  EXPECT_THAT(seen.text, HasSubstr("EVENT_LOOP_BLOCKED  "));
  EXPECT_THAT(seen.text, HasSubstr(Line("keep gil")));  // who has the GIL is named
  ExpectHolderOfLock(seen);
  if (tasks) {
    EXPECT_THAT(seen.text, HasSubstr("(task doze)"));
  }
}

TEST(LoopBlocked, EachCauseInATask) { ExpectEachCause({}, "", true); }
TEST(LoopBlocked, EachCauseInAHandle) { ExpectEachCause({}, "--handle", false); }
TEST(LoopBlocked, EachCauseOnUvloop) { ExpectEachCause({"--uvloop"}, "", true); }

TEST(LoopBlocked, ShortCallbacksAreSilent) {
  for (const char* kind : {"--task", "--handle", "--uvloop"}) {
    const Seen seen = Trace({"--healthy", kind});
    EXPECT_EQ(seen.blocks, 0U) << kind << "\n" << seen.text;
    EXPECT_THAT(seen.text, Not(HasSubstr("EVENT_LOOP_BLOCKED"))) << kind;
    EXPECT_EQ(seen.answer.run.status, kNothing) << seen.answer.run.error;
    ASSERT_EQ(seen.answer.snapshot.event_loops_size(), 1) << kind;
    EXPECT_GE(seen.answer.snapshot.event_loops(0).iterations(), 45U);
  }
}

// More who want a CPU than there are CPUs, for as long as it lives.
class BusyMachine {
 public:
  BusyMachine() {
    for (unsigned i = 0; i < 3 * std::thread::hardware_concurrency(); ++i) {
      hogs_.push_back(std::make_unique<Child>(
          Strings{CT_PYTHON, "-c", "print('READY', flush=True)\nwhile 1: pass"}));
      hogs_.back()->ReadUntil("READY", std::chrono::seconds(30));
    }
  }

 private:
  std::vector<std::unique_ptr<Child>> hogs_;
};

// An iteration that is long only because its thread has no CPU is none that is blocked.
TEST(LoopBlocked, AServiceIsSilentOnABusyMachine) {
  for (const bool busy : {false, true}) {
    const Target target(PythonProgram(CT_PYTHON, "short_handlers.py"));
    std::optional<BusyMachine> machine;
    if (busy) machine.emplace();
    const TempDir directory;
    const Outcome trace = RunTracer(
        {"-p", std::to_string(target.pid()), "--duration", "6s", "-o", directory.File("last.pb")});
    const Answer answer = AnswerOf(RunTracer({"show", "--json", directory.File("last.pb")}));
    EXPECT_EQ(answer.findings, "") << trace.output;
    EXPECT_EQ(trace.status, kNothing) << trace.output << trace.error;
    ASSERT_EQ(answer.snapshot.event_loops_size(), 1) << trace.output;
    EXPECT_GE(answer.snapshot.event_loops(0).iterations(), 50U);
    for (int look = 0; look < 5; ++look) {
      const Answer now = LookAt(target.pid());
      EXPECT_EQ(now.snapshot.loop_blocks_size(), 0) << now.run.output;
    }
  }
}

TEST(LoopBlocked, OffAndAnotherThreshold) {
  EXPECT_EQ(Trace({"doze", "--healthy"}, {"--loop-block", "15ms"}).blocks, 5U);
  EXPECT_EQ(Trace({"doze"}, {"--loop-block", "1s"}).blocks, 0U);
  const Outcome wrong = RunTracer({"-p", "1", "--loop-block", "often"});
  EXPECT_EQ(wrong.status, kUsage);
}

// By the state of the loop alone, whatever it is blocked by.
TEST(LoopBlocked, ASnapshotSaysSoWhileItLasts) {
  const std::map<std::string, std::string> causes = {{"compute", "Python at compute "},
                                                     {"doze", "syscall at doze "}};
  for (const std::string& python : Interpreters()) {
    for (const auto& [cause, row] : causes) {
      SCOPED_TRACE(python);
      SCOPED_TRACE(cause);
      const Target target(Program({cause, "--forever"}, python));
      // It must have lasted for so long that it would have without a busy machine.
      Answer answer = LookAt(target.pid());
      for (int i = 0; i < 50 && answer.run.status == kNothing; ++i) {
        SleepFor(Milliseconds(100));
        answer = LookAt(target.pid());
      }
      ASSERT_EQ(answer.snapshot.loop_blocks_size(), 1) << answer.run.output;
      const v1::LoopBlock& block = answer.snapshot.loop_blocks(0);
      EXPECT_THAT(Row(answer.snapshot, block), HasSubstr(row));
      EXPECT_THAT(Row(answer.snapshot, block), HasSubstr(" in task " + cause));
      EXPECT_TRUE(block.in_progress());
      EXPECT_GE(block.worst_duration_ns(), 100'000'000);
      EXPECT_LE(block.worst_duration_ns(), 60'000'000'000);
      EXPECT_EQ(answer.run.status, kFindings);
    }
  }
}

TEST(LoopBlocked, ASnapshotOfALoopThatRunsIsSilent) {
  const Target target(Program({"--healthy"}));
  target.Signal(SIGUSR1);
  for (int look = 0; look < 20; ++look) {
    const Answer answer = LookAt(target.pid());
    EXPECT_EQ(answer.snapshot.loop_blocks_size(), 0) << answer.run.output;
    EXPECT_EQ(answer.findings, "");
    SleepFor(Milliseconds(11 + look % 5));
  }
}

// What asyncio's own debug mode reports, it is told by us, too.
TEST(LoopBlocked, AllThatDebugModeReportsIsFound) {
  SpawnOptions debug;
  debug.before_exec = [] { setenv("PYTHONASYNCIODEBUG", "1", 1); };
  Child target(Program({}), debug);
  target.ReadUntil("READY", std::chrono::seconds(30));
  const TempDir directory;
  Child trace({TracerPath(), "-p", std::to_string(target.pid()), "-o", directory.File("last.pb")},
              {directory.path(), {}});
  trace.ReadUntilError("timing event loops by", std::chrono::seconds(20));
  target.Signal(SIGUSR1);
  target.ReadUntil("DONE", std::chrono::seconds(60));
  trace.Signal(SIGINT);
  trace.Wait(std::chrono::seconds(30));
  target.Signal(SIGKILL);
  target.Wait(std::chrono::seconds(10));
  // "Executing <Task finished name='doze' coro=...> took 0.121 seconds"
  std::map<std::string, std::uint64_t> reported;
  const std::regex executing("Executing <Task finished name='(\\w+)'.* took [0-9.]+ seconds");
  for (const std::string& line : SplitLines(target.error())) {
    std::smatch match;
    if (std::regex_search(line, match, executing)) ++reported[match[1]];
  }
  EXPECT_EQ(reported.size(), 9U) << target.error();
  const Answer answer = AnswerOf(RunTracer({"show", "--json", directory.File("last.pb")}));
  // A task that was not looked at in time has no name here.
  std::uint64_t all = 0;
  for (const auto& [task, count] : reported) all += count;
  ASSERT_EQ(answer.snapshot.event_loops_size(), 1);
  EXPECT_GE(answer.snapshot.event_loops(0).slow() + answer.snapshot.event_loops(0).starved(), all);
  std::map<std::string, std::uint64_t> found;
  for (const v1::LoopBlock& block : answer.snapshot.loop_blocks()) {
    found[Text(answer.snapshot, block.task())] += block.count();
  }
  for (const auto& [task, count] : reported) EXPECT_GE(found[task], 1U) << task;
}

}  // namespace
}  // namespace ct::test
