#include "observe/python_reading.h"

#include <string>
#include <utility>

namespace ct {
namespace {

ProcessRead Read(Reader& reader, pid_t pid, const std::vector<std::string>& exclusive_classes) {
  ProcessToRead request;
  request.pid = pid;
  request.want_python = true;
  request.exclusive_classes = exclusive_classes;
  return reader.Read(request);
}

}  // namespace

void BeginPython(Reader& reader, const std::vector<std::string>& exclusive_classes, RawLook& look) {
  for (const pid_t pid : look.selected) {
    ProcessRead answer = Read(reader, pid, exclusive_classes);
    const TimeNs begin = MonotonicNow();
    look.losses.insert(look.losses.end(), answer.losses.begin(), answer.losses.end());
    if (!answer.python_error.empty()) {
      look.losses.push_back({"tasks of a Python that is not known", 1, true,
                             "process " + std::to_string(pid) + ": " + answer.python_error});
    }
    if (!answer.python) continue;
    PythonLook& python = look.python[pid];
    python.begin = begin;
    python.first = std::move(*answer.python);
  }
}

void EndPython(Reader& reader, const std::vector<std::string>& exclusive_classes, RawLook& look) {
  for (auto entry = look.python.begin(); entry != look.python.end();) {
    const TimeNs begin = MonotonicNow();
    ProcessRead answer = Read(reader, entry->first, exclusive_classes);
    look.losses.insert(look.losses.end(), answer.losses.begin(), answer.losses.end());
    if (answer.python) {
      entry->second.second_begin = begin;
      entry->second.second = std::move(*answer.python);
      entry->second.end = MonotonicNow();
      Fold(entry->second);
      ++entry;
    } else {
      entry = look.python.erase(entry);
    }
  }
}

}  // namespace ct
