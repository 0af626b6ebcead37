#include "kernel/process_stop.h"

#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

namespace ct {
namespace {

// A process of our own that never sleeps.
class Spinner {
 public:
  Spinner() : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) getppid();
  }
  ~Spinner() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Spinner(const Spinner&) = delete;
  Spinner& operator=(const Spinner&) = delete;
  Spinner(Spinner&&) = delete;
  Spinner& operator=(Spinner&&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // 'R': runs or could; 't': as a debugger stops it.
  [[nodiscard]] char State() const {
    std::ifstream stat("/proc/" + std::to_string(pid_) + "/stat");
    std::string line;
    std::getline(stat, line);
    return line.at(line.rfind(')') + 2);
  }
  void ExpectToGoOn() const {
    while (State() != 'R') std::this_thread::yield();
  }

 private:
  const pid_t pid_;
};

TEST(ProcessStop, StopsAndLetsGo) {
  const Spinner spinner;
  ProcessStop stop(spinner.pid(), kSecond * 10);
  const Status begun = stop.Begin();
  ASSERT_TRUE(begun) << begun.error().message;
  EXPECT_EQ(spinner.State(), 't');
  const auto time = stop.End();
  ASSERT_TRUE(time);
  EXPECT_GT(*time, 0);
  spinner.ExpectToGoOn();
}

TEST(ProcessStop, LetsGoByItselfWhenTheTimeIsUp) {
  const Spinner spinner;
  ProcessStop stop(spinner.pid(), kMillisecond);
  ASSERT_TRUE(stop.Begin());
  spinner.ExpectToGoOn();
  EXPECT_FALSE(stop.End());
}

TEST(ProcessStop, LetsGoAtTheEndOfItsScope) {
  const Spinner spinner;
  {
    ProcessStop stop(spinner.pid(), kSecond * 10);
    ASSERT_TRUE(stop.Begin());
  }
  spinner.ExpectToGoOn();
}

// A signal that came meanwhile is not lost.
TEST(ProcessStop, KeepsSignals) {
  const Spinner spinner;
  ProcessStop stop(spinner.pid(), kSecond * 10);
  ASSERT_TRUE(stop.Begin());
  kill(spinner.pid(), SIGTERM);
  stop.End();
  int status = 0;
  ASSERT_EQ(waitpid(spinner.pid(), &status, 0), spinner.pid());
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST(ProcessStop, SaysWhyNot) {
  ProcessStop none(1 << 30, kSecond);
  const Status status = none.Begin();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace ct
