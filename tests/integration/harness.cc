#include "tests/integration/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace ct::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Milliseconds kReadyDeadline = std::chrono::seconds(30);
constexpr Milliseconds kAsleepDeadline = std::chrono::seconds(20);
constexpr Milliseconds kPollInterval{10};

[[noreturn]] void Fail(const std::string& what) { throw std::runtime_error(what); }
[[noreturn]] void FailErrno(const std::string& what) { Fail(what + ": " + strerror(errno)); }

Milliseconds Until(Clock::time_point when) {
  return std::max(Milliseconds(0), std::chrono::duration_cast<Milliseconds>(when - Clock::now()));
}

std::string Join(const Strings& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

bool HasLine(const std::string& text, const std::string& line) {
  return text.starts_with(line + "\n") || text.find("\n" + line + "\n") != std::string::npos;
}

std::vector<pid_t> NumericEntries(const std::string& directory) {
  std::vector<pid_t> numbers;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (name.find_first_not_of("0123456789") == std::string::npos) {
      numbers.push_back(std::stoi(name));
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

// The process and all below it.
std::vector<pid_t> Family(pid_t pid) {
  std::vector<pid_t> family{pid};
  for (std::size_t i = 0; i < family.size(); ++i) {
    const std::string tasks = "/proc/" + std::to_string(family[i]) + "/task";
    for (const pid_t tid : NumericEntries(tasks)) {
      std::ifstream children(tasks + "/" + std::to_string(tid) + "/children");
      family.insert(family.end(), std::istream_iterator<pid_t>(children), {});
    }
  }
  return family;
}

pid_t ForkAs(pid_t pid) {
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<std::uintptr_t>(&pid);
  arguments.set_tid_size = 1;
  return static_cast<pid_t>(syscall(SYS_clone3, &arguments, sizeof(arguments)));
}

unsigned long ReadSwitches(const std::string& task) {
  std::ifstream status(task + "/status");
  unsigned long sum = 0;
  for (std::string line; std::getline(status, line);) {
    const std::size_t colon = line.find("ctxt_switches:");
    if (colon != std::string::npos) sum += std::stoul(line.substr(line.find(':') + 1));
  }
  return sum;
}

}  // namespace

TempDir::TempDir() {
  std::string path = (std::filesystem::temp_directory_path() / "ct-test-XXXXXX").string();
  if (mkdtemp(path.data()) == nullptr) FailErrno("mkdtemp");
  path_ = path;
}
TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}
Strings TempDir::List() const {
  Strings names;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Child::Child(const Strings& command, const SpawnOptions& options) {
  int pipes[2][2];
  for (auto& ends : pipes) {
    if (pipe2(ends, O_CLOEXEC) != 0) FailErrno("pipe2");
  }
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_ = options.as_pid != 0 ? ForkAs(options.as_pid) : fork();
  if (pid_ < 0) FailErrno("fork");
  if (pid_ == 0) {
    if (options.new_process_group) setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(pipes[0][1], STDOUT_FILENO);
    dup2(pipes[1][1], STDERR_FILENO);
    if (!options.directory.empty() && chdir(options.directory.c_str()) != 0) _exit(127);
    if (options.before_exec) options.before_exec();
    execvp(arguments[0], arguments.data());
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", arguments[0], strerror(errno));
    _exit(127);
  }
  if (options.new_process_group) setpgid(pid_, pid_);
  for (int i = 0; i < 2; ++i) {
    close(pipes[i][1]);
    streams_[i].fd = pipes[i][0];
  }
}

Child::~Child() {
  if (!reaped_) {
    kill(-pid_, SIGKILL);
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (Stream& stream : streams_) {
    if (stream.fd >= 0) close(stream.fd);
  }
}

bool Child::ReadSome(Milliseconds patience) {
  pollfd polled[2] = {{streams_[0].fd, POLLIN, 0}, {streams_[1].fd, POLLIN, 0}};
  poll(polled, 2, static_cast<int>(patience.count()));
  for (int i = 0; i < 2; ++i) {
    if (streams_[i].fd < 0 || polled[i].revents == 0) continue;
    char buffer[1 << 16];
    const ssize_t size = read(streams_[i].fd, buffer, sizeof(buffer));
    if (size > 0) {
      streams_[i].text.append(buffer, static_cast<std::size_t>(size));
    } else {
      close(streams_[i].fd);
      streams_[i].fd = -1;
    }
  }
  return streams_[0].fd >= 0 || streams_[1].fd >= 0;
}

void Child::ReadUntil(const std::string& line, Milliseconds deadline) {
  const Clock::time_point end = Clock::now() + deadline;
  while (!HasLine(output(), line)) {
    if (Clock::now() > end || !ReadSome(Until(end))) {
      Fail("no line '" + line + "' from the child; it said: " + output() + error());
    }
  }
}

void Child::ReadUntilOutput(const std::string& words, Milliseconds deadline) {
  ReadUntilSaid(output(), words, deadline);
}

void Child::ReadUntilError(const std::string& words, Milliseconds deadline) {
  ReadUntilSaid(error(), words, deadline);
}

void Child::ReadUntilSaid(const std::string& stream, const std::string& words,
                          Milliseconds deadline) {
  const Clock::time_point end = Clock::now() + deadline;
  while (stream.find(words) == std::string::npos) {
    if (Clock::now() > end || !ReadSome(Until(end))) {
      Fail("no '" + words + "' from the child; it said: " + output() + error());
    }
  }
}

int Child::Wait(Milliseconds deadline) {
  const Clock::time_point end = Clock::now() + deadline;
  while (ReadSome(Until(end))) {
    if (Clock::now() > end) Fail("the child does not end; it said: " + output() + error());
  }
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (Clock::now() > end) Fail("the child closed its output and does not end");
    SleepFor(Milliseconds(1));
  }
  reaped_ = true;
  return status;
}

void Child::ForgetSaid() {
  for (Stream& stream : streams_) stream.text.clear();
}

void Child::Signal(int signal) const { kill(pid_, signal); }

Target::Target(const std::string& name, const Strings& options)
    : Target([&] {
        Strings command{TargetPath(name)};
        command.insert(command.end(), options.begin(), options.end());
        return command;
      }()) {}

Target::Target(const Strings& command, const SpawnOptions& options) : child_(command, options) {
  child_.ReadUntil("READY", kReadyDeadline);
}

Strings Target::InNewNamespaces(const Strings& command) {
  Strings words{"unshare", "--pid", "--mount", "--fork", "--mount-proc", "--kill-child"};
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

long Target::Fact(const std::string& name) const {
  for (const std::string& line : SplitLines(child_.output())) {
    if (line.starts_with(name + "=")) return std::stol(line.substr(name.size() + 1));
  }
  Fail("the target did not say " + name + "; it said: " + child_.output());
}

pid_t Target::ProcessOf(const std::string& thread) const {
  for (const pid_t pid : Family(pid())) {
    for (const ThreadState& state : ThreadsOf(pid)) {
      if (state.name == thread) return pid;
    }
  }
  Fail("no thread " + thread + " in the target");
}

pid_t Target::ThreadOf(const std::string& thread) const {
  for (const ThreadState& state : ThreadsOf(ProcessOf(thread))) {
    if (state.name == thread) return state.tid;
  }
  Fail("no thread " + thread + " in the target");
}

void Target::AwaitAsleep(const Strings& threads) const {
  const Clock::time_point end = Clock::now() + kAsleepDeadline;
  // Asleep twice in a row: a thread on its way from one lock to the next is not there yet.
  for (int seen = 0; seen < 3;) {
    std::multiset<std::string> missing(threads.begin(), threads.end());
    for (const pid_t pid : Family(pid())) {
      for (const ThreadState& state : ThreadsOf(pid)) {
        const auto found = missing.find(state.name);
        if (found != missing.end() && state.state == 'S' && state.in_futex) missing.erase(found);
      }
    }
    seen = missing.empty() ? seen + 1 : 0;
    if (Clock::now() > end) Fail("not asleep in futex: " + *missing.begin());
    SleepFor(kPollInterval);
  }
}

void Target::AwaitState(const std::string& thread, char wanted) const {
  const Clock::time_point end = Clock::now() + kAsleepDeadline;
  for (;;) {
    for (const pid_t pid : Family(pid())) {
      for (const ThreadState& state : ThreadsOf(pid)) {
        if (state.name == thread && state.state == wanted) return;
      }
    }
    if (Clock::now() > end) Fail("thread " + thread + " never was in state " + wanted);
    SleepFor(kPollInterval);
  }
}

std::string TargetPath(const std::string& name) { return std::string(CT_TARGETS_DIR) + "/" + name; }

std::string SourcePath(const std::string& file) {
  return std::string(CT_TARGETS_SOURCE_DIR) + "/" + file;
}

std::string LineOf(const std::string& file, const std::string& mark) {
  const Strings lines = SplitLines(ReadWhole(SourcePath(file)));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t comment = lines[i].find("LINE: " + mark);
    if (comment == std::string::npos) continue;
    const std::string rest = lines[i].substr(comment + 6 + mark.size());
    if (rest.empty() || rest == " */") return file + ":" + std::to_string(i + 1);
  }
  Fail("no comment 'LINE: " + mark + "' in " + file);
}

std::string TracerPath() { return CT_TRACER_PATH; }

int ExitStatusOf(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

Outcome RunTracer(const Strings& arguments, const SpawnOptions& options, Milliseconds deadline) {
  Strings command{TracerPath()};
  command.insert(command.end(), arguments.begin(), arguments.end());
  const Clock::time_point begin = Clock::now();
  Child child(command, options);
  Outcome run;
  try {
    run.status = ExitStatusOf(child.Wait(deadline));
  } catch (const std::runtime_error& error) {
    Fail(Join(command) + ": " + error.what());
  }
  run.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  run.output = child.output();
  run.error = child.error();
  return run;
}

std::vector<ThreadState> ThreadsOf(pid_t pid) {
  std::vector<ThreadState> threads;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const pid_t tid : NumericEntries(tasks)) {
    const std::string task = tasks + "/" + std::to_string(tid);
    ThreadState thread;
    thread.tid = tid;
    std::ifstream comm(task + "/comm");
    if (!std::getline(comm, thread.name)) continue;
    std::ifstream stat_file(task + "/stat");
    const std::string stat{std::istreambuf_iterator<char>(stat_file), {}};
    const std::size_t name_end = stat.rfind(')');
    if (name_end != std::string::npos && name_end + 2 < stat.size()) {
      thread.state = stat[name_end + 2];
    }
    std::ifstream syscall_file(task + "/syscall");
    std::string number;
    syscall_file >> number;
    thread.in_futex = number == std::to_string(SYS_futex);
    thread.switches = ReadSwitches(task);
    threads.push_back(thread);
  }
  return threads;
}

std::map<pid_t, unsigned long> SwitchesOf(pid_t pid) {
  std::map<pid_t, unsigned long> switches;
  for (const ThreadState& thread : ThreadsOf(pid)) switches[thread.tid] = thread.switches;
  return switches;
}

void SleepFor(Milliseconds duration) { std::this_thread::sleep_for(duration); }

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Fail("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void WriteWhole(const std::string& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  file.close();
  if (!file) Fail("cannot write " + path);
}

Strings SplitLines(const std::string& text) {
  Strings lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace ct::test
