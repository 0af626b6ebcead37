// Each mistake has one clear line and its exit status, and leaves nothing half-written.
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <set>

#include <linux/bpf.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/integration/expect.h"

namespace ct::test {
namespace {

constexpr uid_t kNobody = 65534;

// One line on standard error that names the culprit, and nothing on standard output.
void ExpectRefusal(const Outcome& run, int status, const std::string& about) {
  EXPECT_EQ(run.status, status) << run.error;
  EXPECT_EQ(run.output, "");
  const Strings lines = SplitLines(run.error);
  ASSERT_FALSE(lines.empty());
  EXPECT_TRUE(lines[0].starts_with("concurrency-tracer: ")) << run.error;
  EXPECT_NE(lines[0].find(about), std::string::npos) << run.error;
  // A usage error may also say where to read on.
  EXPECT_LE(lines.size(), status == kUsage ? 2U : 1U) << run.error;
}

std::string Number(pid_t pid) { return std::to_string(pid); }

TEST(BadUsage, IsToldWithStatus2) {
  ExpectRefusal(RunTracer({"snapshot", "-p", "abc"}), kUsage, "abc");
  ExpectRefusal(RunTracer({"snapshot", "-p", "-1"}), kUsage, "-1");
  ExpectRefusal(RunTracer({"snapshot", "--no-such-option"}), kUsage, "--no-such-option");
  ExpectRefusal(RunTracer({"explain"}), kUsage, "explain");
  ExpectRefusal(RunTracer({"snapshot", "--long-wait", "soon"}), kUsage, "soon");
  ExpectRefusal(RunTracer({"-i", "-5s"}), kUsage, "-5s");
  ExpectRefusal(RunTracer({"snapshot", "--format", "xml"}), kUsage, "xml");
  ExpectRefusal(RunTracer({"show"}), kUsage, "FILE");
}

TEST(BadUsage, HelpIsNone) {
  for (const Strings& arguments : {Strings{"--help"}, Strings{"snapshot", "--help"},
                                   Strings{"dump", "--help"}, Strings{"show", "--help"}}) {
    const Outcome run = RunTracer(arguments);
    EXPECT_EQ(run.status, 0);
    EXPECT_NE(run.output.find("--"), std::string::npos) << run.output;
  }
}

TEST(NotRoot, SaysWhichPrivilegeIsMissing) {
  const Target target("abba");
  SpawnOptions as_nobody;
  as_nobody.before_exec = [] {
    if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(126);
  };
  as_nobody.directory = "/tmp";
  // The build may lie where nobody else may read: a copy may be run by everybody.
  const TempDir directory;
  std::filesystem::permissions(directory.path(), std::filesystem::perms::all);
  const std::string tracer = directory.File("concurrency-tracer");
  std::filesystem::copy_file(TracerPath(), tracer);
  Child child({tracer, "snapshot", "-p", Number(target.pid())}, as_nobody);
  Outcome run;
  run.status = ExitStatusOf(child.Wait(std::chrono::seconds(20)));
  run.output = child.output();
  run.error = child.error();
  ExpectRefusal(run, kError, "CAP_");
}

void DropFromBoundingSet(int capability) {
  if (prctl(PR_CAPBSET_DROP, capability) != 0) _exit(126);
}

TEST(NotRoot, SaysWhichCapabilityRootLacks) {
  const Target target("abba");
  SpawnOptions options;
  options.before_exec = [] { DropFromBoundingSet(CAP_SYS_PTRACE); };
  ExpectRefusal(RunTracer({"snapshot", "-p", Number(target.pid())}, options), kError,
                "CAP_SYS_PTRACE is missing");
}

TEST(OldKernel, WithoutTypeInformation) {
  const Target target("abba");
  SpawnOptions options;
  options.before_exec = [] {
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", "/sys/kernel/btf", "tmpfs", MS_RDONLY, nullptr) != 0) {
      _exit(126);
    }
  };
  ExpectRefusal(RunTracer({"snapshot", "-p", Number(target.pid())}, options), kError,
                "CONFIG_DEBUG_INFO_BTF");
}

TEST(BadPid, DoesNotExist) {
  const std::string beyond = ReadWhole("/proc/sys/kernel/pid_max");
  const std::string pid = beyond.substr(0, beyond.find('\n'));
  ExpectRefusal(RunTracer({"snapshot", "-p", pid}), kError, pid);
}

TEST(BadPid, KernelThread) {
  ExpectRefusal(RunTracer({"snapshot", "-p", "2"}), kUsage, "kernel thread");
}

TEST(BadPid, Zombie) {
  const Target target("zombie");
  ExpectRefusal(RunTracer({"snapshot", "-p", Number(target.Fact("zombie"))}), kError, "zombie");
}

// Whatever the moment: a verdict about what was there, or one line that it is gone.
TEST(BadPid, DiesDuringTheSweep) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int> moment(0, 120);
  const TempDir directory;
  for (int round = 0; round < 25; ++round) {
    auto target = std::make_unique<Target>("abba");
    Child tracer(
        {TracerPath(), "snapshot", "-p", Number(target->pid()), "-o", directory.File("x.pb")});
    SleepFor(Milliseconds(moment(random)));
    target.reset();
    const int status = ExitStatusOf(tracer.Wait(std::chrono::seconds(20)));
    EXPECT_TRUE(status == kNothing || status == kError || status == kNotSeen || status == kHang)
        << status << tracer.output() << tracer.error();
    const std::size_t error_lines = SplitLines(tracer.error()).size();
    EXPECT_EQ(error_lines, status == kError ? 1U : 0U) << tracer.error();
  }
}

