// A Python process looked at by reading alone: no BPF, no sweep, ptrace-read permission is enough.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "model/observation.h"
#include "reader/reader.h"

namespace ct {

// The tasks of one process. kNotFound, kUnsupported (not Python, or one that is not known) or
// kPermission, with one clear line.
// `exclusive_classes`: see PythonOptions. `search`: also its whole heap, for what nobody takes care
// of.
Result<Observation> LookAtPython(Reader& reader, pid_t pid,
                                 const std::vector<std::string>& exclusive_classes,
                                 bool search = true);

}  // namespace ct
