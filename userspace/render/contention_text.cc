#include "render/contention_text.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/text.h"
#include "render/full_text.h"
#include "render/text_context.h"
#include "render/words.h"

namespace ct {
namespace {

constexpr std::size_t kMaxStacks = 3;        // below a row
constexpr std::size_t kMaxCounterparts = 3;  // below a row
constexpr std::size_t kMaxLabel = 100;       // bytes

constexpr std::array<std::pair<std::string_view, ContentionGroup>, 5> kGroups = {{
    {"lock", ContentionGroup::kLock},
    {"stack", ContentionGroup::kStack},
    {"thread", ContentionGroup::kThread},
    {"process", ContentionGroup::kProcess},
    {"cgroup", ContentionGroup::kCgroup},
}};
constexpr std::array<std::pair<std::string_view, ContentionSort>, 5> kSorts = {{
    {"total", ContentionSort::kTotal},
    {"waits", ContentionSort::kWaits},
    {"avg", ContentionSort::kAverage},
    {"max", ContentionSort::kMax},
    {"p99", ContentionSort::kP99},
}};

template <class Table>
auto Find(const Table& table, std::string_view name)
    -> std::optional<typename Table::value_type::second_type> {
  for (const auto& [known, value] : table) {
    if (known == name) return value;
  }
  return std::nullopt;
}

struct Row {
  std::string label;
  WaitTotals waits;
  DurationNs waiting = 0;
  std::uint32_t waiters = 0;
  bool has_percentiles = true;  // false: of long waits only, of which no histogram is kept
  std::vector<std::string> below;

  [[nodiscard]] DurationNs total() const { return waits.total + waiting; }
};

DurationNs P99(const Row& row) { return row.waits.histogram.Percentile(0.99, row.waits.max); }

bool IsFor(const LockContention& lock, bool idle) {
  return idle || (lock.purpose_known && lock.purpose == WaitPurpose::kAcquire);
}

class ContentionTable {
 public:
  ContentionTable(const Observation& observation, const ContentionView& view,
                  const RenderOptions& options)
      : context_(observation, options), view_(view), contention_(observation.contention) {}

  std::string Print() {
    Collect();
    Sort();
    std::string text = Title();
    if (!rows_.empty()) text += Head();
    std::size_t shown = 0;
    std::size_t hidden = 0;
    for (const Row& row : rows_) {
      if (shown >= view_.rows || row.total() < view_.min_total) {
        ++hidden;
        continue;
      }
      text += Line(row);
      ++shown;
    }
    if (hidden > 0) text += fmt::format("and {} more\n", hidden);
    return text + Footer();
  }

 private:
  // --- rows ---------------------------------------------------------------------------------

  void Collect() {
    for (const LockContention& lock : contention_.locks) {
      if (!IsFor(lock, view_.idle)) {
        ++apart_;
        apart_waits_ += lock.waits.waits;
        apart_waiters_ += lock.waiters;
        continue;
      }
      all_.Add(lock.waits);
      ++locks_;
      waiters_ += lock.waiters;
      waiting_ += lock.waiting;
      Add(lock);
    }
    for (auto& [label, row] : grouped_) rows_.push_back(std::move(row));
  }

  void Add(const LockContention& lock) {
    switch (view_.group) {
      case ContentionGroup::kLock:
        rows_.push_back(LockRow(lock));
        break;
      case ContentionGroup::kProcess:
        AddTo(Group(ProcessLabel(lock)), lock);
        break;
      case ContentionGroup::kCgroup:
        AddTo(Group(CgroupLabel(lock)), lock);
        break;
      case ContentionGroup::kThread:
        for (const WaitingThread& thread : lock.threads) {
          AddLong(Group(fmt::format("{} ({})  {}", CleanText(thread.name, kMaxLabel), thread.id.tid,
                                    ProcessLabel(lock))),
                  thread.waits, thread.total, thread.max);
        }
        break;
      case ContentionGroup::kStack:
        for (const WaitingStack& stack : lock.stacks) {
          Row& row = Group(fmt::format("{}  {}", StackLabel(stack.stack), ProcessLabel(lock)));
          AddLong(row, stack.waits, stack.total, stack.max);
          // The first of those that end in the same place.
          if (context_.options.full && row.below.empty()) AddFrames(stack.stack, row);
        }
        break;
    }
  }

  Row& Group(const std::string& label) {
    Row& row = grouped_[label];
    row.label = label;
    return row;
  }

  static void AddTo(Row& row, const LockContention& lock) {
    row.waits.Add(lock.waits);
    row.waiting += lock.waiting;
    row.waiters += lock.waiters;
  }

  static void AddLong(Row& row, std::uint64_t waits, DurationNs total, DurationNs max) {
    row.waits.waits += waits;
    row.waits.total += total;
    row.waits.max = std::max(row.waits.max, max);
    row.has_percentiles = false;
  }

  void AddFrames(StackIndex stack, Row& row) const {
    const auto index = static_cast<std::size_t>(stack);
    if (stack < 0 || index >= context_.observation.stacks.size()) return;
    for (const std::string& line : FrameLines(context_, context_.observation.stacks[index])) {
      row.below.push_back("  " + line);
    }
  }

