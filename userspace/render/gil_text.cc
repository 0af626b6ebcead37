#include "render/gil_text.h"

#include <time.h>

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "detect/detect.h"
#include "model/names.h"
#include "render/words.h"

namespace ct {
namespace {

constexpr std::size_t kMaxName = 60;  // bytes
constexpr std::size_t kShortRows = 4;
constexpr std::size_t kFullRows = 64;

// "13:20:01.5Z"; a file may be opened where clocks show another time.
std::string Clock(const Observation& observation, TimeNs time) {
  const TimeNs since_epoch = time + observation.realtime_offset;
  const time_t seconds = since_epoch / kSecond;
  tm date{};
  gmtime_r(&seconds, &date);
  return fmt::format("{:02}:{:02}:{:02}.{}Z", date.tm_hour, date.tm_min, date.tm_sec,
                     since_epoch % kSecond / (100 * kMillisecond));
}

class Writer {
 public:
  Writer(TextContext& context, const GilContention& gil) : context_(context), gil_(gil) {
    for (const GilHolder& holder : gil.holders) looks_ += holder.looks;
  }

  std::string Write(const Finding& finding) {
    std::string text = Title(finding);
    text += Waiters();
    text += Holders();
    text += Timeline();
    if (!finding.advice.empty()) text += fmt::format("  {}.\n", CleanText(finding.advice, 400));
    return text;
  }

 private:
  std::string Title(const Finding& finding) const {
    DurationNs length = 0;
    DurationNs waited = 0;
    for (const GilSlice& slice : gil_.slices) {
      length += slice.length;
      waited += slice.waited;
    }
    const auto& processes = context_.observation.processes;
    const bool known =
        gil_.process >= 0 && static_cast<std::size_t>(gil_.process) < processes.size();
    return fmt::format(
        "{}  {}: somebody waited for the GIL {:.0f} % of {}, {:.1f} threads on average   {}\n",
        context_.Paint(ToString(finding.kind), kYellow),
        known ? ShortProcess(processes[static_cast<std::size_t>(gil_.process)]) : "?",
        100 * ContendedShare(gil_), FormatDuration(length),
        length == 0 ? 0.0 : static_cast<double>(waited) / static_cast<double>(length),
        ToString(finding.evidence));
  }

  [[nodiscard]] std::size_t limit() const { return context_.options.full ? kFullRows : kShortRows; }

  static std::string Who(const std::string& name, const ThreadId& id) {
    return fmt::format("{} ({})", CleanText(name, kMaxName), id.tid);
  }

  std::string Where(StackIndex stack) {
    const Place& place = context_.frames.Innermost(stack);
    if (place.function.empty()) return "";
    return fmt::format("  in {}  {}", place.function, place.location);
  }

  std::string Waiters() {
    std::string text;
    const std::size_t shown = std::min(limit(), gil_.waiters.size());
    for (std::size_t i = 0; i < shown; ++i) {
      const GilWaiter& waiter = gil_.waiters[i];
      const auto waits = static_cast<DurationNs>(std::max<std::uint64_t>(1, waiter.waits));
      text += fmt::format(
          "  {:8} {:>8}  {}, {} of {} on average, {} at most{}\n", i == 0 ? "waits" : "",
          FormatDuration(waiter.total), Who(waiter.name, waiter.id), Plural(waiter.waits, "wait"),
          FormatDuration(waiter.total / waits), FormatDuration(waiter.max), Where(waiter.stack));
    }
    if (gil_.waiters.size() > shown) {
      text +=
          fmt::format("  {:8} and {}\n", "", Plural(gil_.waiters.size() - shown, "more thread"));
    }
    return text;
  }

  std::string HolderText(const GilHolder& holder) {
    return fmt::format("{}{}{}", Who(holder.name, holder.id),
                       holder.collecting ? " collects garbage" : "", Where(holder.stack));
  }

  std::string Holders() {
    std::string text;
    const std::size_t shown = std::min(limit(), gil_.holders.size());
    for (std::size_t i = 0; i < shown; ++i) {
      const GilHolder& holder = gil_.holders[i];
      text += fmt::format("  {:8} {:>6.0f} %  {}\n", i == 0 ? "has it" : "",
                          100.0 * holder.looks / std::max(1U, looks_), HolderText(holder));
    }
    if (gil_.holders.size() > shown) {
      text += fmt::format("  {:8} and {}\n", "", Plural(gil_.holders.size() - shown, "more place"));
    }
    return text;
  }

  std::string Timeline() {
    std::string text =
        fmt::format("  {:12} {:>7} {:>8}  {}\n", "time", "waited", "threads", "who has it mostly");
    for (const GilSlice& slice : gil_.slices) {
      const double threads =
          slice.length == 0 ? 0
                            : static_cast<double>(slice.waited) / static_cast<double>(slice.length);
      const std::string share =
          slice.looks == 0 ? "-" : fmt::format("{:.0f} %", 100.0 * slice.contended / slice.looks);
      std::string holder;
      if (slice.holder >= 0 && static_cast<std::size_t>(slice.holder) < gil_.holders.size()) {
        holder =
            fmt::format("{:.0f} %  {}", 100.0 * slice.holder_looks / std::max(1U, slice.contended),
                        HolderText(gil_.holders[static_cast<std::size_t>(slice.holder)]));
      }
      text += fmt::format("  {:12} {:>7} {:>8.1f}  {}\n", Clock(context_.observation, slice.begin),
                          share, threads, holder);
    }
    return text;
  }

  TextContext& context_;
  const GilContention& gil_;
  std::uint32_t looks_ = 0;
};

}  // namespace

std::string GilText(TextContext& context, const Finding& finding) {
  std::string text;
  for (const GilContention& gil : context.observation.contention.gils) {
    const bool is_it = std::find(finding.resources.begin(), finding.resources.end(),
                                 gil.resource) != finding.resources.end();
    if (is_it) text += Writer(context, gil).Write(finding);
  }
  return text;
}

std::string RenderGils(const Observation& observation, std::span<const Finding> findings,
                       const RenderOptions& options) {
  TextContext context(observation, options);
  std::string text;
  for (const Finding& finding : findings) {
    if (finding.kind == FindingKind::kGilContention) text += '\n' + GilText(context, finding);
  }
  return text;
}

}  // namespace ct
