// Puts records from several CPUs into the order of their times before they touch any history.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace ct {

// Records come nearly in order: a CPU takes the time of a record and then its place in the ring
// buffer, and may lose the CPU in between. One that comes after a younger one was handed out is
// handed out all the same, and counted.
template <class Record, TimeNs Record::*Time>
class TimeOrder {
 public:
  void Add(Record record) {
    if (record.*Time < handed_out_) ++late_;
    records_.push_back(std::move(record));
  }

  // All that ended before `until`, in order; of the same moment in the order they came in. A record
  // is large: only its time and place are sorted, and it moves once at most.
  std::vector<Record> TakeUntil(TimeNs until) {
    std::vector<std::pair<TimeNs, std::size_t>> order;
    for (std::size_t i = 0; i < records_.size(); ++i) {
      if (records_[i].*Time < until) order.emplace_back(records_[i].*Time, i);
    }
    if (order.empty()) return {};
    handed_out_ = std::max(handed_out_, std::max_element(order.begin(), order.end())->first);
    const bool sorted = std::is_sorted(order.begin(), order.end());
    if (sorted && order.size() == records_.size()) {
      std::vector<Record> all = std::exchange(records_, {});
      // The next are likely to be as many: room at once is cheaper than room that grows.
      records_.reserve(std::min(all.size(), kMaxReserve));
      return all;
    }
    if (!sorted) std::sort(order.begin(), order.end());
    std::vector<Record> taken;
    taken.reserve(order.size());
    for (const auto& [time, place] : order) taken.push_back(std::move(records_[place]));
    std::size_t kept = 0;
    for (std::size_t i = 0; i < records_.size(); ++i) {
      // A time stays readable in what was moved from: it is a number.
      if (records_[i].*Time < until) continue;
      if (kept != i) records_[kept] = std::move(records_[i]);
      ++kept;
    }
    records_.resize(kept);
    return taken;
  }

  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] std::uint64_t late() const { return late_; }

 private:
  static constexpr std::size_t kMaxReserve = 65'536;

  std::vector<Record> records_;
  TimeNs handed_out_ = 0;
  std::uint64_t late_ = 0;
};

}  // namespace ct
