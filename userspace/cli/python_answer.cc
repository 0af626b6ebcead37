#include "cli/python_answer.h"

#include <utility>

#include "observe/exclusive_classes.h"
#include "observe/filter.h"

namespace ct {

Result<Answer> LookByReading(Reader& reader, pid_t pid, PythonLookOptions look,
                             const DetectOptions& detect, PythonMemory& memory) {
  if (Status status = CheckFilter(Filter{{pid}, "", "", ""}); !status) return Fail(status.error());
  auto classes = DefaultExclusiveClasses();
  classes.insert(classes.end(), look.exclusive_classes.begin(), look.exclusive_classes.end());
  look.exclusive_classes = std::move(classes);
  look.pool_ages = &memory.pool_ages;
  Result<Observation> observation = LookAtPython(reader, pid, look);
  if (!observation) return Fail(observation.error());
  Answer answer;
  answer.observation = std::move(*observation);
  answer.observation.host = ReadHost();
  answer.observation.tool_version = ToolVersion();
  memory.unmoved.Mark(answer.observation);
  memory.queues.Mark(answer.observation);
  answer.findings = Detect(answer.observation, detect);
  MarkDeadlocked(answer);
  return answer;
}

}  // namespace ct
