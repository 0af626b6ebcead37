// CPython wherever it is: inside of a library, of a program that was deleted, of a container.
#include <filesystem>
#include <vector>

#include <gmock/gmock.h>

#include "tests/integration/expect.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

const std::string kFile = "task_deadlocks.py";

std::string Line(const std::string& mark) {
  return LineOf("python/" + kFile, mark).substr(sizeof("python"));
}

Strings Arguments() { return {"-B", SourcePath("python/" + kFile), "--locks"}; }

Strings Joined(Strings words, const Strings& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// The same of all, by reading alone and with the sweep.
void ExpectDeadlock(pid_t pid) {
  const std::string expected =
      Lines({"DEADLOCK certain, never ends",
             Waits({"hold_left", "mutex", "hold_right", Line("left waits")}),
             Waits({"hold_right", "mutex", "hold_left", Line("right waits")}),
             "  ring: hold_left, hold_right", "  behind: Task-1"});
  ExpectAnswer(AnswerOf(RunTracer({"tasks", "-p", std::to_string(pid), "--json"})), kHang,
               expected);
  ExpectAnswer(LookAt(pid), kHang, expected);
}

TEST(PythonPlace, IsALibraryOfTheProgram) {
  const Target target(Joined({TargetPath("embedded_python"), CT_LIBPYTHON}, Arguments()));
  ExpectDeadlock(target.pid());
}

TEST(PythonPlace, IsAProgramThatWasDeleted) {
  const TempDir directory;
  const std::string copy = directory.File("python");
  std::filesystem::copy_file(CT_PYTHON, copy);
  const Target target(Joined({copy}, Arguments()));
  std::filesystem::remove(copy);
  ExpectDeadlock(target.pid());
}

// Its pids are others, and its program is where there is none outside.
TEST(PythonPlace, IsAContainer) {
  const std::string python = std::filesystem::canonical(CT_PYTHON);
  const Strings shell = {"sh", "-c",
                         "mount -t tmpfs none /mnt && cp \"$0\" /mnt/python && /mnt/python \"$@\"",
                         python};
  const Target target(Target::InNewNamespaces(Joined(shell, Arguments())));
  ExpectDeadlock(target.ProcessOf("python"));
}

}  // namespace
}  // namespace ct::test