  Row LockRow(const LockContention& lock) {
    Row row;
    row.label = fmt::format("{}  {}", LockLabel(lock), ProcessLabel(lock));
    AddTo(row, lock);
    std::size_t most = context_.options.full ? lock.stacks.size() : kMaxStacks;
    // In the interpreter's C code: whose Python they run is told by GIL_CONTENTION.
    if (!context_.options.full && IsWatchedGil(lock)) most = 0;
    const std::size_t stacks = std::min(lock.stacks.size(), most);
    std::uint64_t told = 0;
    for (std::size_t i = 0; i < lock.stacks.size(); ++i) {
      const WaitingStack& stack = lock.stacks[i];
      told += stack.waits;
      if (i >= stacks) continue;
      row.below.push_back(fmt::format("{} in {} at {}", FormatDuration(stack.total),
                                      Plural(stack.waits, "wait"), StackLabel(stack.stack)));
      if (context_.options.full) AddFrames(stack.stack, row);
    }
    if (lock.stacks.size() > stacks && stacks > 0) {
      row.below.push_back("and " + Plural(lock.stacks.size() - stacks, "more place"));
    }
    if (told < lock.waits.waits && told > 0) {
      row.below.push_back(fmt::format("{} shorter than {} or not read",
                                      Plural(lock.waits.waits - told, "other wait"),
                                      FormatDuration(contention_.min_wait)));
    }
    if (const DurationNs interval = context_.observation.end - contention_.since;
        lock.waiters > 0 && lock.waits.waits == 0 && interval >= kSecond &&
        lock.waiting >= static_cast<DurationNs>(lock.waiters) * interval * 9 / 10) {
      row.below.push_back("nobody was let go in all that time: look at it with snapshot");
    }
    if (!lock.releasers.empty()) row.below.push_back(Shares("let go by", lock.releasers));
    // Mostly the same: then it is said once.
    if (!lock.holders.empty() && !SameThreads(lock.holders, lock.releasers)) {
      row.below.push_back(Shares("held as long waits began by", lock.holders));
    }
    // Of what is no lock nobody holds anything: the pattern of wake-ups only looks like it.
    if (lock.holds.holds > 0 && IsFor(lock, false)) {
      row.below.push_back(
          fmt::format("held for {} on average, {} at most by those who had waited (probable)",
                      FormatDuration(lock.holds.average()), FormatDuration(lock.holds.max)));
    }
    if (lock.waits.timeouts > 0) {
      row.below.push_back(fmt::format("{} gave up at a timeout", lock.waits.timeouts));
    }
    return row;
  }

  [[nodiscard]] bool IsWatchedGil(const LockContention& lock) const {
    return std::any_of(contention_.gils.begin(), contention_.gils.end(),
                       [&](const GilContention& gil) {
                         return gil.resource != kNoIndex && gil.resource == lock.resource;
                       });
  }

  static bool SameThreads(const std::vector<Counterpart>& some,
                          const std::vector<Counterpart>& others) {
    return std::is_permutation(
        some.begin(), some.end(), others.begin(), others.end(),
        [](const Counterpart& a, const Counterpart& b) { return a.tid == b.tid; });
  }

  static std::string Shares(const char* did, const std::vector<Counterpart>& who) {
    DurationNs all = 0;
    for (const Counterpart& one : who) all += one.total;
    std::string text = did;
    for (std::size_t i = 0; i < std::min(who.size(), kMaxCounterparts); ++i) {
      const Counterpart& one = who[i];
      text += fmt::format(
          "{} {} ({}) {:.0f} %", i == 0 ? "" : ",", CleanText(one.name, kMaxLabel), one.tid,
          all == 0 ? 0.0 : 100.0 * static_cast<double>(one.total) / static_cast<double>(all));
    }
    if (who.size() > kMaxCounterparts) {
      text += fmt::format(" and {} more", who.size() - kMaxCounterparts);
    }
    return text;
  }

  // --- labels -------------------------------------------------------------------------------

  std::string LockLabel(const LockContention& lock) {
    return context_.HasResource(lock.resource) ? context_.What(lock.resource) : "?";
  }

  const Process* ProcessOf(const LockContention& lock) const {
    const auto index = static_cast<std::size_t>(lock.process);
    if (lock.process < 0 || index >= context_.observation.processes.size()) return nullptr;
    return &context_.observation.processes[index];
  }

  std::string ProcessLabel(const LockContention& lock) const {
    const Process* process = ProcessOf(lock);
    return process == nullptr ? "?" : ShortProcess(*process);
  }

  std::string CgroupLabel(const LockContention& lock) const {
    const Process* process = ProcessOf(lock);
    if (process == nullptr || process->cgroup.empty()) return "(unknown cgroup)";
    return CleanText(process->cgroup, kMaxLabel);
  }

