#include "observe/filter.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/text.h"

namespace ct {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCgroupRoot = "/sys/fs/cgroup";
// A cgroup tree has some thousands of directories on a large host; more is somebody's joke.
constexpr int kMaxDirectories = 200'000;

// Calls `visit` for every directory below `root`, itself included, until it returns false. Cgroups
// come and go: one that vanishes meanwhile costs nobody else.
template <class Visit>
void WalkDirectories(const fs::path& root, Visit visit) {
  std::vector<fs::path> left{root};
  for (int i = 0; i < kMaxDirectories && !left.empty(); ++i) {
    const fs::path directory = std::move(left.back());
    left.pop_back();
    if (!visit(directory)) return;
    std::error_code error;
    for (fs::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error)) {
      std::error_code vanished;
      if (it->is_directory(vanished) && !it->is_symlink(vanished)) left.push_back(it->path());
    }
  }
}

// The directories that a user may mean by "/system.slice/x.service": as given, or below the
// unified or any v1 hierarchy.
std::optional<fs::path> FindCgroup(const std::string& name) {
  std::error_code error;
  const fs::path given(name);
  if (given.is_absolute() && name.starts_with(kCgroupRoot) && fs::is_directory(given, error)) {
    return given;
  }
  const fs::path relative = given.relative_path();
  if (relative.empty()) return fs::path(kCgroupRoot);
  if (fs::is_directory(fs::path(kCgroupRoot) / relative, error)) return kCgroupRoot / relative;
  for (const auto& hierarchy : fs::directory_iterator(kCgroupRoot, error)) {
    if (hierarchy.is_symlink(error)) continue;
    if (fs::is_directory(hierarchy.path() / relative, error)) return hierarchy.path() / relative;
  }
  return std::nullopt;
}

std::optional<fs::path> FindUnit(const std::string& unit) {
  std::optional<fs::path> found;
  WalkDirectories(kCgroupRoot, [&](const fs::path& directory) {
    if (directory.filename() == unit) found = directory;
    return !found;
  });
  return found;
}

std::string UnitName(const std::string& unit) {
  return unit.find('.') == std::string::npos ? unit + ".service" : unit;
}

Result<fs::path> CgroupDirectory(const Filter& filter) {
  if (!filter.cgroup.empty()) {
    if (auto directory = FindCgroup(filter.cgroup)) return *directory;
    return Fail(ErrorCode::kNotFound,
                fmt::format("there is no cgroup '{}' below {}", filter.cgroup, kCgroupRoot));
  }
  if (auto directory = FindUnit(UnitName(filter.unit))) return *directory;
  return Fail(ErrorCode::kNotFound,
              fmt::format("unit '{}' has no cgroup: is it running?", UnitName(filter.unit)));
}

Result<std::unordered_set<pid_t>> CgroupMembers(const Filter& filter) {
  const Result<fs::path> root = CgroupDirectory(filter);
  if (!root) return Fail(root.error());
  std::unordered_set<pid_t> members;
  WalkDirectories(*root, [&](const fs::path& directory) {
    std::ifstream procs(directory / "cgroup.procs");
    pid_t pid = 0;
    while (procs >> pid) members.insert(pid);
    return true;
  });
  return members;
}

// The state letter of a thread, '\0' if there is none.
char StateOf(const fs::path& task) {
  std::ifstream stat(task / "stat");
  std::string line;
  if (!std::getline(stat, line)) return '\0';
  // "tid (comm) S ...": the name may hold anything, so the last parenthesis counts.
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= line.size()) return '\0';
  return line[name_end + 2];
}

bool HasEnded(char state) { return state == '\0' || state == 'Z' || state == 'X'; }

Status CheckPid(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  if (!status) return Fail(ErrorCode::kNotFound, fmt::format("there is no process {}", pid));
  std::string line;
  bool has_memory = false;
  bool has_ended = false;
  while (std::getline(status, line)) {
    int number = 0;
    if (line.starts_with("State:")) has_ended = line.find("Z (zombie)") != std::string::npos;
    if (sscanf(line.c_str(), "Tgid: %d", &number) == 1 && number != pid) {
      return Fail(ErrorCode::kUsage,
                  fmt::format("{} is a thread of process {}: use -p {}", pid, number, number));
    }
    if (line.starts_with("VmSize:")) has_memory = true;
  }
  if (has_ended && !IsAlive(pid)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("process {} is a zombie: it has ended and waits for its parent to "
                            "take notice",
                            pid));
  }
  if (!has_ended && !has_memory) {
    return Fail(ErrorCode::kUsage,
                fmt::format("process {} is a kernel thread: it takes no user locks", pid));
  }
  return {};
}

}  // namespace

std::string Filter::Text() const {
  std::vector<std::string> parts;
  if (!pids.empty()) parts.push_back(fmt::format("pid {}", fmt::join(pids, ", ")));
  if (!comm.empty()) parts.push_back("comm " + CleanText(comm));
  if (!cgroup.empty()) parts.push_back("cgroup " + CleanText(cgroup));
  if (!unit.empty()) parts.push_back("unit " + CleanText(unit));
  return fmt::format("{}", fmt::join(parts, ", "));
}

bool IsAlive(pid_t pid) {
  const fs::path process = fmt::format("/proc/{}", pid);
  if (!HasEnded(StateOf(process))) return true;
  std::error_code error;
  for (fs::directory_iterator task(process / "task", error), end; !error && task != end;
       task.increment(error)) {
    if (!HasEnded(StateOf(task->path()))) return true;
  }
  return false;
}

Status CheckFilter(const Filter& filter) {
  for (const pid_t pid : filter.pids) {
    if (Status status = CheckPid(pid); !status) return status;
  }
  if (!filter.cgroup.empty() || !filter.unit.empty()) {
    if (auto directory = CgroupDirectory(filter); !directory) return Fail(directory.error());
  }
  return {};
}

Result<std::unordered_set<pid_t>> SelectProcesses(const Filter& filter,
                                                  const std::vector<TaskSample>& tasks) {
  std::unordered_set<pid_t> members;
  const bool by_cgroup = !filter.cgroup.empty() || !filter.unit.empty();
  if (by_cgroup) {
    Result<std::unordered_set<pid_t>> found = CgroupMembers(filter);
    if (!found) return Fail(found.error());
    members = std::move(*found);
  }
  // The kernel keeps 15 characters of a name (TASK_COMM_LEN, linux/sched.h).
  const std::string comm = filter.comm.substr(0, 15);
  std::unordered_set<pid_t> selected;
  for (const TaskSample& task : tasks) {
    const pid_t pid = task.leader.tid;
    if (!filter.pids.empty() &&
        std::find(filter.pids.begin(), filter.pids.end(), pid) == filter.pids.end()) {
      continue;
    }
    if (!filter.comm.empty() && task.leader_comm != comm) continue;
    if (by_cgroup && !members.contains(pid)) continue;
    selected.insert(pid);
  }
  return selected;
}

std::string UnitOf(const std::string& cgroup) {
  for (std::size_t end = cgroup.size(); end > 0;) {
    const std::size_t slash = cgroup.rfind('/', end - 1);
    if (slash == std::string::npos) break;
    std::string part = cgroup.substr(slash + 1, end - slash - 1);
    if (part.ends_with(".service") || part.ends_with(".scope")) return part;
    end = slash;
  }
  return {};
}

}  // namespace ct
