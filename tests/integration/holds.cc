#include "tests/integration/holds.h"

#include <signal.h>

namespace ct::test {
namespace {

constexpr Milliseconds kArmed = std::chrono::seconds(20);
constexpr Milliseconds kFound = std::chrono::seconds(20);
constexpr Milliseconds kEnded = std::chrono::seconds(60);

}  // namespace

HoldTrace::HoldTrace(pid_t pid, const Strings& more, SpawnOptions spawn) {
  // The budget has tests of its own: here nothing may come off because others use the machine.
  Strings command{TracerPath(),     "--holds", "-p", std::to_string(pid),       "-i", "50ms",
                  "--max-overhead", "100",     "-o", directory_.File("last.pb")};
  command.insert(command.end(), more.begin(), more.end());
  spawn.directory = directory_.path();
  child_ = std::make_unique<Child>(command, spawn);
  child_->ReadUntilError("following acquires and releases", kArmed);
}

Answer HoldTrace::Stop() {
  child_->Signal(SIGINT);
  return Await();
}

Answer HoldTrace::Await() {
  const int status = ExitStatusOf(child_->Wait(kEnded));
  Answer answer = AnswerOf(RunTracer({"show", "--json", directory_.File("last.pb")}));
  answer.run.status = status;
  answer.run.error += child_->error();
  return answer;
}

Followed Follow(Target& target, const FollowOptions& options) {
  HoldTrace trace(target.pid(), options.more, options.spawn);
  target.Signal(SIGUSR1);
  target.Await("DONE");
  if (!options.asleep.empty()) target.AwaitAsleep(options.asleep);
  if (!options.until.empty()) trace.child().ReadUntilOutput(options.until, kFound);
  SleepFor(options.after);
  Followed followed;
  followed.answer = trace.Stop();
  followed.text = trace.text();
  followed.said = trace.said();
  return followed;
}

Followed Follow(const std::string& target, const Strings& arguments, const FollowOptions& options) {
  Target running(target, arguments);
  return Follow(running, options);
}

void ExpectSilence(const Followed& followed) { ExpectFound(followed, kNothing, ""); }

void ExpectFound(const Followed& followed, int status, const std::string& findings) {
  EXPECT_EQ(followed.answer.findings, findings) << followed.text << followed.said;
  EXPECT_EQ(followed.answer.run.status, status) << followed.text << followed.said;
  EXPECT_EQ(followed.answer.relevant_losses, Strings{}) << followed.said;
}

}  // namespace ct::test
