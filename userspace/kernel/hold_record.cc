#include "kernel/hold_record.h"

#include <algorithm>
#include <cstring>

namespace ct {
namespace {

static_assert(static_cast<int>(HoldRole::kAcquire) == CT_ROLE_ACQUIRE);
static_assert(static_cast<int>(HoldRole::kTryAcquire) == CT_ROLE_TRY_ACQUIRE);
static_assert(static_cast<int>(HoldRole::kRelease) == CT_ROLE_RELEASE);
static_assert(static_cast<int>(HoldRole::kConditionWait) == CT_ROLE_CONDITION_WAIT);
static_assert(static_cast<int>(HoldRole::kBegin) == CT_ROLE_BEGIN);
static_assert(static_cast<int>(HoldRole::kEnd) == CT_ROLE_END);
static_assert(static_cast<int>(ReturnValue::kAny) == CT_RETURN_ANY);
static_assert(static_cast<int>(ReturnValue::kZero) == CT_RETURN_ZERO);
static_assert(static_cast<int>(ReturnValue::kNonZero) == CT_RETURN_NONZERO);
static_assert(static_cast<int>(ReturnValue::kOne) == CT_RETURN_ONE);
static_assert(static_cast<int>(ReturnValue::kTrue) == CT_RETURN_TRUE);

CallPlace PlaceOf(const ct_caller& caller, const ct_python_place& python,
                  std::span<const std::byte> stack) {
  CallPlace place;
  auto& registers = place.registers.dwarf;
  registers[kRbx] = caller.bx;
  registers[kRbp] = caller.bp;
  registers[kRsp] = caller.sp;
  registers[kR12] = caller.r12;
  registers[kR13] = caller.r13;
  registers[kR14] = caller.r14;
  registers[kR15] = caller.r15;
  registers[kRip] = caller.ip;
  place.stack.assign(stack.begin(), stack.end());
  for (std::size_t i = 0; i < CT_PYTHON_FRAMES; ++i) {
    if (python.codes[i] != 0) place.python.push_back({python.codes[i], python.offsets[i]});
  }
  return place;
}

HeldObject HeldOf(const ct_held& held, const ct_place* place) {
  HeldObject object;
  object.address = held.address;
  object.probe = held.probe;
  object.family = held.family;
  object.asked = static_cast<TimeNs>(held.asked);
  object.since = static_cast<TimeNs>(held.since);
  object.asking = held.flags & CT_HELD_ASKING;
  object.contended = held.flags & CT_HELD_CONTENDED;
  object.tried = held.flags & CT_HELD_TRIED;
  object.again = held.flags & CT_HELD_AGAIN;
  object.since_is_bound = held.flags & CT_HELD_BOUND;
  object.count = held.count;
  object.unit = held.unit;
  if ((held.flags & CT_HELD_PLACE) && place != nullptr) {
    object.place = PlaceOf(place->caller, place->python, std::as_bytes(std::span(place->stack)));
  }
  return object;
}

std::optional<HoldEventKind> KindOf(std::uint16_t kind) {
  switch (kind) {
    case CT_RECORD_ORDER:
      return HoldEventKind::kOrder;
    case CT_RECORD_LONG_HOLD:
      return HoldEventKind::kLongHold;
    case CT_RECORD_LOCK_ENDED:
      return HoldEventKind::kEnded;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<HoldEvent> ParseHoldEvent(std::span<const std::byte> bytes) {
  ct_hold_record record;
  if (bytes.size() < sizeof(record)) return std::nullopt;
  std::memcpy(&record, bytes.data(), sizeof(record));
  const auto kind = KindOf(record.kind);
  if (!kind) return std::nullopt;

  HoldEvent event;
  event.kind = *kind;
  event.id = {static_cast<pid_t>(record.tid), static_cast<TimeNs>(record.start_time)};
  event.leader = {static_cast<pid_t>(record.tgid), static_cast<TimeNs>(record.leader_start_time)};
  event.ns_tid = static_cast<pid_t>(record.ns_tid);
  event.name = std::string(record.comm, strnlen(record.comm, sizeof(record.comm)));
  event.space = record.space;
  event.at = static_cast<TimeNs>(record.at);
  event.held = HeldOf(record.held, &record.place);
  event.wanted = record.wanted;
  event.wanted_probe = record.wanted_probe;
  std::copy_if(std::begin(record.guard_addresses), std::end(record.guard_addresses),
               std::back_inserter(event.guards), [](std::uint64_t guard) { return guard != 0; });
  const std::span<const std::byte> pages = bytes.subspan(sizeof(record));
  std::span<const std::byte> stack;
  if (record.stack_offset <= pages.size() &&
      record.stack_bytes <= pages.size() - record.stack_offset) {
    stack = pages.subspan(record.stack_offset, record.stack_bytes);
  }
  event.now = PlaceOf(record.now, record.now_python, stack);
  return event;
}

ThreadHolds ParseThreadHolds(pid_t tid, const ct_thread_holds& holds) {
  ThreadHolds thread;
  thread.tid = tid;
  thread.pid = static_cast<pid_t>(holds.tgid);
  thread.ns_tid = static_cast<pid_t>(holds.ns_tid);
  thread.space = holds.space;
  const std::size_t depth = std::min<std::size_t>(holds.depth, CT_HELD_OBJECTS);
  for (std::size_t i = 0; i < depth; ++i) {
    thread.held.push_back(HeldOf(holds.held[i], i < CT_HELD_PLACES ? &holds.places[i] : nullptr));
  }
  return thread;
}

HoldCount ParseHoldCount(const ct_hold_key& key, const ct_hold_statistics& statistics) {
  HoldCount count;
  count.key = {key.space, key.address, static_cast<pid_t>(key.tgid), key.family};
  count.probe = statistics.probe;
  count.holds = {statistics.holds, static_cast<DurationNs>(statistics.total),
                 static_cast<DurationNs>(statistics.max)};
  count.last_release = static_cast<TimeNs>(statistics.last_release);
  count.in_use = static_cast<std::int64_t>(statistics.in_use);
  count.high_water = static_cast<std::int64_t>(statistics.high_water);
  count.foreign_releases = statistics.foreign;
  count.exits = statistics.exits;
  count.made = static_cast<TimeNs>(statistics.made);
  count.uses = statistics.uses;
  return count;
}

ct_hold_probe DescribeProbe(pid_t pid, std::uint32_t family, const HoldProbe& probe, bool python) {
  ct_hold_probe raw{};
  raw.tgid = static_cast<std::uint32_t>(pid);
  raw.family = family;
  raw.pushed = probe.site.pushed;
  raw.role = static_cast<std::uint8_t>(probe.role);
  raw.key_argument = static_cast<std::uint8_t>(probe.key_argument);
  raw.unit_argument = static_cast<std::uint8_t>(probe.unit_argument);
  raw.succeeds = static_cast<std::uint8_t>(probe.succeeds);
  raw.state_at = probe.owner.state_at;
  raw.owner_at = probe.owner.owner_at;
  if (probe.owner.has_state) raw.flags |= CT_PROBE_STATE;
  if (probe.owner.has_owner) raw.flags |= CT_PROBE_OWNER;
  if (probe.owner.is_glibc_mutex) raw.flags |= CT_PROBE_GLIBC_MUTEX;
  if (probe.mode == AccessMode::kShared) raw.flags |= CT_PROBE_SHARED;
  if (probe.has_unit) raw.flags |= CT_PROBE_UNITS;
  if (probe.kind == ResourceKind::kPool || probe.kind == ResourceKind::kSemaphore) {
    raw.flags |= CT_PROBE_COUNTED;
  }
  if (python && probe.kind == ResourceKind::kSemaphore) raw.flags |= CT_PROBE_PYTHON;
  if (probe.success == SuccessRule::kOwnerWord && probe.owner.has_owner) {
    raw.flags |= CT_PROBE_BY_OWNER;
  }
  if (!probe.site.returns.empty()) raw.flags |= CT_PROBE_BY_RETURN;
  return raw;
}

}  // namespace ct
