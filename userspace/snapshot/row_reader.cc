#include "snapshot/row_reader.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/text.h"

namespace ct {
namespace {

using Fields = pb::Snapshot;

// Far beyond any clock, and the difference of two still fits: nobody after us need check.
constexpr std::int64_t kMaxTime = std::int64_t{1} << 61;

}  // namespace

void RowReader::Wrong(std::string what) {
  if (error_) error_ = Fail(ErrorCode::kMalformed, "malformed: " + std::move(what));
}

void RowReader::Charge(std::size_t bytes) {
  if (bytes <= budget_) {
    budget_ -= bytes;
    return;
  }
  budget_ = 0;
  Wrong("the contents would take more memory than a snapshot may");
}

std::string RowReader::Text(std::uint32_t index) {
  if (index == 0) return {};
  if (index >= strings_.size()) {
    Wrong(fmt::format("text {} of {}", index, strings_.size()));
    return {};
  }
  return Own(strings_[index]);
}

std::string RowReader::Own(const std::string& text) {
  Charge(text.size());
  return error_ ? CleanText(text) : std::string();
}

TimeNs RowReader::Time(std::int64_t time) {
  if (time >= -kMaxTime && time <= kMaxTime) return time;
  Wrong("a time that no clock shows");
  return 0;
}

std::int32_t RowReader::Index(std::uint64_t index, int table) {
  const auto found = counts_.find(table);
  const std::uint64_t rows = found == counts_.end() ? 0 : found->second;
  if (index < rows && rows <= INT32_MAX) return static_cast<std::int32_t>(index);
  Wrong(fmt::format("row {} of {} in {}", index, rows,
                    Fields::descriptor()->FindFieldByNumber(table)->name()));
  return kNoIndex;
}

std::vector<std::int32_t> RowReader::Indices(
    const google::protobuf::RepeatedField<std::uint32_t>& from, int table) {
  std::vector<std::int32_t> indices;
  Charge(static_cast<std::size_t>(from.size()) * sizeof(std::int32_t));
  if (!error_) return indices;
  indices.reserve(static_cast<std::size_t>(from.size()));
  for (const std::uint32_t index : from) indices.push_back(Index(index, table));
  return indices;
}

std::vector<RingStep> RowReader::Steps(
    const google::protobuf::RepeatedPtrField<pb::RingStep>& from) {
  std::vector<RingStep> steps;
  Charge(static_cast<std::size_t>(from.size()) * sizeof(RingStep));
  if (!error_) return steps;
  for (const pb::RingStep& row : from) {
    RingStep& step = steps.emplace_back();
    if (row.has_wait()) step.wait = Index(row.wait(), Fields::kWaitsFieldNumber);
    if (row.has_held_by_next()) {
      step.held_by_next = Index(row.held_by_next(), Fields::kHoldsFieldNumber);
    }
  }
  return steps;
}

ThreadId RowReader::Id(const pb::ThreadId& id) { return ThreadId{id.tid(), Time(id.start_ns())}; }

template <class Row>
Status RowReader::Parse(std::span<const std::byte> payload) {
  Row row;
  if (!row.ParseFromArray(payload.data(), static_cast<int>(payload.size()))) {
    Wrong(fmt::format("a {} cannot be read", Row::descriptor()->name()));
    return error_;
  }
  if (auto status = Read(row); !status) return status;
  return error_;
}

Status RowReader::ReadString(std::span<const std::byte> payload) {
  const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
  Charge(sizeof(std::string) + text.size());
  if (strings_.empty() && !text.empty()) Wrong("the first text is not the empty one");
  if (error_) strings_.push_back(CleanText(text));
  return error_;
}

Status RowReader::ReadInterned(int field, std::span<const std::byte> payload) {
  switch (field) {
    case Fields::kStringsFieldNumber:
      return ReadString(payload);
    case Fields::kFunctionsFieldNumber:
      return Parse<pb::Function>(payload);
    case Fields::kFramesFieldNumber:
      return Parse<pb::Frame>(payload);
    default:
      return {};
  }
}

Status RowReader::ReadRow(int field, std::span<const std::byte> payload) {
  switch (field) {
    case Fields::kObservationsFieldNumber:
      return Parse<pb::Observation>(payload);
    case Fields::kFindingsFieldNumber:
      return Parse<pb::Finding>(payload);
    case Fields::kModulesFieldNumber:
      return Parse<pb::Module>(payload);
    case Fields::kStacksFieldNumber:
      return Parse<pb::Stack>(payload);
    case Fields::kSpacesFieldNumber:
      return Parse<pb::Space>(payload);
    case Fields::kProcessesFieldNumber:
      return Parse<pb::Process>(payload);
    case Fields::kActorsFieldNumber:
      return Parse<pb::Actor>(payload);
    case Fields::kResourcesFieldNumber:
      return Parse<pb::Resource>(payload);
    case Fields::kWaitsFieldNumber:
      return Parse<pb::Wait>(payload);
    case Fields::kHoldsFieldNumber:
      return Parse<pb::Hold>(payload);
    case Fields::kUsesFieldNumber:
      return Parse<pb::Use>(payload);
    case Fields::kLockContentionFieldNumber:
      return Parse<pb::LockContention>(payload);
    case Fields::kGilContentionFieldNumber:
      return Parse<pb::GilContention>(payload);
    case Fields::kSwallowedExceptionsFieldNumber:
      return Parse<pb::SwallowedException>(payload);
    case Fields::kNeverAwaitedFieldNumber:
      return Parse<pb::NeverAwaited>(payload);
    case Fields::kEventLoopsFieldNumber:
      return Parse<pb::EventLoop>(payload);
    case Fields::kLoopBlocksFieldNumber:
      return Parse<pb::LoopBlock>(payload);
    case Fields::kLockOrdersFieldNumber:
      return Parse<pb::LockOrder>(payload);
    case Fields::kLongHoldsFieldNumber:
      return Parse<pb::LongHold>(payload);
    case Fields::kResourceHoldsFieldNumber:
      return Parse<pb::ResourceHolds>(payload);
    case Fields::kStringsFieldNumber:
    case Fields::kFunctionsFieldNumber:
    case Fields::kFramesFieldNumber:
    case Fields::kTrailerFieldNumber:  // of an earlier chunk
      return {};
    default:
      ++contents_.format.unknown_records;
      return {};
  }
}

Status RowReader::Read(const pb::Function& row) {
  Charge(sizeof(FunctionRow));
  if (error_) functions_.push_back({row.name(), row.file()});
  return error_;
}

Status RowReader::Read(const pb::Frame& row) {
  Charge(sizeof(FrameRow));
  if (!error_) return error_;
  FrameRow& out = frames_.emplace_back();
  out.frame.origin = Enum<FrameOrigin>(row.origin());
  out.frame.address = row.address();
  if (row.has_module()) out.frame.module = Index(row.module(), Fields::kModulesFieldNumber);
  out.frame.module_offset = row.module_offset();
  if (row.has_function()) out.function = Index(row.function(), Fields::kFunctionsFieldNumber);
  out.frame.line = row.line();
  out.frame.inlined = row.inlined();
  out.frame.guessed = row.guessed();
  out.frame.of_pool = row.of_pool();
  return {};
}

Frame RowReader::FullFrame(std::uint32_t index) {
  const FrameRow& row = frames_[index];
  Frame frame = row.frame;
  Charge(sizeof(Frame));
  if (row.function != kNoIndex) {
    const FunctionRow& function = functions_[static_cast<std::size_t>(row.function)];
    frame.function = Text(function.name);
    frame.file = Text(function.file);
  }
  return frame;
}

Status RowReader::Read(const pb::Stack& row) {
  Charge(sizeof(Stack));
  Stack stack;
  stack.end = Enum<StackEnd>(row.end());
  for (const std::uint32_t index : row.frames()) {
    if (Index(index, Fields::kFramesFieldNumber) == kNoIndex) return error_;
    stack.frames.push_back(FullFrame(index));
    if (!error_) return error_;
  }
  if (error_) contents_.observation.stacks.push_back(std::move(stack));
  return error_;
}

Status RowReader::Read(const pb::Module& row) {
  Charge(sizeof(Module));
  if (!error_) return error_;
  contents_.observation.modules.push_back({Text(row.path()), Text(row.build_id()), row.deleted()});
  return {};
}

Status RowReader::Read(const pb::Space& row) {
  Charge(sizeof(Space));
  if (!error_) return error_;
  contents_.observation.spaces.push_back({row.id(), row.threads(), row.all_observed()});
  return {};
}

Status RowReader::Read(const pb::Process& row) {
  Charge(sizeof(Process));
  if (!error_) return error_;
  Process& out = contents_.observation.processes.emplace_back();
  out.id = Id(row.id());
  out.ns_pid = row.ns_pid();
  out.pid_ns = row.pid_ns();
  out.parent_pid = row.parent_pid();
  out.space = row.space();
  out.name = Text(row.name());
  out.executable = Text(row.executable());
  out.cgroup = Text(row.cgroup());
  out.unit = Text(row.unit());
  out.language = Text(row.language());
  out.threads = row.threads();
  out.cpu_percent = row.cpu_percent();
  if (!std::isfinite(out.cpu_percent)) Wrong("a CPU share that is no number");
  out.verdict = Enum<Verdict>(row.verdict());
  out.verdict_detail = Text(row.verdict_detail());
  out.selected = row.selected();
  return {};
}

Status RowReader::Read(const pb::Actor& row) {
  Charge(sizeof(Actor));
  if (!error_) return error_;
  Actor& out = contents_.observation.actors.emplace_back();
  out.kind = Enum<ActorKind>(row.kind());
  out.id = Id(row.id());
  out.task = row.task();
  out.name = Text(row.name());
  out.request = Text(row.request());
  out.client = Text(row.client());
  if (row.has_process()) out.process = Index(row.process(), Fields::kProcessesFieldNumber);
  out.ns_tid = row.ns_tid();
  out.state = Enum<RunState>(row.state());
  out.off_cpu_since = Time(row.off_cpu_since_ns());
  out.switches = row.switches();
  out.still = row.still();
  if (row.has_syscall()) {
    out.syscall.number = row.syscall().number();
    out.syscall.name = Text(row.syscall().name());
    out.syscall.object = Text(row.syscall().object());
    if (row.syscall().has_deadline_ns()) out.syscall.deadline = Time(row.syscall().deadline_ns());
  }
  out.signal_may_interrupt = row.signal_may_interrupt();
  if (row.has_user_stack()) out.user_stack = Index(row.user_stack(), Fields::kStacksFieldNumber);
  if (row.has_kernel_stack()) {
    out.kernel_stack = Index(row.kernel_stack(), Fields::kStacksFieldNumber);
  }
  if (row.has_created_at()) out.created_at = Index(row.created_at(), Fields::kStacksFieldNumber);
  return {};
}

Status RowReader::Read(const pb::Resource& row) {
  Charge(sizeof(Resource) + static_cast<std::size_t>(row.lost_units_size()) * sizeof(LostUnit));
  if (!error_) return error_;
  Resource& out = contents_.observation.resources.emplace_back();
  out.kind = Enum<ResourceKind>(row.kind());
  out.implementation = Enum<Implementation>(row.implementation());
  out.id = {row.id().shared(), row.id().space(), row.id().address(),
            row.id().device(), row.id().inode(), row.id().offset()};
  out.type = Text(row.type());
  out.symbol = Text(row.symbol());
  out.where = Text(row.where());
  out.rule = Enum<ReleaseRule>(row.rule());
  out.holders_known = row.holders_known();
  out.changed_hands = row.changed_hands();
  if (row.has_capacity()) out.capacity = row.capacity();
  if (row.has_in_use()) out.in_use = row.in_use();
  if (row.has_idle()) out.idle = row.idle();
  if (row.has_high_water()) out.high_water = row.high_water();
  if (row.has_readers()) out.readers = row.readers();
  for (const pb::LostUnit& unit : row.lost_units()) {
    out.lost_units.push_back({unit.address(), Text(unit.type()), Text(unit.referrer())});
  }
  if (row.has_queue_before()) {
    out.queue_before = QueueLength{row.queue_before().at_ns(), row.queue_before().waiting()};
  }
  out.abandoned = Enum<Abandoned>(row.abandoned());
  out.abandoned_by = row.abandoned_by();
  return {};
}

Status RowReader::Read(const pb::Wait& row) {
  Charge(sizeof(Wait) + 2 * sizeof(ActorIndex) + 2 * sizeof(void*));
  if (!error_) return error_;
  Wait& out = contents_.observation.waits.emplace_back();
  out.actor = Index(row.actor(), Fields::kActorsFieldNumber);
  if (!waiting_.insert(out.actor).second) Wrong("a thread that waits twice");
  out.resource = Index(row.resource(), Fields::kResourcesFieldNumber);
  out.mode = Enum<AccessMode>(row.mode());
  out.purpose = Enum<WaitPurpose>(row.purpose());
  out.evidence = Enum<Evidence>(row.evidence());
  out.evidence_note = Text(row.evidence_note());
  out.continuity = Enum<Continuity>(row.continuity());
  out.since = Time(row.since_ns());
  if (row.has_not_before_ns()) out.not_before = Time(row.not_before_ns());
  if (row.has_unmoved_since_ns()) out.unmoved_since = Time(row.unmoved_since_ns());
  if (row.has_deadline_ns()) out.deadline = Time(row.deadline_ns());
  out.timed = row.timed();
  out.private_futex = row.private_futex();
  return {};
}

Status RowReader::Read(const pb::Hold& row) {
  Charge(sizeof(Hold));
  if (!error_) return error_;
  Hold& out = contents_.observation.holds.emplace_back();
  out.actor = Index(row.actor(), Fields::kActorsFieldNumber);
  out.resource = Index(row.resource(), Fields::kResourcesFieldNumber);
  out.mode = Enum<AccessMode>(row.mode());
  out.evidence = Enum<Evidence>(row.evidence());
  out.evidence_note = Text(row.evidence_note());
  if (row.has_since_ns()) out.since = Time(row.since_ns());
  if (row.has_acquired_at()) {
    out.acquired_at = Index(row.acquired_at(), Fields::kStacksFieldNumber);
  }
  return {};
}

Status RowReader::Read(const pb::Use& row) {
  Charge(sizeof(Use));
  if (!error_) return error_;
  Use& out = contents_.observation.uses.emplace_back();
  out.actor = Index(row.actor(), Fields::kActorsFieldNumber);
  out.resource = Index(row.resource(), Fields::kResourcesFieldNumber);
  out.kind = Enum<UseKind>(row.kind());
  out.evidence = Enum<Evidence>(row.evidence());
  if (row.has_at()) out.at = Index(row.at(), Fields::kStacksFieldNumber);
  out.attribute = Text(row.attribute());
  out.read_line = row.read_line();
  return {};
}

Status RowReader::Read(const pb::SwallowedException& row) {
  Charge(sizeof(SwallowedException));
  if (!error_) return error_;
  SwallowedException& out = contents_.observation.swallowed_exceptions.emplace_back();
  if (row.has_process()) out.process = Index(row.process(), Fields::kProcessesFieldNumber);
  out.future = row.future();
  out.is_task = row.is_task();
  out.name = Text(row.name());
  out.type = Text(row.type());
  out.message = Text(row.message());
  if (row.has_raised_at()) out.raised_at = Index(row.raised_at(), Fields::kStacksFieldNumber);
  if (row.has_created_at()) out.created_at = Index(row.created_at(), Fields::kStacksFieldNumber);
  out.referrer = Text(row.referrer());
  out.evidence = Enum<Evidence>(row.evidence());
  return {};
}

Status RowReader::Read(const pb::NeverAwaited& row) {
  Charge(sizeof(NeverAwaited));
  if (!error_) return error_;
  NeverAwaited& out = contents_.observation.never_awaited.emplace_back();
  if (row.has_process()) out.process = Index(row.process(), Fields::kProcessesFieldNumber);
  if (row.has_function()) out.function = Index(row.function(), Fields::kStacksFieldNumber);
  out.count = row.count();
  out.referrer = Text(row.referrer());
  out.evidence = Enum<Evidence>(row.evidence());
  return {};
}

Status RowReader::Read(const pb::EventLoop& row) {
  Charge(sizeof(EventLoop));
  if (!error_) return error_;
  EventLoop& out = contents_.observation.loops.loops.emplace_back();
  if (row.has_thread()) out.thread = Index(row.thread(), Fields::kActorsFieldNumber);
  out.iterations = row.iterations();
  out.total = Time(row.total_duration_ns());
  out.max = Time(row.max_duration_ns());
  out.slow = row.slow();
  out.slow_total = Time(row.slow_total_duration_ns());
  out.starved = row.starved();
  out.starved_total = Time(row.starved_total_duration_ns());
  return {};
}

Status RowReader::Read(const pb::LoopBlock& row) {
  Charge(sizeof(LoopBlock));
  if (!error_) return error_;
  LoopBlock& out = contents_.observation.loops.blocks.emplace_back();
  if (row.has_thread()) out.thread = Index(row.thread(), Fields::kActorsFieldNumber);
  out.cause = Enum<BlockCause>(row.cause());
  out.evidence = Enum<Evidence>(row.evidence());
  out.detail = Text(row.detail());
  out.task = Text(row.task());
  out.several = row.several();
  if (row.has_stack()) out.stack = Index(row.stack(), Fields::kStacksFieldNumber);
  out.count = row.count();
  out.total = Time(row.total_duration_ns());
  out.worst = Time(row.worst_duration_ns());
  out.worst_begin = Time(row.worst_begin_ns());
  out.first_begin = Time(row.first_begin_ns());
  out.worst_queued = Time(row.worst_queued_duration_ns());
  out.in_progress = row.in_progress();
  return {};
}

Status RowReader::Read(const pb::Finding& row) {
  const auto kind = FromProto<FindingKind>(row.kind());
  if (!kind) {
    ++contents_.format.unknown_findings;
    return {};
  }
  Charge(sizeof(Finding));
  if (!error_) return error_;
  Finding& out = contents_.findings.emplace_back();
  out.kind = *kind;
  out.evidence = Enum<Evidence>(row.evidence());
  out.ending = Enum<Ending>(row.ending());
  if (row.has_ends_at_ns()) out.ends_at = Time(row.ends_at_ns());
  out.since = Time(row.since_ns());
  out.members = Indices(row.members(), Fields::kActorsFieldNumber);
  out.ring = Steps(row.ring());
  out.resources = Indices(row.resources(), Fields::kResourcesFieldNumber);
  out.blocked_behind = Indices(row.blocked_behind(), Fields::kActorsFieldNumber);
  out.chain = Steps(row.chain());
  if (row.has_root()) out.root = Index(row.root(), Fields::kActorsFieldNumber);
  out.exceptions = Indices(row.exceptions(), Fields::kSwallowedExceptionsFieldNumber);
  out.never_awaited = Indices(row.never_awaited(), Fields::kNeverAwaitedFieldNumber);
  out.loop_blocks = Indices(row.loop_blocks(), Fields::kLoopBlocksFieldNumber);
  out.orders = Steps(row.orders());
  out.long_holds = Indices(row.long_holds(), Fields::kLongHoldsFieldNumber);
  for (const std::string& line : row.proof()) {
    Charge(sizeof(std::string));
    out.proof.push_back(Own(line));
  }
  out.advice = Own(row.advice());
  out.id = row.id();
  out.first_seen = Time(row.first_seen_ns());
  out.last_seen = Time(row.last_seen_ns());
  out.ended = row.ended();
  return {};
}

Status RowReader::Read(const pb::Observation& row) {
  Observation& out = contents_.observation;
  out.host = {Own(row.host().name()), Own(row.host().kernel_release()),
              Own(row.host().architecture()), row.host().cpus(), Own(row.host().boot_id())};
  out.tool_version = Own(row.tool().version());
  out.begin = Time(row.begin_ns());
  out.end = Time(row.end_ns());
  out.realtime_offset = Time(row.realtime_offset_ns());
  out.filter = Own(row.filter());
  for (const pb::Loss& loss : row.losses()) {
    Charge(sizeof(Loss));
    out.losses.push_back({Own(loss.reason()), loss.count(), loss.relevant(), Own(loss.detail())});
  }
  for (const std::string& line : row.degradations()) {
    Charge(sizeof(std::string));
    out.degradations.push_back(Own(line));
  }
  if (row.has_contention_since_ns()) {
    out.contention.since = Time(row.contention_since_ns());
    out.contention.min_wait = Time(row.min_wait_duration_ns());
  }
  out.loops.threshold = Time(row.loop_threshold_duration_ns());
  out.loops.since = Time(row.loops_since_ns());
  if (row.has_holds_since_ns()) {
    out.hold_activity.since = Time(row.holds_since_ns());
    out.hold_activity.long_hold = Time(row.long_hold_duration_ns());
  }
  const pb::Cost& cost = row.cost();
  out.cost = {Time(cost.sweep_duration_ns()),      Time(cost.read_duration_ns()),
              Time(cost.total_duration_ns()),      Time(cost.cpu_duration_ns()),
              Time(cost.reader_cpu_duration_ns()), cost.resident_bytes(),
              cost.reader_resident_bytes(),        cost.threads_visited()};
  return {};
}

}  // namespace ct