TEST(BadPid, ThreadsAndProcessesThatComeAndGo) {
  const Target target("zombie", {"--churn"});
  for (int look = 0; look < 10; ++look) {
    const Answer answer = LookAt(target.pid());
    EXPECT_EQ(answer.findings, "");
    EXPECT_EQ(answer.run.status, kNothing) << answer.run.error;
  }
}

class BadFile : public testing::Test {
 protected:
  // A good file, to be spoiled.
  static void SetUpTestSuite() {
    const TempDir directory;
    const Target target("abba");
    target.AwaitAsleep({"audit", "io"});
    const Outcome run =
        RunTracer({"snapshot", "-p", Number(target.pid()), "-o", directory.File("good.pb")});
    ASSERT_EQ(run.status, kHang) << run.error;
    good_ = ReadWhole(directory.File("good.pb"));
    ASSERT_GT(good_.size(), 100U);
  }
  void ExpectRefused(const std::string& bytes, const std::string& about) const {
    WriteWhole(directory_.File("bad.pb"), bytes);
    for (const char* format : {"text", "json"}) {
      ExpectRefusal(RunTracer({"show", directory_.File("bad.pb"), "--format", format}), kError,
                    about);
    }
  }

  static inline std::string good_;
  const TempDir directory_;
};

TEST_F(BadFile, DoesNotExist) {
  ExpectRefusal(RunTracer({"show", directory_.File("none.pb")}), kError, "none.pb");
}

TEST_F(BadFile, IsADirectory) {
  ExpectRefusal(RunTracer({"show", directory_.path()}), kUsage, directory_.path());
}

TEST_F(BadFile, IsEmpty) { ExpectRefused("", "empty"); }

TEST_F(BadFile, IsForeign) {
  ExpectRefused(ReadWhole("/bin/true"), "not a concurrency-tracer snapshot");
  ExpectRefused("{\"findings\": []}\n", "not a concurrency-tracer snapshot");
}

TEST_F(BadFile, IsTruncatedAnywhere) {
  for (std::size_t size = 9; size < good_.size(); size += 1 + good_.size() / 20) {
    ExpectRefused(good_.substr(0, size), "truncated");
  }
}

TEST_F(BadFile, IsCorruptAnywhere) {
  for (std::size_t position = 12; position < good_.size(); position += 1 + good_.size() / 20) {
    std::string bytes = good_;
    bytes[position] = static_cast<char>(bytes[position] ^ 0x55);
    ExpectRefused(bytes, "bad.pb");
  }
}

// The format's major number stands just after the magic: its key, then 1.
TEST_F(BadFile, IsNewer) {
  ASSERT_EQ(good_.substr(9, 2), "\x10\x01");
  std::string bytes = good_;
  bytes[10] = 2;
  ExpectRefused(bytes, "newer");
}

