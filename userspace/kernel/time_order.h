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
    std::push_heap(records_.begin(), records_.end(), Later);
  }

  // All that ended before `until`, in order.
  std::vector<Record> TakeUntil(TimeNs until) {
    std::vector<Record> taken;
    while (!records_.empty() && records_.front().*Time < until) {
      std::pop_heap(records_.begin(), records_.end(), Later);
      handed_out_ = std::max(handed_out_, records_.back().*Time);
      taken.push_back(std::move(records_.back()));
      records_.pop_back();
    }
    return taken;
  }

  [[nodiscard]] std::size_t size() const { return records_.size(); }
  [[nodiscard]] std::uint64_t late() const { return late_; }

 private:
  static bool Later(const Record& a, const Record& b) { return a.*Time > b.*Time; }

  std::vector<Record> records_;
  TimeNs handed_out_ = 0;
  std::uint64_t late_ = 0;
};

}  // namespace ct
