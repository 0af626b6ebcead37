// SWALLOWED_EXCEPTION and NEVER_AWAITED: what a runtime knows that nobody takes care of.
#include <map>
#include <tuple>

#include <fmt/format.h>

#include "detect/context.h"

namespace ct {
namespace {

Finding About(const DetectContext& context, FindingKind kind, Evidence evidence) {
  Finding finding;
  finding.kind = kind;
  finding.evidence = evidence;
  finding.since = context.observation().begin;
  return finding;
}

}  // namespace

// Tasks that failed alike are one finding. Of those that a frame still has nothing is said: workers
// that are awaited one after the other fail before their turn in every healthy program.
std::vector<Finding> DetectSwallowedExceptions(DetectContext& context) {
  const auto& rows = context.observation().swallowed_exceptions;
  std::vector<Finding> found;
  std::map<std::tuple<ProcessIndex, std::string, StackIndex>, std::size_t> known;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const SwallowedException& row = rows[i];
    if (row.evidence != Evidence::kCertain) continue;
    const auto [entry, is_new] =
        known.try_emplace({row.process, row.type, row.raised_at}, found.size());
    if (is_new) {
      Finding& finding =
          found.emplace_back(About(context, FindingKind::kSwallowedException, row.evidence));
      finding.proof = {"it is set to be logged when it goes, and no frame has it"};
      finding.advice = "Await it, or add a done callback that asks for its exception";
    }
    found[entry->second].exceptions.push_back(static_cast<SwallowedIndex>(i));
  }
  return found;
}

std::vector<Finding> DetectNeverAwaited(DetectContext& context) {
  const auto& rows = context.observation().never_awaited;
  std::vector<Finding> found;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Finding finding = About(context, FindingKind::kNeverAwaited, rows[i].evidence);
    finding.proof = {"not begun in both looks, and no task, frame, closure or queue has it"};
    finding.advice = "Await it, or make a task of it";
    finding.never_awaited = {static_cast<NeverAwaitedIndex>(i)};
    found.push_back(std::move(finding));
  }
  return found;
}

}  // namespace ct
