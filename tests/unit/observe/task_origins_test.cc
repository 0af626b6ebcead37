// From what the kernel kept of a task to words: which tasks get them, which do not, and what is
// said of those.
#include "observe/task_origins.h"

#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ct {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr pid_t kPid = 42;
constexpr TimeNs kReadAt = 1000;

class FakeTracer final : public TaskOriginTracer {
 public:
  Status Add(pid_t pid, const TaskProbe& probe) override {
    if (!refuses.empty()) return Fail(ErrorCode::kPermission, refuses);
    added.insert(pid);
    last = probe;
    return {};
  }
  void Remove(pid_t pid) override { added.erase(pid); }
  [[nodiscard]] bool IsAlive(pid_t pid) const override { return added.contains(pid) && alive; }
  std::optional<TaskOrigin> OriginOf(pid_t, std::uint64_t task) override {
    const auto found = origins.find(task);
    return found != origins.end() ? std::optional(found->second) : std::nullopt;
  }
  std::optional<OriginStack> StackOf(pid_t, std::uint64_t stack) override {
    const auto found = stacks.find(stack);
    return found != stacks.end() ? std::optional(found->second) : std::nullopt;
  }
  Result<TaskOriginCounters> Counters() override { return counters; }

  std::string refuses;
  std::set<pid_t> added;
  TaskProbe last;
  bool alive = true;
  std::map<std::uint64_t, TaskOrigin> origins;
  std::map<std::uint64_t, OriginStack> stacks;
  TaskOriginCounters counters;
};

class FakeReader final : public Reader {
 public:
  ProcessRead Read(const ProcessToRead& request) override {
    ++requests;
    ProcessRead answer;
    answer.python_error = error;
    if (request.want_task_probe && has_asyncio) answer.task_probe.emplace().address = 0x1234;
    for (const CodePoint& point : request.code_points) {
      const auto found = code.find(point);
      CodePlace& place = answer.places.places.emplace_back();
      if (found == code.end()) continue;
      place.code = static_cast<std::uint32_t>(answer.places.codes.size());
      place.line = found->second.second;
      answer.places.codes.push_back({found->second.first, "/srv/app.py"});
    }
    return answer;
  }
  [[nodiscard]] ReaderCost cost() const override { return {}; }

  int requests = 0;
  bool has_asyncio = true;
  std::string error;
  std::map<CodePoint, std::pair<std::string, std::uint32_t>> code;
};

class Origins : public testing::Test {
 protected:
  Origins() {
    reader_.code = {{{0x100, 8}, {"submit", 31}}, {{0x200, 4}, {"handle", 12}}};
    tracer_.stacks[7] = {{{0x100, 8}, {0x200, 4}}, false};
    tracer_.origins[0xa0] = {7, kReadAt - 10};
  }
  static PythonProcess Process(const std::vector<std::uint64_t>& tasks) {
    PythonProcess process;
    process.codes = {{"park", "/srv/app.py"}};
    for (const std::uint64_t address : tasks) {
      PythonTask& task = process.tasks.emplace_back();
      task.address = address;
      task.state = PythonTaskState::kWaiting;
    }
    return process;
  }
  // "submit:31 handle:12" for each task; "" where it is not known.
  std::vector<std::string> Told(PythonProcess process) {
    origins_.Follow({kPid});
    origins_.AddToTasks(kPid, kReadAt, process);
    std::vector<std::string> told;
    for (const PythonTask& task : process.tasks) {
      std::string& text = told.emplace_back();
      if (task.origin == PythonTask::kNoOrigin) continue;
      for (const PythonFrame& frame : process.origins.at(task.origin).frames) {
        text += (text.empty() ? "" : " ") + process.codes.at(frame.code).function + ":" +
                std::to_string(frame.line);
      }
    }
    return told;
  }
  Observation Tell() {
    Observation observation;
    origins_.Tell(observation);
    return observation;
  }

  FakeTracer tracer_;
  FakeReader reader_;
  TaskOrigins origins_{tracer_, reader_};
};

TEST_F(Origins, OfATaskAreFunctionsAndLines) {
  EXPECT_THAT(Told(Process({0xa0})), ElementsAre("submit:31 handle:12"));
  EXPECT_EQ(tracer_.last.address, 0x1234U);
  EXPECT_THAT(Tell().degradations, IsEmpty());
}

TEST_F(Origins, EqualStacksAreOne) {
  tracer_.origins[0xb0] = {7, kReadAt};
  PythonProcess process = Process({0xa0, 0xb0});
  origins_.Follow({kPid});
  origins_.AddToTasks(kPid, kReadAt, process);
  EXPECT_EQ(process.origins.size(), 1U);
  EXPECT_EQ(process.tasks[0].origin, process.tasks[1].origin);
}

TEST_F(Origins, OlderTasksAreCountedOnce) {
  EXPECT_THAT(Told(Process({0xa0, 0xb0, 0xc0})), ElementsAre("submit:31 handle:12", "", ""));
  EXPECT_THAT(Tell().degradations,
              ElementsAre("2 tasks were made before the probe: where is not known"));
  EXPECT_THAT(Tell().degradations, IsEmpty());
}

