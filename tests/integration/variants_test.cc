// The same 2-lock cycle where it is harder to see.
#include <signal.h>
#include <unistd.h>

#include <filesystem>

#include <sys/mount.h>

#include "tests/integration/expect.h"

namespace ct::test {
namespace {

std::string Cycle(const std::string& state = "") {
  return Lines(
      {"DEADLOCK certain, never ends",
       Waits({"audit", "mutex g_ledger_mu", "io", LineOf("abba.cc", "audit waits")}) + state,
       Waits({"io", "mutex g_account_mu", "audit", LineOf("abba.cc", "io waits")}) + state,
       "  ring: audit, io"});
}

TEST(Variant, InNewPidAndMountNamespaces) {
  const Target target(Target::InNewNamespaces({TargetPath("abba")}));
  target.AwaitAsleep({"audit", "io"});
  const pid_t pid = target.ProcessOf("audit");
  const Answer answer = LookAt(pid);
  ExpectAnswer(answer, kHang, Cycle());
  EXPECT_EQ(ProcessRow(answer, pid).ns_pid(), 1);
}

// As in a container: its file is on a file system that only it sees, and the same path names
// something else here.
TEST(Variant, WhereThePathIsAnotherFile) {
  const TempDir directory;
  const std::string program = directory.File("server");
  std::filesystem::copy_file("/bin/true", program);
  const Target target(Target::InNewNamespaces({"sh", "-c",
                                               "mount -t tmpfs none '" + directory.path() +
                                                   "' && cp '" + TargetPath("abba") + "' '" +
                                                   program + "' && exec '" + program + "'"}));
  target.AwaitAsleep({"audit", "io"});
  ExpectAnswer(LookAt(target.ProcessOf("audit")), kHang, Cycle());
}

// Without symbols a stack is modules and offsets, which another machine can name by build id.
TEST(Variant, Stripped) {
  const Target target("abba_stripped");
  target.AwaitAsleep({"audit", "io"});
  ExpectAnswer(LookAt(target.pid()), kHang,
               Deadlock({{"audit", "mutex", "io", "abba_stripped"},
                         {"io", "mutex", "audit", "abba_stripped"}},
                        "audit, io"));
}

TEST(Variant, DeletedAfterStart) {
  const TempDir directory;
  const std::string program = directory.File("abba");
  std::filesystem::copy_file(TargetPath("abba"), program);
  const Target target(Strings{program});
  std::filesystem::remove(program);
  target.AwaitAsleep({"audit", "io"});
  ExpectAnswer(LookAt(target.pid()), kHang, Cycle());
}

TEST(Variant, UnderAProfilersSignals) {
  const Target target("abba", {"--profiler"});
  target.AwaitAsleep({"audit", "io"});
  for (int look = 0; look < 5; ++look) {
    Answer answer = LookAt(target.pid());
    // A thread that a signal woke since its stack was read is marked so, and still accused rightly;
    // so is one that such a signal has woken just now and that waits for its turn on a busy CPU.
    for (const std::string marked : {" (stack moved)", ", runnable"}) {
      for (std::size_t at; (at = answer.findings.find(marked)) != std::string::npos;) {
        answer.findings.erase(at, marked.size());
      }
    }
    ExpectAnswer(answer, kHang, Cycle());
  }
}

TEST(Variant, Stopped) {
  const Target target("abba");
  target.AwaitAsleep({"audit", "io"});
  kill(target.pid(), SIGSTOP);
  target.AwaitState("audit", 'T');
  target.AwaitState("io", 'T');
  ExpectAnswer(LookAt(target.pid()), kHang, Cycle(", stopped"));
}

}  // namespace
}  // namespace ct::test
