// A process's row in an Observation's table.
#pragma once

#include <cstdint>
#include <string>

#include "model/actor.h"
#include "reader/reader.h"

namespace ct {

// What a thread of it says of a process.
struct ProcessNames {
  ThreadId id;  // of its leader
  pid_t ns_pid = 0;
  std::uint32_t pid_ns = 0;
  std::string name;  // as the kernel has it
};

// `facts` may be nullptr: it was not read.
Process ProcessRow(const ProcessNames& names, SpaceId space, const ProcessFacts* facts,
                   bool selected);

}  // namespace ct
