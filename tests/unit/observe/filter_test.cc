// Which processes a filter selects, and what is wrong with a filter that selects none.
#include "observe/filter.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/observe/raw_look.h"

namespace ct {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr pid_t kNobody = 1 << 22;  // PID_MAX_LIMIT: no process has it

// A child that runs `body` and is killed in the end.
class Child {
 public:
  explicit Child(void (*body)()) : pid_(fork()) {
    if (pid_ != 0) return;
    body();
    _exit(0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  // Its first thread is a zombie (nobody has waited for it).
  void AwaitZombie() const {
    for (std::string status; status.find("Z (zombie)") == std::string::npos;) {
      std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
      std::getline(file, status, '\0');
      usleep(1000);
    }
  }

 private:
  pid_t pid_;
};

Filter Pid(pid_t pid) {
  Filter filter;
  filter.pids = {pid};
  return filter;
}

std::string Complaint(const Filter& filter) {
  const Status status = CheckFilter(filter);
  return status ? "" : status.error().message;
}

ErrorCode Code(const Filter& filter) { return CheckFilter(filter).error().code; }

TEST(CheckFilter, AcceptsAProcess) { EXPECT_EQ(Complaint(Pid(getpid())), ""); }

TEST(CheckFilter, AcceptsTheWholeHost) { EXPECT_EQ(Complaint({}), ""); }

TEST(CheckFilter, RefusesAProcessThatIsNot) {
  EXPECT_EQ(Complaint(Pid(kNobody)), "there is no process 4194304");
  EXPECT_EQ(Code(Pid(kNobody)), ErrorCode::kNotFound);
}

TEST(CheckFilter, RefusesAZombie) {
  const Child child([] {});
  child.AwaitZombie();
  EXPECT_THAT(Complaint(Pid(child.pid())), HasSubstr("is a zombie: it has ended"));
  EXPECT_EQ(Code(Pid(child.pid())), ErrorCode::kNotFound);
  EXPECT_FALSE(IsAlive(child.pid()));
}

// The first thread of a process may end before the others: it lives, and may hang.
TEST(CheckFilter, AcceptsAProcessWhoseFirstThreadHasEnded) {
  const Child child([] {
    std::thread([] { pause(); }).detach();
    syscall(SYS_exit, 0);
  });
  child.AwaitZombie();
  EXPECT_EQ(Complaint(Pid(child.pid())), "");
  EXPECT_TRUE(IsAlive(child.pid()));
}

TEST(CheckFilter, RefusesAThreadAndNamesItsProcess) {
  std::string complaint;
  ErrorCode code{};
  pid_t tid = 0;
  std::thread([&] {
    tid = gettid();
    complaint = Complaint(Pid(tid));
    code = Code(Pid(tid));
  }).join();
  const std::string pid = std::to_string(getpid());
  EXPECT_EQ(complaint, std::to_string(tid) + " is a thread of process " + pid + ": use -p " + pid);
  EXPECT_EQ(code, ErrorCode::kUsage);
}

TEST(CheckFilter, RefusesAUnitThatDoesNotRun) {
  Filter filter;
  filter.unit = "no-such-unit";
  EXPECT_EQ(Complaint(filter), "unit 'no-such-unit.service' has no cgroup: is it running?");
  EXPECT_EQ(Code(filter), ErrorCode::kNotFound);
}

TEST(CheckFilter, RefusesACgroupThatIsNot) {
  Filter filter;
  filter.cgroup = "/no/such/cgroup";
  EXPECT_EQ(Complaint(filter), "there is no cgroup '/no/such/cgroup' below /sys/fs/cgroup");
  EXPECT_EQ(Code(filter), ErrorCode::kNotFound);
}

TEST(IsAlive, IsFalseForNobody) { EXPECT_FALSE(IsAlive(kNobody)); }

// --- selection ----------------------------------------------------------------------------------

std::vector<TaskSample> ThreeProcesses() {
  testing::LookBuilder look;
  look.Thread(100, 100);
  look.Thread(101, 100);
  look.Thread(200, 200);
  look.Thread(300, 300);
  return look.FirstSweep().tasks;
}

std::unordered_set<pid_t> Selected(const Filter& filter) {
  return SelectProcesses(filter, ThreeProcesses()).value();
}

TEST(SelectProcesses, TakesAllWithoutAFilter) {
  EXPECT_THAT(Selected({}), UnorderedElementsAre(100, 200, 300));
}

TEST(SelectProcesses, ByPid) {
  Filter filter;
  filter.pids = {100, 300, kNobody};
  EXPECT_THAT(Selected(filter), UnorderedElementsAre(100, 300));
}

TEST(SelectProcesses, ByTheNameOfTheFirstThread) {
  Filter filter;
  filter.comm = "t100";
  EXPECT_THAT(Selected(filter), UnorderedElementsAre(100));
  filter.comm = "t101";
  EXPECT_THAT(Selected(filter), IsEmpty()) << "t101 is a thread of t100";
}

// The kernel cuts names, and nobody remembers at which letter.
TEST(SelectProcesses, ByANameLongerThanTheKernelKeeps) {
  std::vector<TaskSample> tasks = ThreeProcesses();
  for (TaskSample& task : tasks) task.leader_comm = "billing-service";
  Filter filter;
  filter.comm = "billing-service-eu-west";
  EXPECT_EQ(SelectProcesses(filter, tasks).value().size(), 3U);
}

TEST(SelectProcesses, ByAllThatIsAskedForAtOnce) {
  Filter filter;
  filter.pids = {100, 200};
  filter.comm = "t200";
  EXPECT_THAT(Selected(filter), UnorderedElementsAre(200));
}

TEST(SelectProcesses, ByACgroupThatIsNot) {
  Filter filter;
  filter.cgroup = "/no/such/cgroup";
  const auto selected = SelectProcesses(filter, ThreeProcesses());
  ASSERT_FALSE(selected);
  EXPECT_EQ(selected.error().code, ErrorCode::kNotFound);
}

// A line of /proc/self/cgroup, "0::/user.slice/x.scope", or with a hierarchy's name.
std::string OwnCgroup() {
  std::ifstream file("/proc/self/cgroup");
  std::string line;
  std::string path;
  while (std::getline(file, line)) path = line.substr(line.rfind(':') + 1);
  return path;
}

TEST(SelectProcesses, ByItsCgroup) {
  Filter filter;
  filter.cgroup = OwnCgroup();
  const Status status = CheckFilter(filter);
  if (!std::filesystem::exists("/sys/fs/cgroup" + filter.cgroup)) {
    // No cgroups, or those of another cgroup namespace.
    EXPECT_FALSE(status);
    return;
  }
  TaskSample self;
  self.leader.tid = getpid();
  TaskSample nobody;
  nobody.leader.tid = kNobody;
  EXPECT_THAT(SelectProcesses(filter, {self, nobody}).value(), UnorderedElementsAre(getpid()));
}

TEST(FilterText, IsWhatWasAskedFor) {
  Filter filter;
  EXPECT_EQ(filter.Text(), "");
  EXPECT_TRUE(filter.empty());
  filter.pids = {4242, 4243};
  EXPECT_EQ(filter.Text(), "pid 4242, 4243");
  filter.comm = "evil\x1b[2J";
  filter.cgroup = "/a";
  filter.unit = "nginx.service";
  EXPECT_EQ(filter.Text(), "pid 4242, 4243, comm evil?[2J, cgroup /a, unit nginx.service");
  EXPECT_FALSE(filter.empty());
}

}  // namespace
}  // namespace ct
