#include "observe/process_row.h"

#include "base/text.h"
#include "observe/filter.h"

namespace ct {

Process ProcessRow(const ProcessNames& names, SpaceId space, const ProcessFacts* facts,
                   bool selected) {
  Process process;
  process.id = names.id;
  process.ns_pid = names.ns_pid;
  process.pid_ns = names.pid_ns;
  process.space = space;
  process.name = CleanText(names.name);
  process.selected = selected;
  if (facts != nullptr) {
    process.executable = facts->executable;
    process.cgroup = facts->cgroup;
    process.unit = UnitOf(process.cgroup);
    process.language = facts->language;
  }
  return process;
}

}  // namespace ct