// A mount of our own, in a mount namespace of our own.
class BadDisk : public testing::Test {
 protected:
  void MountTmpfs(unsigned long flags, const char* options) {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount("none", directory_.path().c_str(), "tmpfs", flags, options), 0);
    mounted_ = true;
  }
  ~BadDisk() override {
    if (mounted_) umount2(directory_.path().c_str(), MNT_DETACH);
  }
  // The findings are told all the same; only the file is missing.
  void ExpectNoFile(const Strings& remaining, const std::string& reason) {
    const Target target("abba");
    target.AwaitAsleep({"audit", "io"});
    const Outcome run =
        RunTracer({"snapshot", "-p", Number(target.pid()), "-o", directory_.File("x.pb")});
    EXPECT_EQ(run.status, kError);
    EXPECT_TRUE(run.output.starts_with("DEADLOCK ")) << run.output;
    EXPECT_EQ(SplitLines(run.error).size(), 1U) << run.error;
    EXPECT_NE(run.error.find("x.pb"), std::string::npos) << run.error;
    EXPECT_NE(run.error.find(reason), std::string::npos) << run.error;
    EXPECT_EQ(directory_.List(), remaining);
  }

  const TempDir directory_;
  bool mounted_ = false;
};

TEST_F(BadDisk, Full) {
  MountTmpfs(0, "size=8k");
  EXPECT_THROW(WriteWhole(directory_.File("filler"), std::string(64 << 10, 'x')),
               std::runtime_error);
  ExpectNoFile({"filler"}, "No space left on device");
}

TEST_F(BadDisk, ReadOnly) {
  MountTmpfs(MS_RDONLY, "size=8k");
  ExpectNoFile({}, "Read-only file system");
}

TEST_F(BadDisk, NoSuchDirectory) {
  const Outcome run = RunTracer({"snapshot", "-p", Number(getpid()), "-o", "/no/such/dir/x.pb"});
  EXPECT_EQ(run.status, kError);
  EXPECT_NE(run.error.find("/no/such/dir"), std::string::npos) << run.error;
}

TEST(BadOutput, NobodyReadsIt) {
  const Target target("abba");
  SpawnOptions options;
  options.before_exec = [] {
    int ends[2];
    if (pipe(ends) != 0) _exit(126);
    close(ends[0]);
    dup2(ends[1], STDOUT_FILENO);
  };
  const Outcome run = RunTracer({"dump", "-p", Number(target.pid())}, options);
  EXPECT_EQ(run.status, kError);
  EXPECT_EQ(run.error, "") << "as of any program in a pipe";
}

// Ids of all BPF programs of the host.
std::set<std::uint32_t> BpfPrograms() {
  std::set<std::uint32_t> ids;
  bpf_attr attributes{};
  while (syscall(SYS_bpf, BPF_PROG_GET_NEXT_ID, &attributes, sizeof(attributes)) == 0) {
    ids.insert(attributes.next_id);
    attributes.start_id = attributes.next_id;
  }
  return ids;
}

class Interrupted : public testing::TestWithParam<int> {};

TEST_P(Interrupted, AtAnyMomentEndsCleanly) {
  const Target target("abba");
  target.AwaitAsleep({"audit", "io"});
  std::mt19937 random(static_cast<unsigned>(GetParam()));
  std::uniform_int_distribution<int> moment(0, 400);
  const std::set<std::uint32_t> programs = BpfPrograms();
  for (int round = 0; round < 12; ++round) {
    const TempDir directory;
    SpawnOptions options;
    options.directory = directory.path();
    Child tracer({TracerPath(), "-p", Number(target.pid()), "-i", "20ms", "-o", "last.pb"},
                 options);
    const int delay = moment(random);
    SleepFor(Milliseconds(delay));
    tracer.Signal(GetParam());
    const int status = ExitStatusOf(tracer.Wait(std::chrono::seconds(3)));
    // Before it can have set up anything, the signal's default action is as good.
    EXPECT_TRUE(status == kHang || (status == 128 + GetParam() && delay < 100))
        << status << " after " << delay << " ms\n"
        << tracer.output() << tracer.error();
    for (const std::string& file : directory.List()) {
      EXPECT_EQ(RunTracer({"show", directory.File(file)}).status, kHang)
          << file << " after " << delay << " ms";
    }
  }
  // The kernel frees programs a moment after their last user: ours, and those of the test before.
  const auto left = [&] {
    std::set<std::uint32_t> ids = BpfPrograms();
    for (const std::uint32_t known : programs) ids.erase(known);
    return ids;
  };
  for (int wait = 0; wait < 50 && !left().empty(); ++wait) SleepFor(Milliseconds(100));
  EXPECT_EQ(left(), std::set<std::uint32_t>{});
}

INSTANTIATE_TEST_SUITE_P(Trace, Interrupted, testing::Values(SIGINT, SIGTERM),
                         [](const auto& info) {
                           return info.param == SIGINT ? "SIGINT" : "SIGTERM";
                         });

}  // namespace
}  // namespace ct::test
