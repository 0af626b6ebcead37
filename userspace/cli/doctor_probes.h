// doctor --probes: where holds would be followed in a process. Reads only; no BPF.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

namespace ct {

struct ProbesOptions {
  pid_t pid = 0;
  std::vector<std::string> pools;  // see ParsePool
};

int RunDoctorProbes(const ProbesOptions& options);  // returns the exit status

}  // namespace ct
