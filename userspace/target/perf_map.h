// Names of JIT code, from the perf map that the target writes (/tmp/perf-PID.map).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "target/proc_dir.h"

namespace ct {

struct JitSymbol {
  std::uint64_t begin = 0;
  std::uint64_t size = 0;
  std::string name;
};

// Lines "START SIZE NAME", both hexadecimal; others are left out. Sorted by begin; of two symbols
// with the same begin the later line comes later. At most `limit` symbols.
std::vector<JitSymbol> ParsePerfMap(std::string_view text, std::size_t limit);

class PerfMap {
 public:
  // The name of the method at `pc`, empty if the map has none. Reads the map of the process again
  // when it has changed, but not more than once in two seconds.
  std::string Find(std::uint64_t pc, const ProcDir& process);

 private:
  void Refresh(const ProcDir& process);
  std::vector<JitSymbol> symbols_;
  std::uint64_t size_ = 0;
  std::int64_t modified_ns_ = 0;
  TimeNs next_look_ = 0;
};

}  // namespace ct
