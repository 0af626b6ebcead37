// Where tasks are made, as --task-origin says and as asyncio's own debug mode does: the same, task
// by task; that nothing is attached without it, and that nothing of it is left behind.
#include "runtimes/python_origins.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include <gmock/gmock.h>

#include "base/unique_fd.h"
#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string kFile = "task_origins.py";
const std::string kOlder = "2 tasks were made before the probe: where is not known";
constexpr std::chrono::seconds kPatience(60);

std::string Line(const std::string& mark) {
  return LineOf("python/" + kFile, mark).substr(sizeof("python"));
}

// Frames, "submit:task_origins.py:27", innermost first; by the task's name.
using Stacks = std::map<std::string, Strings>;

// asyncio leaves out some of its own innermost frames, and has other lines in debug mode: from the
// innermost frame of the program's own outward, and of the library's frames the functions.
Strings Comparable(const Strings& frames) {
  Strings comparable;
  for (const std::string& frame : frames) {
    const bool own = frame.find(":" + kFile + ":") != std::string::npos;
    if (comparable.empty() && !own) continue;
    comparable.push_back(own ? frame : frame.substr(0, frame.find(':')));
  }
  return comparable;
}

// As the program itself says, in debug mode.
Stacks Truth(const std::string& python) {
  Strings command = PythonProgram(python, kFile);
  command.push_back("--debug");
  Child program(command);
  program.ReadUntil("END", kPatience);
  Stacks truth;
  for (const std::string& line : SplitLines(program.output())) {
    std::istringstream words(line);
    std::string tag, name;
    words >> tag >> name;
    if (tag != "MADE") continue;
    Strings frames;
    for (std::string frame; words >> frame;) frames.push_back(frame);
    truth[name] = Comparable(frames);
  }
  return truth;
}

Strings FramesOf(const v1::Snapshot& snapshot, std::uint32_t stack) {
  Strings frames;
  for (const std::uint32_t index : snapshot.stacks(static_cast<int>(stack)).frames()) {
    const v1::Frame& frame = snapshot.frames(static_cast<int>(index));
    const v1::Function& function = snapshot.functions(static_cast<int>(frame.function()));
    const std::string name = Text(snapshot, function.name());
    const std::string file = Text(snapshot, function.file());
    frames.push_back(name.substr(name.rfind('.') + 1) + ":" + file.substr(file.rfind('/') + 1) +
                     ":" + std::to_string(frame.line()));
  }
  return Comparable(frames);
}

// As the file of a trace says; without a stack where it says none.
Stacks Seen(const v1::Snapshot& snapshot) {
  Stacks seen;
  for (const v1::Actor& actor : snapshot.actors()) {
    if (actor.kind() != v1::ACTOR_KIND_TASK) continue;
    seen[Text(snapshot, actor.name())] =
        actor.has_created_at() ? FramesOf(snapshot, actor.created_at()) : Strings();
  }
  return seen;
}

// A trace of the program from before its tasks are made until all have been.
Answer Trace(const std::string& python) {
  Target target(PythonProgram(python, kFile));
  const TempDir directory;
  Child trace({TracerPath(), "-p", std::to_string(target.pid()), "--task-origin", "-o",
               directory.File("last.pb")},
              {directory.path(), {}});
  trace.ReadUntilError("recording where asyncio's tasks are made", kPatience);
  target.Signal(SIGUSR1);
  target.Await("MADE-ALL");
  trace.Signal(SIGINT);
  trace.Wait(kPatience);
  return AnswerOf(RunTracer({"show", "--json", directory.File("last.pb")}));
}

TEST(PythonOrigins, EachTaskIsMadeWhereDebugModeSays) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    Stacks truth = Truth(python);
    ASSERT_GE(truth.size(), 14U);
    const Answer answer = Trace(python);
    Stacks seen = Seen(answer.snapshot);
    // They were there before.
    EXPECT_EQ(truth.erase("early") + truth.erase("Task-1"), 2U);
    EXPECT_THAT(seen.at("early"), ElementsAre());
    EXPECT_THAT(seen.at("Task-1"), ElementsAre());
    EXPECT_THAT(answer.snapshot.observations(0).degradations(), ElementsAre(kOlder));
    EXPECT_EQ(answer.relevant_losses, Strings{});
    // It has failed: see the test below.
    EXPECT_EQ(truth.erase("fails"), 1U);
    // Cut at its outer end, with asyncio's own frames.
    Strings& deep = truth.at("deep");
    ASSERT_GE(deep.size(), 40U);
    ASSERT_GE(seen["deep"].size(), 20U);
    deep.resize(seen["deep"].size());
    EXPECT_LE(deep.size(), 24U);
    for (const auto& [name, frames] : truth) EXPECT_EQ(seen[name], frames) << name;
  }
}