TEST_F(Origins, LostOnesAreCounted) {
  tracer_.counters.lost_stack = 1;
  Told(Process({0xb0}));
  const Observation told = Tell();
  EXPECT_THAT(told.degradations,
              ElementsAre("1 task was made before the probe, or not followed: where is not known"));
  ASSERT_EQ(told.losses.size(), 1U);
  EXPECT_EQ(told.losses[0].reason, "tasks' makers: more different stacks than are kept");
  EXPECT_FALSE(told.losses[0].relevant);
}

// The task that was read has ended, and another was made at its address before it was looked up.
TEST_F(Origins, AYoungerTasksStackIsNotThatOfTheOneThatWasRead) {
  tracer_.origins[0xa0].made_at = kReadAt + 1;
  EXPECT_THAT(Told(Process({0xa0})), ElementsAre(""));
  EXPECT_THAT(Tell().degradations, IsEmpty());
}

TEST_F(Origins, FinishedTasksAreNotAskedFor) {
  PythonProcess process = Process({0xb0});
  process.tasks[0].state = PythonTaskState::kFinished;
  EXPECT_THAT(Told(process), ElementsAre(""));
  EXPECT_THAT(Tell().degradations, IsEmpty());
}

TEST_F(Origins, CodeThatIsNoMoreIsLeftOut) {
  reader_.code.erase({0x100, 8});
  EXPECT_THAT(Told(Process({0xa0})), ElementsAre("handle:12"));
  const Observation told = Tell();
  ASSERT_EQ(told.losses.size(), 1U);
  EXPECT_EQ(told.losses[0].count, 1U);
}

TEST_F(Origins, CodeThatWasReadInTimeIsRemembered) {
  Told(Process({0xa0}));
  reader_.code.clear();
  EXPECT_THAT(Told(Process({0xa0})), ElementsAre("submit:31 handle:12"));
}

TEST_F(Origins, CodeInThePlaceOfOtherCodeIsNotBelieved) {
  Told(Process({0xa0}));
  reader_.code[{0x100, 8}] = {"exec'd", 1};
  EXPECT_THAT(Told(Process({0xa0})), ElementsAre("handle:12"));
}

TEST_F(Origins, FailedTasksGetThem) {
  PythonProcess process = Process({});
  for (const std::uint64_t future : {0xa0, 0xb0}) {
    PythonFailure& failure = process.failures.emplace_back();
    failure.future = future;
    failure.is_task = true;
  }
  PythonFailure known = process.failures[0];
  known.created.emplace_back().line = 5;  // by debug mode
  process.failures.push_back(known);
  origins_.Follow({kPid});
  origins_.AddToFailures(kPid, kReadAt, process);
  ASSERT_EQ(process.failures[0].created.size(), 2U);
  EXPECT_EQ(process.codes.at(process.failures[0].created[0].code).function, "submit");
  EXPECT_THAT(process.failures[1].created, IsEmpty());
  ASSERT_EQ(process.failures[2].created.size(), 1U);
  EXPECT_EQ(process.failures[2].created[0].line, 5U);
}

TEST_F(Origins, WhatCannotBeFollowedIsSaidAndNotTriedAgain) {
  tracer_.refuses = "attaching a uprobe to asyncio's tasks: permission denied";
  EXPECT_THAT(Told(Process({0xa0})), ElementsAre(""));
  EXPECT_FALSE(origins_.follows_any());
  const int asked = reader_.requests;
  origins_.Follow({kPid});
  EXPECT_EQ(reader_.requests, asked);
  EXPECT_THAT(Tell().degradations,
              ElementsAre("where tasks of process 42 are made is not known: attaching a uprobe to "
                          "asyncio's tasks: permission denied"));
}

TEST_F(Origins, AProcessWithoutAsyncioIsNoError) {
  reader_.has_asyncio = false;
  EXPECT_THAT(Told(Process({0xa0})), ElementsAre(""));
  EXPECT_THAT(Tell().degradations, IsEmpty());
  EXPECT_THAT(tracer_.added, IsEmpty());
}

TEST_F(Origins, WhoIsNotSelectedAnyMoreIsNotFollowed) {
  origins_.Follow({kPid});
  EXPECT_TRUE(origins_.follows_any());
  origins_.Follow({});
  EXPECT_THAT(tracer_.added, IsEmpty());
  EXPECT_FALSE(origins_.follows_any());
}

TEST_F(Origins, AnotherProcessOfTheSamePidIsFollowedAnew) {
  origins_.Follow({kPid});
  tracer_.alive = false;
  const int asked = reader_.requests;
  origins_.Follow({kPid});
  EXPECT_EQ(reader_.requests, asked + 1);
  EXPECT_THAT(tracer_.added, ElementsAre(kPid));
}

}  // namespace
}  // namespace ct
