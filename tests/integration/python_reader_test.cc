// The reader of CPython on real interpreters, against what each program knows of itself. The
// system's python3, and those that the environment variable CT_PYTHONS names (paths, by colons).
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtimes/python.h"
#include "tests/integration/harness.h"

namespace ct {
namespace {

using std::chrono::seconds;
using test::Child;
using test::SourcePath;
using test::SplitLines;
using test::Strings;
using testing::HasSubstr;
using testing::IsEmpty;

Strings Interpreters() {
  Strings all = {CT_PYTHON};
  const char* more = std::getenv("CT_PYTHONS");
  std::istringstream paths(more != nullptr ? more : "");
  for (std::string path; std::getline(paths, path, ':');) {
    if (!path.empty()) all.push_back(path);
  }
  return all;
}

Result<std::optional<PythonProcess>> ReadOnce(pid_t pid, const PythonOptions& options = {}) {
  static const auto cache = MakeFileCache();
  auto target = ct::Target::Open(pid, cache);
  if (!target) return Fail(target.error());
  return ReadPython(**target, options);
}

// Reads until two looks in a row see the same: the program has come to rest.
PythonProcess ReadAtRest(pid_t pid) {
  std::optional<PythonProcess> last;
  for (int i = 0; i < 500; ++i) {
    const auto now = ReadOnce(pid);
    if (!now) throw std::runtime_error(now.error().message);
    if (!*now) throw std::runtime_error("no Python found");
    if (last && *last == **now) return *last;
    last = **now;
    test::SleepFor(test::Milliseconds(20));
  }
  throw std::runtime_error("the program does not come to rest");
}

// Names of objects: "NAME 7f0012 lock" of the program.
using Names = std::map<std::uint64_t, std::string>;
Names NamesOf(const Child& program) {
  Names names;
  for (const std::string& line : SplitLines(program.output())) {
    std::istringstream words(line);
    std::string tag, address, name;
    words >> tag >> address >> name;
    if (tag == "NAME") names[std::stoull(address, nullptr, 16)] = name;
  }
  return names;
}

std::string NameOf(const Names& names, std::uint64_t object, const std::string& otherwise) {
  const auto found = names.find(object);
  return found != names.end() ? found->second : otherwise;
}

std::string Joined(const Strings& words, const char* separator = " ") {
  return fmt::format("{}", fmt::join(words, separator));
}

// "lock", "lock?" while it is entered, "lock+" through something else.
std::string HoldText(const PythonHold& hold, const std::string& name) {
  return name + (hold.entering ? "?" : "") + (hold.through != 0 ? "+" : "");
}

std::vector<const PythonTask*> ByName(const PythonProcess& process) {
  std::vector<const PythonTask*> tasks;
  for (const PythonTask& task : process.tasks) tasks.push_back(&task);
  std::sort(tasks.begin(), tasks.end(),
            [](const auto* left, const auto* right) { return left->name < right->name; });
  return tasks;
}

// As tests/targets/python/truth.py prints it.
Strings ChainsAndHolds(const PythonProcess& process, const Names& names) {
  Strings lines;
  for (const PythonTask* task : ByName(process)) {
    if (task->name == "Task-1") continue;
    lines.push_back("TASK " + task->name);
    for (const PythonFrame& frame : task->frames) {
      Strings holds;
      for (const PythonHold& hold : frame.holds) {
        const std::string name = NameOf(names, hold.object, "");
        if (!name.empty()) holds.push_back(HoldText(hold, name));
      }
      std::sort(holds.begin(), holds.end());
      lines.push_back(fmt::format("TASK   {}:{} [{}]", process.CodeOf(frame).function, frame.line,
                                  Joined(holds)));
    }
  }
  return lines;
}

void ExpectSameAsTruth(const std::string& python, const std::string& seed, int tasks) {
  SCOPED_TRACE(python + " seed " + seed);
  Child program({python, SourcePath("python/nests.py"), seed, std::to_string(tasks)});
  program.ReadUntil("READY", seconds(60));
  const PythonProcess process = ReadAtRest(program.pid());
  Strings expected;
  for (const std::string& line : SplitLines(program.output())) {
    if (line.starts_with("TASK")) expected.push_back(line);
  }
  const Strings seen = ChainsAndHolds(process, NamesOf(program));
  ASSERT_GT(expected.size(), static_cast<std::size_t>(tasks));
  EXPECT_EQ(Joined(seen, "\n"), Joined(expected, "\n"));
  EXPECT_THAT(process.skips, IsEmpty());
}

TEST(PythonReader, AwaitChainsAndHoldsOfRandomNestsAreTheTruth) {
  for (const std::string& python : Interpreters()) {
    ExpectSameAsTruth(python, "1", 300);
    ExpectSameAsTruth(python, "2", 300);
  }
}

}  // namespace
}  // namespace ct
