// What a look leaves behind: a file, an exit status, and a target that noticed nothing.
#include <signal.h>

#include <algorithm>
#include <regex>

#include <sys/stat.h>

#include "tests/integration/expect.h"

namespace ct::test {
namespace {

class LookAtAbba : public testing::Test {
 protected:
  LookAtAbba() { target_.AwaitAsleep({"audit", "io"}); }
  [[nodiscard]] std::string Pid() const { return std::to_string(target_.pid()); }
  Outcome RunHere(const Strings& arguments) const {
    SpawnOptions options;
    options.directory = directory_.path();
    return RunTracer(arguments, options);
  }

  const Target target_{"abba"};
  const TempDir directory_;
};

TEST_F(LookAtAbba, NobodyOfTheTargetRuns) {
  const auto before = SwitchesOf(target_.pid());
  ASSERT_EQ(before.size(), 3U);
  EXPECT_EQ(LookAt(target_.pid()).run.status, kHang);
  EXPECT_EQ(SwitchesOf(target_.pid()), before);
}

TEST_F(LookAtAbba, NamedByComm) {
  const Answer answer = Look({"--comm", "abba"});
  EXPECT_EQ(answer.run.status, kHang);
  EXPECT_TRUE(ProcessRow(answer, target_.pid()).selected());
}

TEST_F(LookAtAbba, WritesAFileForTheTicketAndSaysWhere) {
  const Outcome run = RunHere({"snapshot", "-p", Pid()});
  EXPECT_EQ(run.status, kHang) << run.error;
  EXPECT_EQ(run.error, "");
  EXPECT_TRUE(run.output.starts_with("DEADLOCK ")) << run.output;
  const Strings files = directory_.List();
  ASSERT_EQ(files.size(), 1U);
  EXPECT_TRUE(std::regex_match(files[0], std::regex("ct-.+-" + Pid() + "-[0-9T]+Z\\.pb")))
      << files[0];
  EXPECT_TRUE(SplitLines(run.output).back().starts_with("snapshot  " + files[0])) << run.output;
  struct stat status {};
  ASSERT_EQ(stat(directory_.File(files[0]).c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
}

TEST_F(LookAtAbba, ShowSaysTheSameAsTheSnapshotDid) {
  const Outcome seen = RunHere({"snapshot", "-p", Pid(), "-o", "x.pb", "--json"});
  const Outcome shown = RunHere({"show", "x.pb", "--json"});
  EXPECT_EQ(seen.status, kHang) << seen.error;
  EXPECT_EQ(shown.status, kHang) << shown.error;
  EXPECT_EQ(shown.output, seen.output);
}

TEST_F(LookAtAbba, DumpWritesNoFile) {
  const Outcome run = RunHere({"dump", "-p", Pid()});
  EXPECT_EQ(run.status, kHang) << run.error;
  EXPECT_TRUE(run.output.starts_with("DEADLOCK ")) << run.output;
  EXPECT_EQ(directory_.List(), Strings{});
}

TEST_F(LookAtAbba, ATraceTellsItOnceAndWritesOneFile) {
  const Outcome run = RunHere({"-p", Pid(), "-i", "50ms", "-d", "1s"});
  EXPECT_EQ(run.status, kHang) << run.error;
  const Strings lines = SplitLines(run.output);
  EXPECT_EQ(std::count_if(lines.begin(), lines.end(),
                          [](const std::string& line) { return line.starts_with("DEADLOCK"); }),
            1)
      << run.output;
  const Strings files = directory_.List();
  ASSERT_EQ(files.size(), 1U) << run.output;
  EXPECT_EQ(RunHere({"show", files[0]}).status, kHang);
}

TEST(Trace, TellsAHangThatHappensWhileItWatches) {
  const TempDir directory;
  const Target target("shared_memory", {"--hold"});
  target.AwaitAsleep({"left"});
  SpawnOptions options;
  options.directory = directory.path();
  Child tracer({TracerPath(), "-p", std::to_string(target.pid()), "-i", "50ms", "-d", "3s",
                "--long-wait", "1s"},
               options);
  const int status = ExitStatusOf(tracer.Wait(std::chrono::seconds(20)));
  EXPECT_EQ(status, kFindings) << tracer.error();
  EXPECT_NE(("\n" + tracer.output()).find("\nLONG_WAIT "), std::string::npos) << tracer.output();
}

}  // namespace
}  // namespace ct::test
