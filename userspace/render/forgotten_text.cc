#include "render/forgotten_text.h"

#include <set>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "model/names.h"
#include "render/words.h"

namespace ct {
namespace {

constexpr std::size_t kMaxNames = 3;  // of tasks
constexpr std::size_t kMaxWord = 96;  // bytes of a name
constexpr std::size_t kMaxMessage = 200;

template <class Row>
std::vector<const Row*> RowsOf(const std::vector<std::int32_t>& indices,
                               const std::vector<Row>& table) {
  std::vector<const Row*> rows;
  for (const std::int32_t index : indices) {
    if (index < 0 || static_cast<std::size_t>(index) >= table.size()) continue;
    rows.push_back(&table[static_cast<std::size_t>(index)]);
  }
  return rows;
}

std::string Kind(const TextContext& context, const Finding& finding) {
  return context.Paint(ToString(finding.kind), kYellow);
}

// "task sync-stock", "40 tasks sync-1, sync-2, sync-3, ...", "a future".
std::string Names(const std::vector<const SwallowedException*>& rows) {
  const bool tasks = rows.front()->is_task;
  if (!tasks) return rows.size() == 1 ? "a future" : Plural(rows.size(), "future");
  if (rows.size() == 1) return "task " + CleanText(rows.front()->name, kMaxWord);
  std::string names;
  std::set<std::string> told;
  for (const SwallowedException* row : rows) {
    const std::string name = CleanText(row->name, kMaxWord);
    if (!told.insert(name).second) continue;
    if (told.size() > kMaxNames) {
      names += ", ...";
      break;
    }
    names += (names.empty() ? "" : ", ") + name;
  }
  return fmt::format("{} {}", Plural(rows.size(), "task"), names);
}

std::string ProcessLine(const TextContext& context, ProcessIndex index) {
  const auto& processes = context.observation.processes;
  if (index < 0 || static_cast<std::size_t>(index) >= processes.size()) return {};
  return "  " + DescribeProcess(processes[static_cast<std::size_t>(index)]) + '\n';
}

std::string Referrers(const std::string& name, bool one) {
  if (name.empty()) return "";
  return fmt::format("; {} has {}", CleanText(name, kMaxWord), one ? "it" : "them");
}

std::string Advice(const Finding& finding) {
  return finding.advice.empty() ? "" : "  " + CleanText(finding.advice) + ".\n";
}

std::string Swallowed(TextContext& context, const Finding& finding) {
  const auto rows = RowsOf(finding.exceptions, context.observation.swallowed_exceptions);
  if (rows.empty()) return {};
  const SwallowedException& first = *rows.front();
  const Place& raised = context.frames.Innermost(first.raised_at);
  std::string text = fmt::format(
      "{}  {}: {}{}   {}\n", Kind(context, finding), Names(rows), CleanText(first.type, kMaxWord),
      raised.location.empty() ? "" : ", " + raised.location, ToString(finding.evidence));
  text += ProcessLine(context, first.process);
  std::string said;
  if (!first.message.empty()) said = '"' + CleanText(first.message, kMaxMessage) + '"';
  if (!raised.function.empty()) said += (said.empty() ? "in " : " in ") + raised.function;
  const std::string created = CreatedText(context, first.created_at);
  if (!created.empty()) said += (said.empty() ? "" : ", ") + created;
  if (!said.empty()) text += "  " + said + '\n';
  const bool certain = finding.evidence == Evidence::kCertain;
  text += fmt::format("  Nobody has asked for {}{}{}{}\n", rows.size() == 1 ? "it" : "them",
                      certain ? "" : " so far", Referrers(first.referrer, rows.size() == 1),
                      certain ? "." : " and may yet.");
  return text + Advice(finding);
}

std::string Unawaited(TextContext& context, const Finding& finding) {
  const auto rows = RowsOf(finding.never_awaited, context.observation.never_awaited);
  if (rows.empty()) return {};
  const NeverAwaited& row = *rows.front();
  const Place& place = context.frames.Innermost(row.function);
  std::string text = fmt::format(
      "{}  {} {}{}   {}\n", Kind(context, finding), Plural(row.count, "coroutine"), place.function,
      place.location.empty() ? "" : ", " + place.location, ToString(finding.evidence));
  text += ProcessLine(context, row.process);
  text += fmt::format("  No task, frame or queue has {}{}.\n", row.count == 1 ? "it" : "them",
                      Referrers(row.referrer, row.count == 1));
  return text + Advice(finding);
}

}  // namespace

std::string ForgottenText(TextContext& context, const Finding& finding) {
  return finding.kind == FindingKind::kNeverAwaited ? Unawaited(context, finding)
                                                    : Swallowed(context, finding);
}

}  // namespace ct
