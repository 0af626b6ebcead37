// Two in the middle of using what only one may use at a time, in real interpreters.
#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using testing::HasSubstr;

Strings Program(const std::string& python, const Strings& options) {
  Strings command = PythonProgram(python, "shared_uses.py");
  command.insert(command.end(), options.begin(), options.end());
  return command;
}

std::string Place(const std::string& mark) {
  return LineOf("python/shared_uses.py", mark).substr(sizeof("python"));
}

Outcome Tasks(pid_t pid, const Strings& more = {}) {
  Strings arguments = {"tasks", "-p", std::to_string(pid), "--exclusive-class", "__main__.Session"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return RunTracer(arguments);
}

TEST(PythonUses, TwoTasksInsideOneSession) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, {"--session"}));
    const Outcome found = Tasks(target.pid());
    EXPECT_EQ(found.status, kFindings) << found.error;
    EXPECT_THAT(found.output, HasSubstr("SHARED_OBJECT  2 tasks, 1 object   certain\n"));
    EXPECT_THAT(found.output, HasSubstr("2 tasks  is inside L1  in Session.execute  " +
                                        Place("uses the session")));
    EXPECT_THAT(found.output, HasSubstr("L1 __main__.Audited 0x"));
    EXPECT_EQ(RunTracer({"tasks", "-p", std::to_string(target.pid())}).status, kNothing)
        << "nobody has said that this class is exclusive";
  }
}

TEST(PythonUses, TasksThatStoreIntoAThreadLocal) {
  for (const std::string& python : Interpreters()) {
    SCOPED_TRACE(python);
    const Target target(Program(python, {"--local"}));
    const Outcome found = Tasks(target.pid());
    EXPECT_EQ(found.status, kFindings) << found.error;
    EXPECT_THAT(found.output, HasSubstr("THREAD_LOCAL_IN_TASKS  3 tasks, 1 object   probable\n"));
    const std::string reads = Place("reads its user");
    EXPECT_THAT(found.output,
                HasSubstr("3 tasks  has stored L1.user  in handle  " + Place("loses its user") +
                          ", reads it at line " + reads.substr(reads.find(':') + 1)));
    EXPECT_THAT(found.output, HasSubstr("L1 threading.local 0x"));
  }
}

TEST(PythonUses, TwoThreadsInsideOneObject) {
  const Target target(Program(CT_PYTHON, {"--threads"}));
  const Outcome found = RunTracer(
      {"snapshot", "-p", std::to_string(target.pid()), "--exclusive-class", "__main__.Ledger"});
  EXPECT_EQ(found.status, kFindings) << found.error;
  EXPECT_THAT(found.output, HasSubstr("SHARED_OBJECT  2 threads, 1 object   certain\n"));
  EXPECT_THAT(found.output, HasSubstr("is inside L1  in Ledger.post  " + Place("posts")));
}

// One computes in SQLite, or a function of SQL has called Python back; the other waits for the
// mutex that SQLite takes for each call.
TEST(PythonUses, TwoThreadsInsideOneConnectionOfSqlite) {
  for (const std::string& python : Interpreters()) {
    for (const char* const how : {"--counting", "--parked"}) {
      SCOPED_TRACE(python + " " + how);
      const Target target(Program(python, {"--sqlite", how}));
      target.AwaitAsleep({"audit"});
      const std::string pid = std::to_string(target.pid());
      for (const Outcome& found : {RunTracer({"tasks", "-p", pid}),
                                   RunTracer({"snapshot", "-p", pid, "--long-wait", "1000s"})}) {
        EXPECT_EQ(found.status, kFindings) << found.output << found.error;
        EXPECT_THAT(found.output, HasSubstr("SHARED_OBJECT  2 threads, 1 object   certain\n"));
        EXPECT_THAT(found.output, HasSubstr("is inside L1  in report  " + Place("reports")));
        EXPECT_THAT(found.output, HasSubstr("is inside L1  in audit   " + Place("audits")));
        EXPECT_THAT(found.output, HasSubstr("L1 sqlite3.Connection 0x"));
      }
    }
  }
}

// Each with its own, or one after the other, or in a task that the first one waits for.
TEST(PythonUses, WhoeverKeepsThemApartIsNotAccused) {
  for (const std::string& python : Interpreters()) {
    for (const char* what : {"--session", "--local", "--threads", "--sqlite"}) {
      SCOPED_TRACE(python + " " + what);
      const Target target(Program(python, {what, "--healthy"}));
      for (int look = 0; look < 20; ++look) {
        const Outcome quiet = Tasks(target.pid(), {"--exclusive-class", "__main__.Ledger"});
        EXPECT_EQ(quiet.status, kNothing) << quiet.output << quiet.error;
        SleepFor(Milliseconds(3));
      }
    }
  }
}

}  // namespace
}  // namespace ct::test
