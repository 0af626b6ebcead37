#include "render/holds_text.h"

#include <algorithm>
#include <array>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "model/names.h"
#include "render/full_text.h"
#include "render/table.h"
#include "render/words.h"

namespace ct {
namespace {

constexpr std::size_t kRows = 16;  // of a finding; the rest is counted
constexpr std::size_t kFullRows = 1000;
constexpr std::size_t kMaxLine = 400;  // bytes of a proof line
constexpr std::size_t kMaxName = 64;

template <class Rows>
auto* RowAt(Rows& rows, std::int32_t index) {
  const bool inside = index >= 0 && static_cast<std::size_t>(index) < rows.size();
  return inside ? &rows[static_cast<std::size_t>(index)] : nullptr;
}

// Sums of what a file says must not overflow.
DurationNs Sum(DurationNs a, DurationNs b) {
  DurationNs sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::max(a, b) : sum;
}

class LongHoldWriter {
 public:
  LongHoldWriter(TextContext& context, const Finding& finding)
      : context_(context), finding_(finding) {
    for (const LongHoldIndex index : finding.long_holds) {
      const LongHold* hold = RowAt(context.observation.hold_activity.long_holds, index);
      if (hold != nullptr) holds_.push_back(hold);
    }
  }

  std::string Write() const {
    if (holds_.empty()) return {};
    std::string text = Headline();
    const Process* process = RowAt(context_.observation.processes, holds_.front()->process);
    if (process != nullptr) text += fmt::format("  {}\n", DescribeProcess(*process));
    text += '\n' + Rows();
    if (context_.options.full) text += Stacks();
    for (std::size_t i = 0; i < finding_.proof.size(); ++i) {
      text += (i == 0 ? "  proof: " : "         ") + CleanText(finding_.proof[i], kMaxLine) + '\n';
    }
    return text;
  }

 private:
  // What one thread did at one place.
  struct Row {
    std::uint64_t count = 0;
    DurationNs longest = 0;
    bool has_still = false;
  };

  std::string What() const {
    const ResourceIndex first = holds_.front()->resource;
    if (finding_.resources.size() <= 1 || !context_.HasResource(first)) return context_.What(first);
    const Resource& resource = context_.graph.resource(first);
    return fmt::format(
        "{} x {}", finding_.resources.size(),
        resource.type.empty() ? ToString(resource.kind) : CleanText(resource.type, kMaxName));
  }

  static std::string HowLong(std::uint64_t count, DurationNs longest, DurationNs total) {
    if (count == 1) return FormatDuration(longest);
    return fmt::format("{} times, longest {}, {} in all", count, FormatDuration(longest),
                       FormatDuration(total));
  }

  std::string Headline() const {
    DurationNs total = 0;
    for (const LongHold* hold : holds_) total = Sum(total, hold->duration);
    const bool only = holds_.size() == 1 && !holds_.front()->ended;
    return fmt::format("{}  {}: {}{}   {}\n", context_.Paint(ToString(finding_.kind), kYellow),
                       What(), HowLong(holds_.size(), holds_.front()->duration, total),
                       only ? " so far" : "", ToString(finding_.evidence));
  }

  std::string Rows() const {
    std::map<std::tuple<ThreadId, std::string, Place, Place>, Row> rows;
    for (const LongHold* hold : holds_) {
      Row& row =
          rows[{hold->thread, hold->thread_name, context_.frames.Innermost(hold->acquired_at),
                context_.frames.Innermost(hold->released_at)}];
      ++row.count;
      row.longest = std::max(row.longest, hold->duration);
      row.has_still |= !hold->ended;
    }
    std::vector<decltype(rows)::const_iterator> ordered;
    for (auto row = rows.cbegin(); row != rows.cend(); ++row) ordered.push_back(row);
    std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
      return a->second.longest > b->second.longest;
    });
    Table table(2);
    const std::size_t shown = std::min(ordered.size(), context_.options.full ? kFullRows : kRows);
    for (std::size_t i = 0; i < shown; ++i) {
      const auto& [thread, name, taken, released] = ordered[i]->first;
      const Row& row = ordered[i]->second;
      std::string how = row.count == 1 ? "had it " : fmt::format("{} times up to ", row.count);
      if (row.count == 1 && row.has_still) how = "has it ";
      how += FormatDuration(row.longest);
      if (!taken.function.empty()) how += ", taken in";
      std::string end;
      if (row.has_still) {
        end = row.count == 1 ? "not let go yet" : "the last not let go yet";
      } else if (!released.function.empty()) {
        end = fmt::format("let go in {}  {}", released.function, released.location);
      }
      table.Add({fmt::format("{} ({})", CleanText(name, kMaxName), thread.tid), how, taken.function,
                 taken.location, end});
    }
    std::string text = table.Print();
    if (ordered.size() > shown) text += fmt::format("  and {} more\n", ordered.size() - shown);
    return text;
  }

