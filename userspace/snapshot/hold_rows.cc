// Rows of what was seen of holds in an interval, both ways.
#include "snapshot/message_builder.h"
#include "snapshot/row_reader.h"

namespace ct {
namespace {

using Fields = pb::Snapshot;

}  // namespace

void MessageBuilder::Add(const LockOrder& order) {
  pb::LockOrder& row = *out_.add_lock_orders();
  SetIndex(row, &pb::LockOrder::set_held, order.held);
  SetIndex(row, &pb::LockOrder::set_wanted, order.wanted);
  SetIndex(row, &pb::LockOrder::set_process, order.process);
  for (const LockOrderSighting& sighting : order.sightings) {
    pb::LockOrderSighting& out = *row.add_sightings();
    SetId(*out.mutable_thread(), sighting.thread);
    out.set_thread_name(Intern(sighting.thread_name));
    SetIndex(out, &pb::LockOrderSighting::set_held_at, sighting.held_at);
    SetIndex(out, &pb::LockOrderSighting::set_wanted_at, sighting.wanted_at);
    out.set_held_mode(ToProto(sighting.held_mode));
    out.set_wanted_mode(ToProto(sighting.wanted_mode));
    AddIndices(*out.mutable_guards(), sighting.guards);
    out.set_at_ns(sighting.at);
  }
  row.set_more_sightings(order.more_sightings);
}

void MessageBuilder::Add(const LongHold& hold) {
  pb::LongHold& row = *out_.add_long_holds();
  SetIndex(row, &pb::LongHold::set_resource, hold.resource);
  SetIndex(row, &pb::LongHold::set_process, hold.process);
  SetId(*row.mutable_thread(), hold.thread);
  row.set_thread_name(Intern(hold.thread_name));
  row.set_mode(ToProto(hold.mode));
  row.set_evidence(ToProto(hold.evidence));
  row.set_since_ns(hold.since);
  row.set_duration_ns(hold.duration);
  row.set_ended(hold.ended);
  SetIndex(row, &pb::LongHold::set_acquired_at, hold.acquired_at);
  SetIndex(row, &pb::LongHold::set_released_at, hold.released_at);
}

void MessageBuilder::Add(const ResourceHolds& holds) {
  pb::ResourceHolds& row = *out_.add_resource_holds();
  SetIndex(row, &pb::ResourceHolds::set_resource, holds.resource);
  SetIndex(row, &pb::ResourceHolds::set_process, holds.process);
  row.mutable_holds()->set_holds(holds.holds.holds);
  row.mutable_holds()->set_total_duration_ns(holds.holds.total);
  row.mutable_holds()->set_max_duration_ns(holds.holds.max);
  row.set_foreign_releases(holds.foreign_releases);
}

Status RowReader::Read(const pb::LockOrder& row) {
  Charge(sizeof(LockOrder) +
         static_cast<std::size_t>(row.sightings_size()) * sizeof(LockOrderSighting));
  if (!error_) return error_;
  LockOrder& out = contents_.observation.hold_activity.orders.emplace_back();
  if (row.has_held()) out.held = Index(row.held(), Fields::kResourcesFieldNumber);
  if (row.has_wanted()) out.wanted = Index(row.wanted(), Fields::kResourcesFieldNumber);
  if (row.has_process()) out.process = Index(row.process(), Fields::kProcessesFieldNumber);
  for (const pb::LockOrderSighting& from : row.sightings()) {
    LockOrderSighting& sighting = out.sightings.emplace_back();
    sighting.thread = Id(from.thread());
    sighting.thread_name = Text(from.thread_name());
    if (from.has_held_at()) sighting.held_at = Index(from.held_at(), Fields::kStacksFieldNumber);
    if (from.has_wanted_at()) {
      sighting.wanted_at = Index(from.wanted_at(), Fields::kStacksFieldNumber);
    }
    sighting.held_mode = Enum<AccessMode>(from.held_mode());
    sighting.wanted_mode = Enum<AccessMode>(from.wanted_mode());
    sighting.guards = Indices(from.guards(), Fields::kResourcesFieldNumber);
    sighting.at = Time(from.at_ns());
  }
  out.more_sightings = row.more_sightings();
  return {};
}

Status RowReader::Read(const pb::LongHold& row) {
  Charge(sizeof(LongHold));
  if (!error_) return error_;
  LongHold& out = contents_.observation.hold_activity.long_holds.emplace_back();
  if (row.has_resource()) out.resource = Index(row.resource(), Fields::kResourcesFieldNumber);
  if (row.has_process()) out.process = Index(row.process(), Fields::kProcessesFieldNumber);
  out.thread = Id(row.thread());
  out.thread_name = Text(row.thread_name());
  out.mode = Enum<AccessMode>(row.mode());
  out.evidence = Enum<Evidence>(row.evidence());
  out.since = Time(row.since_ns());
  out.duration = Time(row.duration_ns());
  out.ended = row.ended();
  if (row.has_acquired_at()) {
    out.acquired_at = Index(row.acquired_at(), Fields::kStacksFieldNumber);
  }
  if (row.has_released_at()) {
    out.released_at = Index(row.released_at(), Fields::kStacksFieldNumber);
  }
  return {};
}

Status RowReader::Read(const pb::ResourceHolds& row) {
  Charge(sizeof(ResourceHolds));
  if (!error_) return error_;
  ResourceHolds& out = contents_.observation.hold_activity.resources.emplace_back();
  if (row.has_resource()) out.resource = Index(row.resource(), Fields::kResourcesFieldNumber);
  if (row.has_process()) out.process = Index(row.process(), Fields::kProcessesFieldNumber);
  out.holds = {row.holds().holds(), Time(row.holds().total_duration_ns()),
               Time(row.holds().max_duration_ns())};
  out.foreign_releases = row.foreign_releases();
  return {};
}

std::vector<OrderStep> RowReader::Steps(
    const google::protobuf::RepeatedPtrField<pb::OrderStep>& from) {
  std::vector<OrderStep> steps;
  Charge(static_cast<std::size_t>(from.size()) * sizeof(OrderStep));
  if (!error_) return steps;
  for (const pb::OrderStep& row : from) {
    OrderStep& step = steps.emplace_back();
    if (row.has_order()) step.order = Index(row.order(), Fields::kLockOrdersFieldNumber);
    if (!row.has_sighting()) continue;
    if (row.sighting() > INT32_MAX) Wrong("a sighting that is not in its row");
    step.sighting = static_cast<std::int32_t>(row.sighting());
  }
  return steps;
}

Status RowReader::CheckSteps() const {
  const std::vector<LockOrder>& orders = contents_.observation.hold_activity.orders;
  for (const Finding& finding : contents_.findings) {
    for (const OrderStep& step : finding.orders) {
      if (step.sighting == kNoIndex) continue;
      const bool inside = step.order != kNoIndex &&
                          static_cast<std::size_t>(step.sighting) <
                              orders[static_cast<std::size_t>(step.order)].sightings.size();
      if (!inside)
        return Fail(ErrorCode::kMalformed, "malformed: a sighting that is not in its row");
    }
  }
  return {};
}

}  // namespace ct
