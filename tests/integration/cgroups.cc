// A process in a cgroup of its own, throttled or frozen.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <sys/stat.h>

#include "tests/integration/harness.h"

namespace ct::test {
namespace {

constexpr const char* kCpuV1 = "/sys/fs/cgroup/cpu";

// Where the cgroup v2 hierarchy is: alone, or beside v1 ("hybrid").
std::string V2Root() {
  for (const char* root : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    if (std::filesystem::exists(std::string(root) + "/cgroup.controllers")) return root;
  }
  throw std::runtime_error("no cgroup v2 hierarchy is mounted");
}

void Write(const std::string& file, const std::string& text) {
  std::ofstream stream(file);
  stream << text << std::flush;
  if (!stream) throw std::runtime_error("cannot write '" + text + "' to " + file);
}

std::string MakeGroup(const std::string& parent) {
  const std::string path = parent + "/ct-test-" + std::to_string(getpid());
  if (mkdir(path.c_str(), 0755) != 0 && !std::filesystem::exists(path)) {
    throw std::runtime_error("cannot make " + path);
  }
  return path;
}

// A group goes when it is empty: its processes first move up, which can take the kernel a moment.
void RemoveGroup(const std::string& path, const std::string& parent) {
  for (int attempt = 0; attempt < 100; ++attempt) {
    std::ifstream members(path + "/cgroup.procs");
    for (std::string pid; std::getline(members, pid);) {
      std::ofstream(parent + "/cgroup.procs") << pid << std::flush;
    }
    if (rmdir(path.c_str()) == 0 || !std::filesystem::exists(path)) return;
    SleepFor(Milliseconds(10));
  }
}

}  // namespace

ThrottledGroup::ThrottledGroup(pid_t pid) {
  if (std::filesystem::exists(std::string(kCpuV1) + "/cpu.cfs_quota_us")) {
    parent_ = kCpuV1;
    path_ = MakeGroup(parent_);
    Write(path_ + "/cpu.cfs_period_us", "1000000");
    Write(path_ + "/cpu.cfs_quota_us", "1000");
  } else {
    parent_ = V2Root();
    Write(parent_ + "/cgroup.subtree_control", "+cpu");
    path_ = MakeGroup(parent_);
    Write(path_ + "/cpu.max", "1000 1000000");
  }
  Write(path_ + "/cgroup.procs", std::to_string(pid));
}

ThrottledGroup::~ThrottledGroup() { RemoveGroup(path_, parent_); }

FrozenGroup::FrozenGroup(pid_t pid) : parent_(V2Root()) {
  path_ = MakeGroup(parent_);
  Write(path_ + "/cgroup.procs", std::to_string(pid));
  Write(path_ + "/cgroup.freeze", "1");
  for (int attempt = 0; attempt < 200; ++attempt) {
    if (ReadWhole(path_ + "/cgroup.events").find("frozen 1") != std::string::npos) return;
    SleepFor(Milliseconds(10));
  }
  throw std::runtime_error(path_ + " does not freeze");
}

FrozenGroup::~FrozenGroup() {
  std::ofstream(path_ + "/cgroup.freeze") << "0" << std::flush;
  RemoveGroup(path_, parent_);
}

}  // namespace ct::test
