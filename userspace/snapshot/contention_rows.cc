// Rows of what was waited for in an interval.
#include <algorithm>

#include "snapshot/row_reader.h"

namespace ct {
namespace {

using Fields = pb::Snapshot;

}  // namespace

WaitTotals RowReader::Totals(const pb::WaitTotals& row) {
  WaitTotals totals;
  totals.waits = row.waits();
  totals.total = Time(row.total_duration_ns());
  totals.max = Time(row.max_duration_ns());
  totals.timeouts = row.timeouts();
  // A newer program may have finer buckets: what is beyond ours cannot be placed.
  const int known = static_cast<int>(WaitHistogram::kBuckets);
  if (row.histogram_size() > known) ++contents_.format.unknown_values;
  for (int i = 0; i < std::min(row.histogram_size(), known); ++i) {
    totals.histogram.counts[static_cast<std::size_t>(i)] = row.histogram(i);
  }
  return totals;
}

Status RowReader::Read(const pb::LockContention& row) {
  Charge(sizeof(LockContention) +
         static_cast<std::size_t>(row.stacks_size()) * sizeof(WaitingStack) +
         static_cast<std::size_t>(row.threads_size()) * sizeof(WaitingThread) +
         static_cast<std::size_t>(row.releasers_size() + row.holders_size()) * sizeof(Counterpart));
  if (!error_) return error_;
  LockContention& out = contents_.observation.contention.locks.emplace_back();
  if (row.has_resource()) out.resource = Index(row.resource(), Fields::kResourcesFieldNumber);
  if (row.has_process()) out.process = Index(row.process(), Fields::kProcessesFieldNumber);
  out.purpose = Enum<WaitPurpose>(row.purpose());
  out.purpose_known = row.purpose_known();
  out.waits = Totals(row.waits());
  out.holds = {row.holds().holds(), Time(row.holds().total_duration_ns()),
               Time(row.holds().max_duration_ns())};
  out.waiters = row.waiters();
  out.waiting = Time(row.waiting_duration_ns());
  for (const pb::WaitingStack& from : row.stacks()) {
    WaitingStack& stack = out.stacks.emplace_back();
    if (from.has_stack()) stack.stack = Index(from.stack(), Fields::kStacksFieldNumber);
    stack.waits = from.waits();
    stack.total = Time(from.total_duration_ns());
    stack.max = Time(from.max_duration_ns());
  }
  for (const pb::WaitingThread& from : row.threads()) {
    out.threads.push_back({Id(from.id()), Text(from.name()), from.waits(),
                           Time(from.total_duration_ns()), Time(from.max_duration_ns())});
  }
  const auto counterparts = [this](const auto& from, std::vector<Counterpart>& to) {
    for (const pb::Counterpart& one : from) {
      to.push_back(
          {one.tid(), one.pid(), Text(one.name()), one.waits(), Time(one.total_duration_ns())});
    }
  };
  counterparts(row.releasers(), out.releasers);
  counterparts(row.holders(), out.holders);
  return {};
}

Status RowReader::Read(const pb::GilContention& row) {
  Charge(sizeof(GilContention) + static_cast<std::size_t>(row.waiters_size()) * sizeof(GilWaiter) +
         static_cast<std::size_t>(row.holders_size()) * sizeof(GilHolder) +
         static_cast<std::size_t>(row.slices_size()) * sizeof(GilSlice));
  if (!error_) return error_;
  GilContention& out = contents_.observation.contention.gils.emplace_back();
  if (row.has_resource()) out.resource = Index(row.resource(), Fields::kResourcesFieldNumber);
  if (row.has_process()) out.process = Index(row.process(), Fields::kProcessesFieldNumber);
  for (const pb::GilWaiter& from : row.waiters()) {
    GilWaiter& waiter = out.waiters.emplace_back();
    waiter.id = Id(from.id());
    waiter.name = Text(from.name());
    waiter.waits = from.waits();
    waiter.total = Time(from.total_duration_ns());
    waiter.max = Time(from.max_duration_ns());
    if (from.has_stack()) waiter.stack = Index(from.stack(), Fields::kStacksFieldNumber);
  }
  for (const pb::GilHolder& from : row.holders()) {
    GilHolder& holder = out.holders.emplace_back();
    holder.id = Id(from.id());
    holder.name = Text(from.name());
    if (from.has_stack()) holder.stack = Index(from.stack(), Fields::kStacksFieldNumber);
    holder.collecting = from.collecting();
    holder.looks = from.looks();
  }
  for (const pb::GilSlice& from : row.slices()) {
    GilSlice& slice = out.slices.emplace_back();
    slice.begin = Time(from.begin_ns());
    slice.length = Time(from.duration_ns());
    slice.waited = Time(from.waited_duration_ns());
    slice.looks = from.looks();
    slice.contended = from.contended();
    slice.holder_looks = from.holder_looks();
    if (!from.has_holder()) continue;
    if (from.holder() >= out.holders.size()) Wrong("a GIL's holder that is not in its row");
    slice.holder = static_cast<std::int32_t>(from.holder());
  }
  return {};
}

}  // namespace ct
