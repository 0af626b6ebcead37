#include "cli/doctor_probes.h"

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>

#include "cli/families.h"
#include "cli/print.h"
#include "cli/probes_report.h"
#include "cli/session.h"

namespace ct {
namespace {

// In as many requests as it takes.
ProcessRead Find(Reader& reader, pid_t pid, const std::vector<FunctionToFind>& functions) {
  ProcessRead all;
  for (std::size_t begin = 0; begin < functions.size(); begin += kMaxFunctions) {
    const std::size_t end = std::min(functions.size(), begin + kMaxFunctions);
    ProcessToRead request;
    request.pid = pid;
    request.want_process = true;
    request.functions.assign(functions.begin() + static_cast<std::ptrdiff_t>(begin),
                             functions.begin() + static_cast<std::ptrdiff_t>(end));
    ProcessRead read = reader.Read(request);
    for (FunctionFound& function : read.functions) {
      function.query += static_cast<std::uint32_t>(begin);
      all.functions.push_back(std::move(function));
    }
    all.losses.insert(all.losses.end(), read.losses.begin(), read.losses.end());
    all.process = std::move(read.process);
    if (!all.process) break;
  }
  return all;
}

}  // namespace

int RunDoctorProbes(const ProbesOptions& options) {
  if (Status status = CheckFilter(Filter{{options.pid}, "", "", ""}); !status) {
    return PrintError(status.error());
  }
  const Result<std::vector<CatalogFamily>> families = LoadFamilies(options.pools);
  if (!families) return PrintError(families.error());
  const Result<std::unique_ptr<Reader>> reader = Reader::Start({});
  if (!reader) return PrintError(reader.error());
  const CatalogQueries queries = QueriesOf(*families);
  const ProcessRead read = Find(**reader, options.pid, queries.functions);
  for (const Loss& loss : read.losses) {
    fprintf(stderr, "concurrency-tracer: %s: %s\n", loss.reason.c_str(), loss.detail.c_str());
  }
  if (!read.process) {
    return PrintError({ErrorCode::kNotFound,
                       read.losses.empty() ? fmt::format("process {} is gone", options.pid) : ""});
  }
  const std::string text =
      fmt::format("process {}: {}\n\n", options.pid, read.process->executable) +
      ReportProbes(*families, queries, read.functions);
  if (Status status = PrintText(text); !status) return PrintError(status.error());
  const bool all = IsComplete(*families, queries, read.functions) && read.losses.empty();
  return all ? kExitNothing : kExitNotSeen;
}

}  // namespace ct