// Whole heaps are searched every 30 s.
TEST(PythonOrigins, AnExceptionThatNobodyAsksForSaysWhereItsTaskWasMade) {
  Target target(PythonProgram(CT_PYTHON, kFile));
  Child tasks({TracerPath(), "tasks", "-p", std::to_string(target.pid()), "--task-origin",
               "--every", "1s"});
  tasks.ReadUntilOutput(kOlder, kPatience);
  target.Signal(SIGUSR1);
  target.Await("MADE-ALL");
  tasks.ReadUntilOutput("SWALLOWED_EXCEPTION  task fails: ValueError", kPatience);
  tasks.ReadUntilOutput(
      "\"nobody asks\" in fail, created in make  " + Line("fails") + " < main  " + kFile,
      kPatience);
}

// The first byte of what initializes its tasks: a breakpoint's if a probe is there.
class Probed {
 public:
  explicit Probed(pid_t pid) : memory_(open(MemoryOf(pid).c_str(), O_RDONLY | O_CLOEXEC)) {
    auto target = ct::Target::Open(pid, MakeFileCache());
    if (!target) throw std::runtime_error(target.error().message);
    const auto probe = FindTaskProbe(**target);
    if (!probe || !*probe) throw std::runtime_error("no probe found");
    address_ = (*probe)->address;
  }
  [[nodiscard]] bool HasBreakpoint() const {
    constexpr unsigned char kInt3 = 0xcc;
    unsigned char byte = 0;
    if (pread(memory_.get(), &byte, 1, static_cast<off_t>(address_)) != 1) {
      throw std::runtime_error("not readable");
    }
    return byte == kInt3;
  }

 private:
  static std::string MemoryOf(pid_t pid) { return "/proc/" + std::to_string(pid) + "/mem"; }
  UniqueFd memory_;
  std::uint64_t address_ = 0;
};

TEST(PythonOrigins, NothingIsAttachedWithoutTheOption) {
  Target target(PythonProgram(CT_PYTHON, kFile));
  const Probed probed(target.pid());
  const TempDir directory;
  Child trace({TracerPath(), "-p", std::to_string(target.pid())}, {directory.path(), {}});
  trace.ReadUntilError("timing event loops by", kPatience);
  EXPECT_FALSE(probed.HasBreakpoint());
  target.Signal(SIGUSR1);
  target.Await("MADE-ALL");
  EXPECT_FALSE(probed.HasBreakpoint());
}

TEST(PythonOrigins, TheTargetGoesOnWhenTheTracerIsKilled) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    Target target(PythonProgram(python, kFile));
    const Probed probed(target.pid());
    const TempDir directory;
    {
      Child trace({TracerPath(), "-p", std::to_string(target.pid()), "--task-origin"},
                  {directory.path(), {}});
      trace.ReadUntilError("recording where asyncio's tasks are made", kPatience);
      EXPECT_TRUE(probed.HasBreakpoint());
      trace.Signal(SIGKILL);
      trace.Wait(kPatience);
    }
    EXPECT_FALSE(probed.HasBreakpoint());
    target.Signal(SIGUSR1);
    target.Await("MADE-ALL");
  }
}

TEST(PythonOrigins, TasksSaysItOfThoseThatAreNew) {
  Target target(PythonProgram(CT_PYTHON, kFile));
  Child tasks({TracerPath(), "tasks", "-p", std::to_string(target.pid()), "--task-origin", "--tree",
               "--every", "200ms"});
  tasks.ReadUntilOutput(kOlder, kPatience);
  EXPECT_THAT(tasks.output(), Not(HasSubstr("created in")));
  target.Signal(SIGUSR1);
  target.Await("MADE-ALL");
  const std::string created =
      "created in submit  " + Line("submit") + " < handle  " + Line("handle") + " < make  ";
  tasks.ReadUntilOutput(created, kPatience);
  tasks.Signal(SIGINT);
  tasks.Wait(kPatience);
}

TEST(PythonOrigins, IsRefusedWhereItCanSayNothing) {
  const std::string self = std::to_string(getpid());
  for (const Strings& command :
       {Strings{"snapshot", "-p", self, "--task-origin"},
        Strings{"dump", "-p", self, "--task-origin"}, Strings{"tasks", "-p", self, "--task-origin"},
        Strings{"--task-origin"}}) {
    const Outcome run = RunTracer(command);
    EXPECT_EQ(run.status, kUsage) << run.output;
    EXPECT_THAT(run.error, HasSubstr("concurrency-tracer: --task-origin"));
    EXPECT_EQ(run.output, "");
  }
}

}  // namespace
}  // namespace ct::test
