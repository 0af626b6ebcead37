#include "render/text.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "model/names.h"
#include "render/contention_text.h"
#include "render/finding_text.h"
#include "render/full_text.h"
#include "render/gil_text.h"
#include "render/holds_text.h"
#include "render/loop_text.h"
#include "render/words.h"

namespace ct {
namespace {

constexpr std::size_t kMaxFindings = 50;  // with `full` all
constexpr std::size_t kMaxVerdicts = 10;  // single lines; the rest is counted
constexpr std::size_t kMaxLine = 400;     // bytes

bool AnyRelevant(const std::vector<Loss>& losses) {
  return std::any_of(losses.begin(), losses.end(),
                     [](const Loss& loss) { return loss.relevant && loss.count > 0; });
}

std::string Findings(TextContext& context, std::span<const Finding> findings) {
  std::string text;
  const std::size_t shown =
      context.options.full ? findings.size() : std::min(findings.size(), kMaxFindings);
  for (const Finding& finding : findings.first(shown)) {
    if (!text.empty()) text += '\n';
    text += FindingText(context, finding);
  }
  if (findings.size() > shown) {
    text += fmt::format("\nand {}, shown with --full\n",
                        Plural(findings.size() - shown, "more finding"));
  }
  return text;
}

std::string WhatWasSeen(const TextContext& context) {
  const Observation& observation = context.observation;
  // Of a whole host only who is near a lock is in the snapshot; all have been looked at.
  if (observation.filter.empty()) {
    return Plural(observation.cost.threads_visited, "thread") + ", the whole host";
  }
  const auto tasks = static_cast<std::size_t>(
      std::count_if(observation.actors.begin(), observation.actors.end(),
                    [](const Actor& actor) { return actor.kind == ActorKind::kTask; }));
  const std::size_t threads = observation.actors.size() - tasks;
  std::string who = threads > 0 || tasks == 0 ? Plural(threads, "thread") : "";
  if (tasks > 0) who += (who.empty() ? "" : " and ") + Plural(tasks, "task");
  return fmt::format("{} of {}", who, Plural(observation.processes.size(), "process"));
}

std::string NoFindings(const TextContext& context) {
  const std::string seen = WhatWasSeen(context);
  if (AnyRelevant(context.observation.losses)) {
    return fmt::format("{}  no finding in what could be seen: {}\n",
                       context.Paint("INCOMPLETE", kYellow), seen);
  }
  return fmt::format("{}  {}: no deadlock, no abandoned lock, no long wait{}\n",
                     context.Paint("NOTHING FOUND", kGreen), seen,
                     context.observation.loops.threshold != 0 ? ", no blocked event loop" : "");
}

// nullptr where there is none.
template <class Row>
const Row* At(const std::vector<Row>& rows, std::int32_t index) {
  const bool inside = index >= 0 && static_cast<std::size_t>(index) < rows.size();
  return inside ? &rows[static_cast<std::size_t>(index)] : nullptr;
}

std::set<const Process*> Involved(const TextContext& context, std::span<const Finding> findings) {
  std::set<const Process*> involved;
  for (const Finding& finding : findings) {
    for (const auto& actors :
         {finding.members, finding.blocked_behind, Principals(context, finding)}) {
      for (const ActorIndex actor : actors) involved.insert(context.ProcessOf(actor));
    }
    const HoldActivity& activity = context.observation.hold_activity;
    for (const OrderStep& step : finding.orders) {
      const LockOrder* order = At(activity.orders, step.order);
      if (order != nullptr) involved.insert(At(context.observation.processes, order->process));
    }
    for (const LongHoldIndex index : finding.long_holds) {
      const LongHold* hold = At(activity.long_holds, index);
      if (hold != nullptr) involved.insert(At(context.observation.processes, hold->process));
    }
  }
  return involved;
}

// Small numbers first: what a reader of the whole host wants to see.
int Interest(Verdict verdict) {
  switch (verdict) {
    case Verdict::kDeadlocked:
      return 0;
    case Verdict::kBlocked:
      return 1;
    case Verdict::kSpinning:
      return 2;
    case Verdict::kBusy:
      return 3;
    case Verdict::kUnknown:
      return 4;
    case Verdict::kIdle:
      return 5;
  }
  return 4;
}

std::string VerdictLine(const Process& process) {
  const std::string detail = process.verdict_detail.empty()
                                 ? Plural(process.threads, "thread")
                                 : CleanText(process.verdict_detail, kMaxLine);
  return fmt::format("{}  {}: {}\n", ShortProcess(process), ToString(process.verdict), detail);
}

std::string Verdicts(const TextContext& context, std::span<const Finding> findings) {
  const auto involved = Involved(context, findings);
  std::vector<const Process*> processes;
  for (const Process& process : context.observation.processes) {
    if (process.selected && !involved.contains(&process)) processes.push_back(&process);
  }
  std::stable_sort(processes.begin(), processes.end(), [](const Process* a, const Process* b) {
    return Interest(a->verdict) < Interest(b->verdict);
  });
  // Of a whole host only those that do not do well are worth a line each.
  const bool whole_host = context.observation.filter.empty();
  std::string text;
  std::size_t lines = 0;
  std::map<int, std::pair<Verdict, std::uint64_t>> rest;
  for (const Process* process : processes) {
    const bool unwell = Interest(process->verdict) < Interest(Verdict::kBusy);
    if (lines < kMaxVerdicts && (unwell || !whole_host)) {
      text += VerdictLine(*process);
      ++lines;
    } else {
      auto& [verdict, count] = rest[Interest(process->verdict)];
      verdict = process->verdict;
      ++count;
    }
  }
  std::string counted;
  for (const auto& [interest, entry] : rest) {
    counted +=
        fmt::format("{}{} {}", counted.empty() ? "" : ", ", entry.second, ToString(entry.first));
  }
  if (!counted.empty()) text += fmt::format("other processes: {}\n", counted);
  return text;
}

std::string NotSeen(const TextContext& context) {
  std::string text;
  for (const Loss& loss : context.observation.losses) {
    if (loss.count == 0 || (!loss.relevant && !context.options.full)) continue;
    text += fmt::format("{}  {} x {}", context.Paint("NOT SEEN", kYellow), loss.count,
                        CleanText(loss.reason, kMaxLine));
    if (!loss.detail.empty()) text += fmt::format(" ({})", CleanText(loss.detail, kMaxLine));
    text += '\n';
  }
  return text;
}

std::string Lines(std::string_view title, const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += fmt::format("{}  {}\n", title, CleanText(line, kMaxLine));
  }
  return text;
}

// A blank line between parts that are there.
void Append(std::string& text, const std::string& part) {
  if (!text.empty() && !part.empty()) text += '\n';
  text += part;
}

}  // namespace

