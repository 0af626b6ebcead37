// Every target without its mistake, at work: looked at again and again, and nothing is found.
#include "tests/integration/expect.h"

namespace ct::test {
namespace {

struct Twin {
  const char* name;
  Strings command;
  bool own_namespaces = false;
};

void PrintTo(const Twin& twin, std::ostream* stream) { *stream << twin.name; }

class HealthyTwin : public testing::TestWithParam<Twin> {
 protected:
  static Strings Command() {
    Strings command = GetParam().command;
    command[0] = TargetPath(command[0]);
    return GetParam().own_namespaces ? Target::InNewNamespaces(command) : command;
  }
  static pid_t PidOf(const Target& target) {
    if (!GetParam().own_namespaces) return target.pid();
    // unshare's one child.
    const std::string tasks = "/proc/" + std::to_string(target.pid()) + "/task/";
    return std::stoi(ReadWhole(tasks + std::to_string(target.pid()) + "/children"));
  }
};

TEST_P(HealthyTwin, StaysSilentLookAfterLook) {
  const Target target(Command());
  const pid_t pid = PidOf(target);
  for (int look = 0; look < 10; ++look) {
    const Answer answer = LookAt(pid);
    ASSERT_EQ(answer.findings, "") << "look " << look;
    ASSERT_EQ(answer.run.status, kNothing) << "look " << look << "\n" << answer.run.error;
  }
}

TEST_P(HealthyTwin, StaysSilentInATrace) {
  const Target target(Command());
  const TempDir directory;
  SpawnOptions options;
  options.directory = directory.path();
  const Outcome run =
      RunTracer({"-p", std::to_string(PidOf(target)), "-i", "50ms", "-d", "1s"}, options);
  EXPECT_EQ(run.status, kNothing) << run.output << run.error;
  EXPECT_EQ(directory.List(), Strings{}) << run.output;
}

INSTANTIATE_TEST_SUITE_P(
    Targets, HealthyTwin,
    testing::Values(
        Twin{"abba", {"abba", "--healthy"}}, Twin{"profiler", {"abba", "--healthy", "--profiler"}},
        Twin{"stripped", {"abba_stripped", "--healthy"}},
        Twin{"namespaces", {"abba", "--healthy"}, true}, Twin{"ring5", {"ring5", "--healthy"}},
        Twin{"self_relock", {"self_relock", "--healthy"}}, Twin{"rwlock", {"rwlock", "--healthy"}},
        Twin{"robust", {"typed_mutex", "--robust", "--healthy"}},
        Twin{"pi", {"typed_mutex", "--pi", "--healthy"}},
        Twin{"pi_both", {"typed_mutex", "--pi-both", "--healthy"}},
        Twin{"recursive", {"typed_mutex", "--recursive", "--healthy"}},
        Twin{"errorcheck", {"typed_mutex", "--errorcheck", "--healthy"}},
        Twin{"adaptive", {"typed_mutex", "--adaptive", "--healthy"}},
        Twin{"join", {"join_held", "--healthy"}},
        Twin{"cond_reacquire", {"cond_reacquire", "--healthy"}},
        Twin{"shared_memory", {"shared_memory", "--healthy"}},
        Twin{"timed", {"timed", "--healthy"}}, Twin{"exited_owner", {"exited_owner", "--healthy"}},
        Twin{"fork_inherited", {"fork_inherited", "--healthy"}},
        Twin{"clone_vm", {"shared_space", "--healthy"}},
        Twin{"vfork", {"shared_space", "--vfork", "--healthy"}},
        Twin{"lost_wakeup", {"lost_wakeup", "--healthy"}}, Twin{"chain", {"chain", "--healthy"}},
        Twin{"malloc_arena", {"malloc_arena", "--healthy"}, true},
        Twin{"userfault", {"userfault", "--healthy"}},
        Twin{"stdio_lock", {"stdio_lock", "--healthy"}}, Twin{"musl", {"musl_abba", "--healthy"}},
        Twin{"rust", {"rust_abba", "--healthy"}},
        Twin{"few_threads_one_mutex", {"hot_lock", "--threads=4"}},
        Twin{"ping_pong", {"ping_pong"}}, Twin{"idle", {"idle"}}, Twin{"idle_pool", {"idle_pool"}},
        Twin{"go", {"go_idle"}}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace ct::test