  std::string Stacks() const {
    std::string text;
    const LongHold& longest = *holds_.front();
    for (const auto& [title, index] : {std::pair("the longest was taken in", longest.acquired_at),
                                       std::pair("and let go in", longest.released_at)}) {
      const Stack* stack = StackAt(context_, index);
      if (stack == nullptr) continue;
      text += fmt::format("   {}\n", title);
      for (const std::string& line : FrameLines(context_, *stack)) {
        text += fmt::format("    {}\n", line);
      }
    }
    return text.empty() ? text : '\n' + text;
  }

  TextContext& context_;
  const Finding& finding_;
  std::vector<const LongHold*> holds_;  // the longest first
};

class HoldsTable {
 public:
  HoldsTable(const Observation& observation, const HoldsView& view, const RenderOptions& options)
      : context_(observation, options), view_(view), activity_(observation.hold_activity) {
    for (const ResourceHolds& row : activity_.resources) rows_.push_back(&row);
    std::stable_sort(rows_.begin(), rows_.end(),
                     [](const auto* a, const auto* b) { return a->holds.total > b->holds.total; });
  }

  std::string Print() const {
    std::string text = Title();
    if (rows_.empty()) return text;
    text += Line({"HOLDS", "TOTAL", "AVG", "MAX", "IN USE", "MOST"}, "LOCK");
    const std::size_t shown = std::min(rows_.size(), view_.rows);
    for (std::size_t i = 0; i < shown; ++i) text += RowText(*rows_[i]);
    if (rows_.size() > shown) text += fmt::format("and {} more\n", rows_.size() - shown);
    return text;
  }

 private:
  static std::string Line(const std::array<std::string, 6>& cells, const std::string& label) {
    return fmt::format("{:>9} {:>8} {:>8} {:>8} {:>7} {:>5}  {}\n", cells[0], cells[1], cells[2],
                       cells[3], cells[4], cells[5], label);
  }

  std::string Title() const {
    const Observation& observation = context_.observation;
    const std::string where = observation.filter.empty() ? "the whole host" : observation.filter;
    const std::string interval =
        FormatDuration(std::max<DurationNs>(0, observation.end - activity_.since));
    if (rows_.empty()) {
      return fmt::format("{}  {} of {}: nothing was acquired where it could be seen\n",
                         context_.Paint("NO HOLDS", kGreen), interval, where);
    }
    std::uint64_t holds = 0;
    for (const ResourceHolds* row : rows_) holds += row->holds.holds;
    const std::size_t orders = activity_.orders.size();
    std::string text =
        fmt::format("{}  {} of {}: {} of {}, {} of {} or longer", context_.Paint("HOLDS", kYellow),
                    interval, where, Plural(holds, "hold"), Plural(rows_.size(), "lock"),
                    activity_.long_holds.size(), FormatDuration(activity_.long_hold));
    if (orders > 0) text += fmt::format("; {} taken one inside the other", Plural(orders, "pair"));
    return text + '\n';
  }

  // Units are counted of what has several, or may have.
  std::pair<std::string, std::string> Units(ResourceIndex index) const {
    if (!context_.HasResource(index)) return {};
    const Resource& resource = context_.graph.resource(index);
    std::pair<std::string, std::string> text;
    if (resource.in_use) {
      text.first = fmt::format("{}/{}", *resource.in_use,
                               resource.capacity ? std::to_string(*resource.capacity) : "?");
    }
    if (resource.high_water) text.second = std::to_string(*resource.high_water);
    return text;
  }

  std::string RowText(const ResourceHolds& row) const {
    const auto [in_use, most] = Units(row.resource);
    const Process* process = RowAt(context_.observation.processes, row.process);
    const bool any = row.holds.holds > 0;
    std::string text =
        Line({std::to_string(row.holds.holds), any ? FormatDuration(row.holds.total) : "-",
              any ? FormatDuration(row.holds.average()) : "-",
              any ? FormatDuration(row.holds.max) : "-", in_use, most},
             fmt::format("{}  {}", context_.What(row.resource),
                         process == nullptr ? "?" : ShortProcess(*process)));
    if (row.foreign_releases > 0) {
      text += fmt::format("{:>10}{} by a thread that was not seen to acquire it\n", "",
                          Plural(row.foreign_releases, "release"));
    }
    return text;
  }

  const TextContext context_;
  const HoldsView view_;
  const HoldActivity& activity_;
  std::vector<const ResourceHolds*> rows_;
};

}  // namespace

std::string LongHoldText(TextContext& context, const Finding& finding) {
  return LongHoldWriter(context, finding).Write();
}

std::string RenderHolds(const Observation& observation, const HoldsView& view,
                        const RenderOptions& options) {
  if (observation.hold_activity.since == 0) return {};
  return HoldsTable(observation, view, options).Print();
}

}  // namespace ct
