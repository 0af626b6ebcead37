#include "snapshot/message.h"

#include <algorithm>

#include "base/text.h"
#include "snapshot/envelope.h"
#include "snapshot/message_builder.h"

namespace ct {
namespace {

void SetStep(pb::RingStep& out, const RingStep& step) {
  SetIndex(out, &pb::RingStep::set_wait, step.wait);
  SetIndex(out, &pb::RingStep::set_held_by_next, step.held_by_next);
}

void SetTotals(pb::WaitTotals& out, const WaitTotals& totals) {
  out.set_waits(totals.waits);
  out.set_total_duration_ns(totals.total);
  out.set_max_duration_ns(totals.max);
  out.set_timeouts(totals.timeouts);
  const auto& counts = totals.histogram.counts;
  const auto last = std::find_if(counts.rbegin(), counts.rend(), [](auto n) { return n != 0; });
  out.mutable_histogram()->Assign(counts.begin(), last.base());
}

void SetHost(pb::Host& out, const Host& host) {
  out.set_name(CleanText(host.name));
  out.set_kernel_release(CleanText(host.kernel_release));
  out.set_architecture(CleanText(host.architecture));
  out.set_cpus(host.cpus);
  out.set_boot_id(CleanText(host.boot_id));
}

void SetCost(pb::Cost& out, const Cost& cost) {
  out.set_sweep_duration_ns(cost.sweep);
  out.set_read_duration_ns(cost.read);
  out.set_total_duration_ns(cost.total);
  out.set_cpu_duration_ns(cost.cpu);
  out.set_reader_cpu_duration_ns(cost.reader_cpu);
  out.set_resident_bytes(cost.resident_bytes);
  out.set_reader_resident_bytes(cost.reader_resident_bytes);
  out.set_threads_visited(cost.threads_visited);
}

void SetLoss(pb::Loss& out, const Loss& loss) {
  out.set_reason(CleanText(loss.reason));
  out.set_count(loss.count);
  out.set_relevant(loss.relevant);
  out.set_detail(CleanText(loss.detail));
}

}  // namespace

std::uint32_t MessageBuilder::Intern(std::string_view text) {
  std::string valid = CleanText(text);
  const auto [entry, added] =
      strings_.try_emplace(std::move(valid), static_cast<std::uint32_t>(strings_.size()));
  if (added) out_.add_strings(entry->first);
  return entry->second;
}

std::uint32_t MessageBuilder::InternFunction(const Frame& frame) {
  pb::Function row;
  row.set_name(Intern(frame.function));
  row.set_file(Intern(frame.file));
  const auto [entry, added] = functions_.try_emplace(row.SerializeAsString(),
                                                     static_cast<std::uint32_t>(functions_.size()));
  if (added) *out_.add_functions() = row;
  return entry->second;
}

std::uint32_t MessageBuilder::Intern(const Frame& frame) {
  pb::Frame row;
  row.set_origin(ToProto(frame.origin));
  row.set_address(frame.address);
  SetIndex(row, &pb::Frame::set_module, frame.module);
  row.set_module_offset(frame.module_offset);
  if (!frame.function.empty() || !frame.file.empty()) row.set_function(InternFunction(frame));
  row.set_line(frame.line);
  row.set_inlined(frame.inlined);
  row.set_guessed(frame.guessed);
  row.set_of_pool(frame.of_pool);
  const auto [entry, added] =
      frames_.try_emplace(row.SerializeAsString(), static_cast<std::uint32_t>(frames_.size()));
  if (added) *out_.add_frames() = row;
  return entry->second;
}

void MessageBuilder::Add(const Module& module) {
  pb::Module& row = *out_.add_modules();
  row.set_path(Intern(module.path));
  row.set_build_id(Intern(module.build_id));
  row.set_deleted(module.deleted);
}

void MessageBuilder::Add(const Stack& stack) {
  pb::Stack& row = *out_.add_stacks();
  for (const Frame& frame : stack.frames) row.add_frames(Intern(frame));
  row.set_end(ToProto(stack.end));
}

void MessageBuilder::Add(const Space& space) {
  pb::Space& row = *out_.add_spaces();
  row.set_id(space.id);
  row.set_threads(space.threads);
  row.set_all_observed(space.all_observed);
}

void MessageBuilder::Add(const Process& process) {
  pb::Process& row = *out_.add_processes();
  SetId(*row.mutable_id(), process.id);
  row.set_ns_pid(process.ns_pid);
  row.set_pid_ns(process.pid_ns);
  row.set_parent_pid(process.parent_pid);
  row.set_space(process.space);
  row.set_name(Intern(process.name));
  row.set_executable(Intern(process.executable));
  row.set_cgroup(Intern(process.cgroup));
  row.set_unit(Intern(process.unit));
  row.set_language(Intern(process.language));
  row.set_threads(process.threads);
  row.set_cpu_percent(process.cpu_percent);
  row.set_verdict(ToProto(process.verdict));
  row.set_verdict_detail(Intern(process.verdict_detail));
  row.set_selected(process.selected);
}

void MessageBuilder::Add(const Actor& actor) {
  pb::Actor& row = *out_.add_actors();
  row.set_kind(ToProto(actor.kind));
  SetId(*row.mutable_id(), actor.id);
  row.set_task(actor.task);
  row.set_name(Intern(actor.name));
  row.set_request(Intern(actor.request));
  row.set_client(Intern(actor.client));
  SetIndex(row, &pb::Actor::set_process, actor.process);
  row.set_ns_tid(actor.ns_tid);
  row.set_state(ToProto(actor.state));
  row.set_off_cpu_since_ns(actor.off_cpu_since);
  row.set_switches(actor.switches);
  row.set_still(actor.still);
  if (actor.syscall != Syscall{}) {
    pb::Syscall& syscall = *row.mutable_syscall();
    syscall.set_number(actor.syscall.number);
    syscall.set_name(Intern(actor.syscall.name));
    syscall.set_object(Intern(actor.syscall.object));
    if (actor.syscall.deadline) syscall.set_deadline_ns(*actor.syscall.deadline);
  }
  row.set_signal_may_interrupt(actor.signal_may_interrupt);
  SetIndex(row, &pb::Actor::set_user_stack, actor.user_stack);
  SetIndex(row, &pb::Actor::set_kernel_stack, actor.kernel_stack);
  SetIndex(row, &pb::Actor::set_created_at, actor.created_at);
}

void MessageBuilder::Add(const Resource& resource) {
  pb::Resource& row = *out_.add_resources();
  row.set_kind(ToProto(resource.kind));
  row.set_implementation(ToProto(resource.implementation));
  pb::ResourceId& id = *row.mutable_id();
  id.set_shared(resource.id.shared);
  id.set_space(resource.id.space);
  id.set_address(resource.id.address);
  id.set_device(resource.id.device);
  id.set_inode(resource.id.inode);
  id.set_offset(resource.id.offset);
  row.set_type(Intern(resource.type));
  row.set_symbol(Intern(resource.symbol));
  row.set_where(Intern(resource.where));
  row.set_rule(ToProto(resource.rule));
  row.set_holders_known(resource.holders_known);
  row.set_changed_hands(resource.changed_hands);
  if (resource.capacity) row.set_capacity(*resource.capacity);
  if (resource.in_use) row.set_in_use(*resource.in_use);
  if (resource.idle) row.set_idle(*resource.idle);
  if (resource.high_water) row.set_high_water(*resource.high_water);
  if (resource.readers) row.set_readers(*resource.readers);
  for (const LostUnit& unit : resource.lost_units) {
    pb::LostUnit& lost = *row.add_lost_units();
    lost.set_address(unit.address);
    lost.set_type(Intern(unit.type));
    lost.set_referrer(Intern(unit.referrer));
  }
  if (resource.queue_before) {
    row.mutable_queue_before()->set_at_ns(resource.queue_before->at);
    row.mutable_queue_before()->set_waiting(resource.queue_before->waiting);
  }
  row.set_abandoned(ToProto(resource.abandoned));
  row.set_abandoned_by(resource.abandoned_by);
}

void MessageBuilder::Add(const Wait& wait) {
  pb::Wait& row = *out_.add_waits();
  row.set_actor(static_cast<std::uint32_t>(wait.actor));
  row.set_resource(static_cast<std::uint32_t>(wait.resource));
  row.set_mode(ToProto(wait.mode));
  row.set_purpose(ToProto(wait.purpose));
  row.set_evidence(ToProto(wait.evidence));
  row.set_evidence_note(Intern(wait.evidence_note));
  row.set_continuity(ToProto(wait.continuity));
  row.set_since_ns(wait.since);
  if (wait.not_before) row.set_not_before_ns(*wait.not_before);
  if (wait.unmoved_since) row.set_unmoved_since_ns(*wait.unmoved_since);
  if (wait.deadline) row.set_deadline_ns(*wait.deadline);
  row.set_timed(wait.timed);
  row.set_private_futex(wait.private_futex);
}

void MessageBuilder::Add(const Hold& hold) {
  pb::Hold& row = *out_.add_holds();
  row.set_actor(static_cast<std::uint32_t>(hold.actor));
  row.set_resource(static_cast<std::uint32_t>(hold.resource));
  row.set_mode(ToProto(hold.mode));
  row.set_evidence(ToProto(hold.evidence));
  row.set_evidence_note(Intern(hold.evidence_note));
  if (hold.since) row.set_since_ns(*hold.since);
  SetIndex(row, &pb::Hold::set_acquired_at, hold.acquired_at);
}

void MessageBuilder::Add(const Use& use) {
  pb::Use& row = *out_.add_uses();
  row.set_actor(static_cast<std::uint32_t>(use.actor));
  row.set_resource(static_cast<std::uint32_t>(use.resource));
  row.set_kind(ToProto(use.kind));
  row.set_evidence(ToProto(use.evidence));
  SetIndex(row, &pb::Use::set_at, use.at);
  row.set_attribute(Intern(use.attribute));
  row.set_read_line(use.read_line);
}

void MessageBuilder::Add(const LockContention& lock) {
  pb::LockContention& row = *out_.add_lock_contention();
  SetIndex(row, &pb::LockContention::set_resource, lock.resource);
  SetIndex(row, &pb::LockContention::set_process, lock.process);
  row.set_purpose(ToProto(lock.purpose));
  row.set_purpose_known(lock.purpose_known);
  SetTotals(*row.mutable_waits(), lock.waits);
  row.mutable_holds()->set_holds(lock.holds.holds);
  row.mutable_holds()->set_total_duration_ns(lock.holds.total);
  row.mutable_holds()->set_max_duration_ns(lock.holds.max);
  row.set_waiters(lock.waiters);
  row.set_waiting_duration_ns(lock.waiting);
  for (const WaitingStack& stack : lock.stacks) {
    pb::WaitingStack& out = *row.add_stacks();
    SetIndex(out, &pb::WaitingStack::set_stack, stack.stack);
    out.set_waits(stack.waits);
    out.set_total_duration_ns(stack.total);
    out.set_max_duration_ns(stack.max);
  }
  for (const WaitingThread& thread : lock.threads) {
    pb::WaitingThread& out = *row.add_threads();
    SetId(*out.mutable_id(), thread.id);
    out.set_name(Intern(thread.name));
    out.set_waits(thread.waits);
    out.set_total_duration_ns(thread.total);
    out.set_max_duration_ns(thread.max);
  }
  const auto counterpart = [this](const Counterpart& from, pb::Counterpart& out) {
    out.set_tid(from.tid);
    out.set_pid(from.pid);
    out.set_name(Intern(from.name));
    out.set_waits(from.waits);
    out.set_total_duration_ns(from.total);
  };
  for (const Counterpart& releaser : lock.releasers) counterpart(releaser, *row.add_releasers());
  for (const Counterpart& holder : lock.holders) counterpart(holder, *row.add_holders());
}

void MessageBuilder::Add(const GilContention& gil) {
  pb::GilContention& row = *out_.add_gil_contention();
  SetIndex(row, &pb::GilContention::set_resource, gil.resource);
  SetIndex(row, &pb::GilContention::set_process, gil.process);
  for (const GilWaiter& waiter : gil.waiters) {
    pb::GilWaiter& out = *row.add_waiters();
    SetId(*out.mutable_id(), waiter.id);
    out.set_name(Intern(waiter.name));
    out.set_waits(waiter.waits);
    out.set_total_duration_ns(waiter.total);
    out.set_max_duration_ns(waiter.max);
    SetIndex(out, &pb::GilWaiter::set_stack, waiter.stack);
  }
  for (const GilHolder& holder : gil.holders) {
    pb::GilHolder& out = *row.add_holders();
    SetId(*out.mutable_id(), holder.id);
    out.set_name(Intern(holder.name));
    SetIndex(out, &pb::GilHolder::set_stack, holder.stack);
    out.set_collecting(holder.collecting);
    out.set_looks(holder.looks);
  }
  for (const GilSlice& slice : gil.slices) {
    pb::GilSlice& out = *row.add_slices();
    out.set_begin_ns(slice.begin);
    out.set_duration_ns(slice.length);
    out.set_waited_duration_ns(slice.waited);
    out.set_looks(slice.looks);
    out.set_contended(slice.contended);
    SetIndex(out, &pb::GilSlice::set_holder, slice.holder);
    out.set_holder_looks(slice.holder_looks);
  }
}

void MessageBuilder::Add(const SwallowedException& exception) {
  pb::SwallowedException& row = *out_.add_swallowed_exceptions();
  SetIndex(row, &pb::SwallowedException::set_process, exception.process);
  row.set_future(exception.future);
  row.set_is_task(exception.is_task);
  row.set_name(Intern(exception.name));
  row.set_type(Intern(exception.type));
  row.set_message(Intern(exception.message));
  SetIndex(row, &pb::SwallowedException::set_raised_at, exception.raised_at);
  SetIndex(row, &pb::SwallowedException::set_created_at, exception.created_at);
  row.set_referrer(Intern(exception.referrer));
  row.set_evidence(ToProto(exception.evidence));
}

void MessageBuilder::Add(const NeverAwaited& coroutines) {
  pb::NeverAwaited& row = *out_.add_never_awaited();
  SetIndex(row, &pb::NeverAwaited::set_process, coroutines.process);
  SetIndex(row, &pb::NeverAwaited::set_function, coroutines.function);
  row.set_count(coroutines.count);
  row.set_referrer(Intern(coroutines.referrer));
  row.set_evidence(ToProto(coroutines.evidence));
}

void MessageBuilder::Add(const EventLoop& loop) {
  pb::EventLoop& row = *out_.add_event_loops();
  SetIndex(row, &pb::EventLoop::set_thread, loop.thread);
  row.set_iterations(loop.iterations);
  row.set_total_duration_ns(loop.total);
  row.set_max_duration_ns(loop.max);
  row.set_slow(loop.slow);
  row.set_slow_total_duration_ns(loop.slow_total);
  row.set_starved(loop.starved);
  row.set_starved_total_duration_ns(loop.starved_total);
}

void MessageBuilder::Add(const LoopBlock& block) {
  pb::LoopBlock& row = *out_.add_loop_blocks();
  SetIndex(row, &pb::LoopBlock::set_thread, block.thread);
  row.set_cause(ToProto(block.cause));
  row.set_evidence(ToProto(block.evidence));
  row.set_detail(Intern(block.detail));
  row.set_task(Intern(block.task));
  row.set_several(block.several);
  SetIndex(row, &pb::LoopBlock::set_stack, block.stack);
  row.set_count(block.count);
  row.set_total_duration_ns(block.total);
  row.set_worst_duration_ns(block.worst);
  row.set_worst_begin_ns(block.worst_begin);
  row.set_first_begin_ns(block.first_begin);
  row.set_worst_queued_duration_ns(block.worst_queued);
  row.set_in_progress(block.in_progress);
}

void MessageBuilder::Add(const Finding& finding) {
  pb::Finding& row = *out_.add_findings();
  row.set_kind(ToProto(finding.kind));
  row.set_evidence(ToProto(finding.evidence));
  row.set_ending(ToProto(finding.ending));
  if (finding.ends_at) row.set_ends_at_ns(*finding.ends_at);
  row.set_since_ns(finding.since);
  AddIndices(*row.mutable_members(), finding.members);
  for (const RingStep& step : finding.ring) SetStep(*row.add_ring(), step);
  AddIndices(*row.mutable_resources(), finding.resources);
  AddIndices(*row.mutable_blocked_behind(), finding.blocked_behind);
  for (const RingStep& step : finding.chain) SetStep(*row.add_chain(), step);
  SetIndex(row, &pb::Finding::set_root, finding.root);
  AddIndices(*row.mutable_exceptions(), finding.exceptions);
  AddIndices(*row.mutable_never_awaited(), finding.never_awaited);
  AddIndices(*row.mutable_loop_blocks(), finding.loop_blocks);
  for (const OrderStep& step : finding.orders) {
    pb::OrderStep& out = *row.add_orders();
    SetIndex(out, &pb::OrderStep::set_order, step.order);
    SetIndex(out, &pb::OrderStep::set_sighting, step.sighting);
  }
  AddIndices(*row.mutable_long_holds(), finding.long_holds);
  for (const std::string& line : finding.proof) row.add_proof(CleanText(line));
  row.set_advice(CleanText(finding.advice));
  row.set_id(finding.id);
  row.set_first_seen_ns(finding.first_seen);
  row.set_last_seen_ns(finding.last_seen);
  row.set_ended(finding.ended);
}

void MessageBuilder::AddMeta(const Observation& observation) {
  pb::Observation& row = *out_.add_observations();
  SetHost(*row.mutable_host(), observation.host);
  row.mutable_tool()->set_name("concurrency-tracer");
  row.mutable_tool()->set_version(CleanText(observation.tool_version));
  row.set_begin_ns(observation.begin);
  row.set_end_ns(observation.end);
  row.set_realtime_offset_ns(observation.realtime_offset);
  row.set_filter(CleanText(observation.filter));
  for (const Loss& loss : observation.losses) SetLoss(*row.add_losses(), loss);
  for (const std::string& line : observation.degradations) {
    row.add_degradations(CleanText(line));
  }
  SetCost(*row.mutable_cost(), observation.cost);
  if (observation.contention.since != 0) {
    row.set_contention_since_ns(observation.contention.since);
    row.set_min_wait_duration_ns(observation.contention.min_wait);
  }
  const LoopActivity& loops = observation.loops;
  if (loops.threshold != 0) row.set_loop_threshold_duration_ns(loops.threshold);
  if (loops.since != 0) row.set_loops_since_ns(loops.since);
  if (observation.hold_activity.since != 0) {
    row.set_holds_since_ns(observation.hold_activity.since);
    row.set_long_hold_duration_ns(observation.hold_activity.long_hold);
  }
}

void MessageBuilder::Add(const Observation& observation) {
  AddMeta(observation);
  for (const Module& module : observation.modules) Add(module);
  for (const Stack& stack : observation.stacks) Add(stack);
  for (const Space& space : observation.spaces) Add(space);
  for (const Process& process : observation.processes) Add(process);
  for (const Actor& actor : observation.actors) Add(actor);
  for (const Resource& resource : observation.resources) Add(resource);
  for (const Wait& wait : observation.waits) Add(wait);
  for (const Hold& hold : observation.holds) Add(hold);
  for (const Use& use : observation.uses) Add(use);
  for (const LockContention& lock : observation.contention.locks) Add(lock);
  for (const GilContention& gil : observation.contention.gils) Add(gil);
  for (const SwallowedException& exception : observation.swallowed_exceptions) Add(exception);
  for (const NeverAwaited& coroutines : observation.never_awaited) Add(coroutines);
  for (const EventLoop& loop : observation.loops.loops) Add(loop);
  for (const LoopBlock& block : observation.loops.blocks) Add(block);
  for (const LockOrder& order : observation.hold_activity.orders) Add(order);
  for (const LongHold& hold : observation.hold_activity.long_holds) Add(hold);
  for (const ResourceHolds& holds : observation.hold_activity.resources) Add(holds);
}

pb::Snapshot ToMessage(const Observation& observation, std::span<const Finding> findings) {
  pb::Snapshot snapshot;
  snapshot.set_magic(kSnapshotMagic);
  snapshot.set_format_major(kFormatMajor);
  snapshot.set_format_minor(kFormatMinor);
  MessageBuilder builder(snapshot);
  builder.Add(observation);
  for (const Finding& finding : findings) builder.Add(finding);
  return snapshot;
}

}  // namespace ct
