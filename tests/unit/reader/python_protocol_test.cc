// A Python process on its way through the protocol: nothing is lost, and nothing is believed.
#include "reader/python_protocol.h"

#include <vector>

#include <gtest/gtest.h>

namespace ct {
namespace {

namespace wire = concurrency_tracer::internal;

PythonProcess EveryFieldSet() {
  PythonProcess process;
  process.version = 0x030b02f0;
  process.codes = {{"Pool.acquire", "/srv/pool.py"}, {"main", "/srv/app.py"}};
  const PythonFrame inner{
      0, 41, 0x1000, true, {{"asyncio.locks.Lock", 0x2000, true, true, 0x3000}}};
  const PythonFrame outer{1, 17, 0x1100, false, {{"_thread.lock", 0x2100, false, false, 0}}};
  const PythonUse inside{"sqlite3.Connection", 0x2200, 1, "", 0};
  const PythonUse stored{"_thread._local", 0x2300, 0, "user", 12};
  PythonThread thread;
  thread.native_id = 42;
  thread.task_name = "GET /thumb";
  thread.instruction = 0x60;
  thread.at_one_instruction = true;
  thread.moved = true;
  thread.iteration_began = 4711.5;
  thread.activity = ThreadActivity{.state = 'S', .syscall = 45, .object = "pipe", .cpu = 3};
  thread.activity->arguments[5] = 9;
  thread.activity->queued = 4;
  thread.activity->read_at = 5;
  thread.address = 0x10;
  thread.ident = 0x20;
  thread.name = "worker";
  thread.frames = {inner, outer};
  thread.truncated = true;
  thread.running_loop = 0x30;
  thread.running_task = 0x40;
  thread.waits_for = {PythonAwaitKind::kGil, 0x80, {0x81}, "queue.Queue", 0x82, "not_empty"};
  thread.timed = true;
  thread.deadline = 7.25;
  thread.uses = {inside};
  thread.host_tid = 4242;
  thread.asleep = true;
  thread.switches = 99;
  process.threads = {thread};
  process.locks = {{0x90, true, true, 0x20}};
  process.completions = {{0xa0, true, {42, 43}, {0x40}}};
  process.gils = {{0x50, 208, true, 42, true}};
  process.skips = {{"task not readable", 3}};
  PythonTask task;
  task.address = 0x40;
  task.name = "refresh";
  task.state = PythonTaskState::kWaiting;
  task.loop = 0x30;
  task.thread = 42;
  task.frames = {inner, outer};
  task.truncated = true;
  task.uses = {inside, stored};
  task.waits_for = {PythonAwaitKind::kObject, 0x60,   {0x70, 0x71},
                    "asyncio.locks.Lock",     0x2000, "_waiters"};
  task.deadline = 12.5;
  task.deadline_frame = 1;
  task.waits_for.pool = 0xa0;
  task.request = "GET /orders/{id}";
  task.client = "10.0.4.17";
  task.not_before = 3.5;
  task.began_then = true;
  process.tasks = {task};
  PythonUnit unit;
  unit.object = 0xb0;
  unit.type = "asyncpg.connection.Connection";
  unit.holders = {{0x40, 0, 1, 2, true}, {0, 0x10, 0, 3, false}};
  unit.referrer = "global shop.conn";
  process.pools = {{0xa0, "asyncpg.pool.Pool", 10, 3, 7, {unit}, true, true}};
  process.failures = {
      {0x80, true, "sync", "ValueError", "no price", {inner}, {outer}, "a.b", true}};
  process.unawaited = {{0x90, 1, 12, "shop.pending"}};
  process.abandoned = {{0xb0, {inner}}};
  return process;
}

std::vector<wire::PythonReading> Split(const PythonProcess& process) {
  std::vector<wire::PythonReading> parts;
  EXPECT_TRUE(SplitPython(process, [&](wire::PythonReading&& part) {
    parts.push_back(std::move(part));
    return Status();
  }));
  return parts;
}

std::optional<PythonProcess> PutTogether(const std::vector<wire::PythonReading>& parts) {
  PythonIntake intake;
  for (const wire::PythonReading& part : parts) {
    if (!intake.Take(part)) return std::nullopt;
  }
  return intake.Finish();
}

TEST(PythonProtocol, CarriesEveryField) {
  const PythonProcess process = EveryFieldSet();
  const auto parts = Split(process);
  EXPECT_EQ(parts.size(), 1U);
  EXPECT_EQ(PutTogether(parts), process);
}

TEST(PythonProtocol, CarriesManyTasksInParts) {
  PythonProcess process = EveryFieldSet();
  const PythonTask task = process.tasks[0];
  for (std::uint64_t i = 0; i < 20'000; ++i) {
    process.tasks.push_back(task);
    process.tasks.back().address += 8 * i;
  }
  const auto parts = Split(process);
  EXPECT_GT(parts.size(), 4U);
  EXPECT_EQ(PutTogether(parts), process);
}

TEST(PythonProtocol, HasNothingWithoutAPart) { EXPECT_FALSE(PythonIntake().Finish()); }

TEST(PythonProtocol, StopsWhereSendingFails) {
  int parts = 0;
  const Status status = SplitPython(EveryFieldSet(), [&](wire::PythonReading&&) -> Status {
    ++parts;
    return Fail(ErrorCode::kIo, "gone");
  });
  EXPECT_FALSE(status);
  EXPECT_EQ(parts, 1);
}

TEST(PythonProtocol, DoesNotBelieveIndicesAndEnums) {
  wire::PythonReading part;
  part.add_codes()->set_function("f\xff\x1b[2J");
  wire::PythonTask& task = *part.add_tasks();
  task.set_state(200);
  task.mutable_waits_for()->set_kind(200);
  task.mutable_waits_for()->set_type(7);
  task.set_deadline_frame(9);
  task.add_frames()->set_code(0);
  task.add_frames()->set_code(1);
  task.mutable_frames(0)->add_holds()->set_type(9);
  PythonIntake intake;
  ASSERT_TRUE(intake.Take(part));
  const auto process = intake.Finish();
  ASSERT_TRUE(process);
  EXPECT_EQ(process->codes[0].function, "f??[2J");
  const PythonTask& read = process->tasks.at(0);
  EXPECT_EQ(read.state, PythonTaskState::kRunnable);
  EXPECT_EQ(read.waits_for.kind, PythonAwaitKind::kUnknown);
  EXPECT_EQ(read.waits_for.type, "");
  EXPECT_EQ(read.deadline_frame, 0U);
  ASSERT_EQ(read.frames.size(), 1U);
  EXPECT_EQ(read.frames[0].holds.at(0).type, "");
}

TEST(PythonProtocol, EndsAReaderThatNeverStops) {
  PythonIntake intake;
  wire::PythonReading part;
  for (int i = 0; i < 10'000; ++i) part.add_tasks();
  int taken = 0;
  while (taken < 1000 && intake.Take(part)) ++taken;
  EXPECT_EQ(taken, 20);
}

TEST(PythonProtocol, CountsANameEachTimeItIsKept) {
  PythonIntake intake;
  wire::PythonReading part;
  part.add_types(std::string(1 << 20, 'x'));
  wire::PythonFrame& frame = *part.add_tasks()->add_frames();
  for (int i = 0; i < 1000; ++i) frame.add_holds()->set_type(0);
  const Status status = intake.Take(part);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kMalformed);
}

TEST(PythonProtocol, AProbeOfTasks) {
  const TaskProbe probe{1, 2, 3, 4, 5, {6, 7, 8, true, 9, 10, 11, 12, 13, 14, 15}};
  wire::TaskProbe message;
  ToWire(probe, message);
  EXPECT_EQ(FromWire(message), probe);
}

TEST(PythonProtocol, PlacesAreAsManyAsWereAskedFor) {
  const CodePlaces places{{{"submit", "/srv/app.py"}}, {{0, 31}, {}}};
  wire::CodePlaces message;
  ToWire(places, message);
  EXPECT_EQ(FromWire(message, 2), places);
  const CodePlace unknown;
  EXPECT_EQ(FromWire(message, 3).places, (std::vector<CodePlace>{{0, 31}, unknown, unknown}));
  EXPECT_EQ(FromWire(message, 1).places, (std::vector<CodePlace>{{0, 31}}));
  message.set_place_codes(1, 7);  // of a code that is not there
  message.mutable_codes(0)->set_function("a\x1b[2J");
  const CodePlaces cleaned = FromWire(message, 2);
  EXPECT_EQ(cleaned.places[1], unknown);
  EXPECT_EQ(cleaned.codes[0].function.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace ct