  std::string StackLabel(StackIndex stack) {
    const auto index = static_cast<std::size_t>(stack);
    if (stack < 0 || index >= context_.observation.stacks.size()) return "?";
    const Place& place = context_.frames.Innermost(stack);
    std::string label = place.function;
    if (!place.location.empty()) label += (label.empty() ? "" : "  ") + place.location;
    return label.empty() ? "?" : CleanText(label, 2 * kMaxLabel);
  }

  // --- lines --------------------------------------------------------------------------------

  void Sort() {
    const auto key = [this](const Row& row) -> std::uint64_t {
      switch (view_.sort) {
        case ContentionSort::kTotal:
          return static_cast<std::uint64_t>(row.total());
        case ContentionSort::kWaits:
          return row.waits.waits;
        case ContentionSort::kAverage:
          return static_cast<std::uint64_t>(row.waits.average());
        case ContentionSort::kMax:
          return static_cast<std::uint64_t>(row.waits.max);
        case ContentionSort::kP99:
          return static_cast<std::uint64_t>(P99(row));
      }
      return 0;
    };
    std::stable_sort(rows_.begin(), rows_.end(),
                     [&](const Row& a, const Row& b) { return key(a) > key(b); });
  }

  std::string Title() {
    const Observation& observation = context_.observation;
    const std::string interval = FormatDuration(observation.end - contention_.since);
    const std::string where = observation.filter.empty() ? "the whole host" : observation.filter;
    if (locks_ == 0) {
      return fmt::format("{}  {} of {}: nobody waited for a lock\n",
                         context_.Paint("NO CONTENTION", kGreen), interval, where);
    }
    const char* what = view_.idle ? "object" : "lock";
    return fmt::format("{}  {} of {}: {} at {}, {} waited{}\n",
                       context_.Paint("CONTENTION", kYellow), interval, where,
                       Plural(all_.waits, "wait"), Plural(locks_, what),
                       FormatDuration(all_.total + waiting_),
                       waiters_ == 0 ? "" : fmt::format(", {} waiting now", waiters_));
  }

  static std::string Numbers(const std::array<std::string, 7>& cells) {
    return fmt::format("{:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>4}", cells[0], cells[1], cells[2],
                       cells[3], cells[4], cells[5], cells[6]);
  }

  std::string Head() const {
    constexpr std::array<std::string_view, 5> kNames = {"LOCK", "STACK", "THREAD", "PROCESS",
                                                        "CGROUP"};
    return fmt::format("{}  {}\n", Numbers({"WAITS", "TOTAL", "AVG", "P50", "P99", "MAX", "NOW"}),
                       kNames[static_cast<std::size_t>(view_.group)]);
  }

  static std::string Line(const Row& row) {
    const auto time = [](DurationNs duration) { return FormatDuration(duration); };
    const bool any = row.waits.waits > 0;
    const bool percentiles = any && row.has_percentiles && row.waits.histogram.count() > 0;
    const WaitTotals& waits = row.waits;
    std::string text = fmt::format(
        "{}  {}\n",
        Numbers({fmt::format("{}", waits.waits), time(row.total()),
                 any ? time(waits.average()) : "-",
                 percentiles ? time(waits.histogram.Percentile(0.5, waits.max)) : "-",
                 percentiles ? time(P99(row)) : "-", waits.max > 0 ? time(waits.max) : "-",
                 row.waiters > 0 ? fmt::format("{}", row.waiters) : ""}),
        row.label);
    for (const std::string& line : row.below) text += fmt::format("{:>10}{}\n", "", line);
    return text;
  }

  std::string Footer() const {
    std::string text;
    const bool by_event =
        view_.group == ContentionGroup::kStack || view_.group == ContentionGroup::kThread;
    if (by_event && locks_ > 0) {
      text += fmt::format("only waits of {} and longer: of shorter ones no place is kept\n",
                          FormatDuration(contention_.min_wait));
    }
    if (apart_ > 0) {
      text += fmt::format(
          "apart: {} at {} that {} no lock{} (--idle shows them)\n", Plural(apart_waits_, "wait"),
          Plural(apart_, "object"), apart_ == 1 ? "is" : "are",
          apart_waiters_ == 0 ? "" : fmt::format(", {} waiting now", apart_waiters_));
    }
    return text;
  }

  TextContext context_;
  const ContentionView& view_;
  const Contention& contention_;
  std::vector<Row> rows_;
  std::map<std::string, Row> grouped_;
  WaitTotals all_;
  std::size_t locks_ = 0;
  std::uint32_t waiters_ = 0;
  DurationNs waiting_ = 0;
  std::size_t apart_ = 0;
  std::uint64_t apart_waits_ = 0;
  std::uint32_t apart_waiters_ = 0;
};

}  // namespace

std::optional<ContentionGroup> ParseContentionGroup(std::string_view name) {
  return Find(kGroups, name);
}

std::optional<ContentionSort> ParseContentionSort(std::string_view name) {
  return Find(kSorts, name);
}

std::string RenderContention(const Observation& observation, const ContentionView& view,
                             const RenderOptions& render) {
  if (observation.contention.since == 0) return {};
  return ContentionTable(observation, view, render).Print();
}

}  // namespace ct