std::string RenderText(const Observation& observation, std::span<const Finding> findings,
                       const RenderOptions& options) {
  TextContext context(observation, options);
  const std::string contention = RenderContention(observation, {.idle = options.all}, options);
  // Waits were counted and nothing else was looked at: it must not read "no deadlock".
  if (!contention.empty() && observation.actors.empty()) {
    return contention + RenderGils(observation, findings, options) + TailText(context);
  }
  std::string text = findings.empty() ? NoFindings(context) : Findings(context, findings);
  if (options.full || options.all) Append(text, WaitsText(context));
  if (options.full) Append(text, StacksText(context, findings));
  Append(text, contention);
  const std::string holds =
      observation.hold_activity.resources.empty() ? "" : RenderHolds(observation, {}, options);
  Append(text, holds);
  const std::string tail = Verdicts(context, findings) + LoopsText(context) + TailText(context);
  if (findings.empty() && !options.full && !options.all && contention.empty() && holds.empty())
    return text + tail;
  Append(text, tail);
  return text;
}

std::string TailText(const TextContext& context) {
  return NotSeen(context) +
         Lines(context.Paint("DEGRADED", kYellow), context.observation.degradations) +
         Lines("NOTE", context.options.notes);
}

std::string SnapshotLine(std::string_view file, DurationNs took) {
  return fmt::format("snapshot  {}   {}, target not stopped", CleanText(file),
                     FormatDuration(took));
}

}  // namespace ct
