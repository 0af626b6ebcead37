// Starts targets and the tracer, and looks at both from outside. A broken set-up throws
// std::runtime_error, which GoogleTest reports as the failure of that test.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>

namespace ct::test {

using Strings = std::vector<std::string>;
using Milliseconds = std::chrono::milliseconds;

// A directory that is removed with everything in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string File(const std::string& name) const { return path_ + "/" + name; }
  // Names of what is in it, sorted.
  [[nodiscard]] Strings List() const;

 private:
  std::string path_;
};

struct SpawnOptions {
  std::string directory;              // where it runs; empty: here
  std::function<void()> before_exec;  // runs in the child
  bool new_process_group = true;      // false: the child stays in ours
  pid_t as_pid = 0;                   // its pid, one that is free; 0: any
};

// A child process with its standard output and error on pipes. Its whole process group dies with
// this object, and it dies with us.
class Child {
 public:
  explicit Child(const Strings& command, const SpawnOptions& options = {});
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& output() const { return streams_[0].text; }
  [[nodiscard]] const std::string& error() const { return streams_[1].text; }

  // Reads until standard output has a line `line`; throws at the deadline or when the child ends.
  void ReadUntil(const std::string& line, Milliseconds deadline);
  // The same until standard output, or standard error, has said this somewhere.
  void ReadUntilOutput(const std::string& words, Milliseconds deadline);
  void ReadUntilError(const std::string& words, Milliseconds deadline);
  // Reads to the end and waits: the wait status, see waitpid(2). Throws at the deadline.
  int Wait(Milliseconds deadline);
  void Signal(int signal) const;
  // What it has said so far is no longer waited for, nor in output() and error().
  void ForgetSaid();

 private:
  struct Stream {
    int fd = -1;
    std::string text;
  };
  void ReadUntilSaid(const std::string& stream, const std::string& words, Milliseconds deadline);
  // False when both streams are at their end.
  bool ReadSome(Milliseconds patience);

  pid_t pid_ = -1;
  bool reaped_ = false;
  Stream streams_[2];
};

// A program of tests/targets, ready.
class Target {
 public:
  explicit Target(const std::string& name, const Strings& options = {});
  // Any program that prints READY.
  explicit Target(const Strings& command, const SpawnOptions& options = {});
  // In pid and mount namespaces of its own; its pid is known from outside all the same.
  static Strings InNewNamespaces(const Strings& command);

  [[nodiscard]] pid_t pid() const { return child_.pid(); }
  // What it said before READY: "name=123".
  [[nodiscard]] long Fact(const std::string& name) const;
  // Of this process and its descendants: the one with a thread of that name. Throws if there is
  // none.
  [[nodiscard]] pid_t ProcessOf(const std::string& thread) const;
  [[nodiscard]] pid_t ThreadOf(const std::string& thread) const;
  // Sends a signal, and waits until the target has said this line.
  void Signal(int signal) const { child_.Signal(signal); }
  void Await(const std::string& line) { child_.ReadUntil(line, std::chrono::seconds(30)); }
  // Until all the threads of these names (as many of a name as it is given) sleep in futex(2).
  void AwaitAsleep(const Strings& threads) const;
  // Until the thread is in this state, a letter of /proc/PID/stat.
  void AwaitState(const std::string& thread, char state) const;

 private:
  Child child_;
};

std::string TargetPath(const std::string& name);
std::string SourcePath(const std::string& file);
// "abba.cc:41": where the comment "LINE: mark" stands.
std::string LineOf(const std::string& file, const std::string& mark);

struct Outcome {
  int status = -1;  // exit status; 128 + N for signal N, as a shell has it
  std::string output;
  std::string error;
  double seconds = 0;
};

std::string TracerPath();
// Runs the tracer to its end; throws at the deadline.
Outcome RunTracer(const Strings& arguments, const SpawnOptions& options = {},
                  Milliseconds deadline = std::chrono::seconds(30));
int ExitStatusOf(int wait_status);

// A cgroup for one process, with a quota of CPU or frozen. On cgroup v1 or v2, as the host has it.
class ThrottledGroup {
 public:
  explicit ThrottledGroup(pid_t pid);  // 1 ms of CPU a second
  ~ThrottledGroup();
  ThrottledGroup(const ThrottledGroup&) = delete;
  ThrottledGroup& operator=(const ThrottledGroup&) = delete;

 private:
  std::string path_;
  std::string parent_;
};
class FrozenGroup {
 public:
  explicit FrozenGroup(pid_t pid);
  ~FrozenGroup();
  FrozenGroup(const FrozenGroup&) = delete;
  FrozenGroup& operator=(const FrozenGroup&) = delete;

 private:
  std::string path_;
  std::string parent_;
};

struct ThreadState {
  pid_t tid = 0;
  std::string name;
  char state = '?';
  bool in_futex = false;
  unsigned long switches = 0;  // voluntary and involuntary
};
std::vector<ThreadState> ThreadsOf(pid_t pid);
// Switch counts by tid: equal before and after means that nobody made them run.
std::map<pid_t, unsigned long> SwitchesOf(pid_t pid);

void SleepFor(Milliseconds duration);
std::string ReadWhole(const std::string& path);
void WriteWhole(const std::string& path, const std::string& bytes);
Strings SplitLines(const std::string& text);

}  // namespace ct::test
