// Interpreters to try the reader of CPython on, and looks at their programs.
#pragma once

#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

#include "runtimes/python.h"
#include "tests/integration/harness.h"

namespace ct::test {

// At a program that must stay silent: the same is looked for in each interpreter, at length in one.
inline int LooksAt(const std::string& python) { return python == CT_PYTHON ? 20 : 8; }

// The system's python3, and those that the environment variable CT_PYTHONS names (paths, by
// colons).
inline Strings Interpreters() {
  Strings all = {CT_PYTHON};
  const char* more = std::getenv("CT_PYTHONS");
  std::istringstream paths(more != nullptr ? more : "");
  for (std::string path; std::getline(paths, path, ':');) {
    if (!path.empty()) all.push_back(path);
  }
  return all;
}

// Those that have these modules: the system's, and of the others those for which Debian has them.
inline Strings InterpretersWith(const Strings& modules) {
  std::string import = "import sys";
  for (const std::string& module : modules) import += ", " + module;
  Strings having;
  for (const std::string& python : Interpreters()) {
    Child program({python, "-B", "-c", import});
    if (program.Wait(std::chrono::seconds(60)) == 0 || python == CT_PYTHON) {
      having.push_back(python);
    } else {
      std::cout << "NOT TESTED on " << python << ": it cannot " << import << "\n";
    }
  }
  return having;
}

inline Result<std::optional<PythonProcess>> ReadOnce(pid_t pid, const PythonOptions& options = {}) {
  static const auto cache = MakeFileCache();
  auto target = ct::Target::Open(pid, cache);
  if (!target) return Fail(target.error());
  return ReadPython(**target, options);
}

// Reads until two looks in a row see the same: the program has come to rest.
inline PythonProcess ReadAtRest(pid_t pid) {
  std::optional<PythonProcess> last;
  for (int i = 0; i < 500; ++i) {
    const auto now = ReadOnce(pid);
    if (!now) throw std::runtime_error(now.error().message);
    if (!*now) throw std::runtime_error("no Python found");
    if (last && *last == **now) return *last;
    last = **now;
    SleepFor(Milliseconds(20));
  }
  throw std::runtime_error("the program does not come to rest");
}

// One of tests/targets/python. It leaves no compiled files among the sources.
inline Strings PythonProgram(const std::string& python, const std::string& file) {
  return {python, "-B", SourcePath("python/" + file)};
}

// Names of objects: "NAME 7f0012 lock" of the program (tests/targets/python/truth.py).
using Names = std::map<std::uint64_t, std::string>;
inline Names NamesOf(const Child& program) {
  Names names;
  for (const std::string& line : SplitLines(program.output())) {
    std::istringstream words(line);
    std::string tag, address, name;
    words >> tag >> address >> name;
    if (tag == "NAME") names[std::stoull(address, nullptr, 16)] = name;
  }
  return names;
}

inline std::string NameOf(const Names& names, std::uint64_t object, const std::string& otherwise) {
  const auto found = names.find(object);
  return found != names.end() ? found->second : otherwise;
}

}  // namespace ct::test
