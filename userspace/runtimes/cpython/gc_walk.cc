#include "runtimes/cpython/gc_walk.h"

#include <algorithm>

#include <fmt/format.h>

namespace ct::cpython {
namespace {

// PyGC_Head (pycore_gc.h): two pointers whose lowest bits are flags.
constexpr Address kFlags = 3;
constexpr Address kHeadSize = 16;
// struct gc_generation: a head, threshold and count. Three of them: generations[3] up to 3.13,
// young and old[2] of 3.14.
constexpr std::uint64_t kGenerationSize = 24;
// From 3.13.5, whose offset is in the table, to 3.13.0.
constexpr std::uint64_t kMovedWithin313 = 4;
constexpr std::uint64_t kClockEvery = 64;  // objects; one may cost a look without the cache

}  // namespace

bool GcWalk::IsHead(Address at) const {
  return std::find(heads_.begin(), heads_.end(), at) != heads_.end();
}

bool GcWalk::Spend() {
  if (exhausted_) return false;
  const bool look = ++visited_ % kClockEvery == 0;
  if (objects_left_ == 0) {
    heap_.skips().Add("objects of the heap beyond the limit");
    exhausted_ = true;
  } else if (look && IsLate()) {
    heap_.skips().Add(
        fmt::format("objects of the heap beyond the limit of {}", FormatDuration(time_)));
    exhausted_ = true;
  } else {
    --objects_left_;
  }
  return !exhausted_;
}

Address GcWalk::LookAgain(Address head, Address at, Way way, Node& node) {
  if (repairs_left_ == 0) return 0;
  --repairs_left_;
  const auto link = [&](const Node& of, bool onward) {
    return (onward == (way == Way::kForward) ? of.next : of.previous) & ~kFlags;
  };
  const auto here = fresh_.ReadValue<Node>(at);
  if (!here) return 0;
  const Address next = link(*here, true);
  if (next == head) return head;
  const auto there = next != 0 ? fresh_.ReadValue<Node>(next) : std::nullopt;
  if (!there || link(*there, false) != at) return 0;
  node = *there;
  return next;
}

Address GcWalk::WalkList(Address head, Address end, Way way, const Visit& visit) {
  const bool forward = way == Way::kForward;
  const Address first = heap_.Word(head + (forward ? 0 : sizeof(Address)));
  Address last = head;
  // Objects that a collection moves meanwhile lead into another list: to its head, or, where that
  // is one of the collection's own, round and round without one (Brent's test for that).
  Address seen = 0;
  std::uint64_t steps = 0;
  std::uint64_t note_at = 1;
  for (Address at = first & ~kFlags; at != head && at != end;) {
    if (at == seen || IsHead(at)) return last;
    if (++steps == note_at) {
      seen = at;
      note_at *= 2;
    }
    auto node = heap_.Value<Node>(at);
    if (!node || ((forward ? node->previous : node->next) & ~kFlags) != last) {
      node.emplace();
      at = LookAgain(head, last, way, *node);
      if (at == 0) return last;
      if (at == head || at == end) return 0;
    }
    if (!Spend()) return last;
    visit(at + kHeadSize, node->type);
    last = at;
    at = (forward ? node->next : node->previous) & ~kFlags;
  }
  return 0;
}

Address GcWalk::Youngest(Address interpreter) {
  const Address usual = interpreter + heap_.offsets().interp_gc;
  const auto is_head = [&](Address at) {
    const Address next = fresh_.ReadValue<Address>(at).value_or(0) & ~kFlags;
    const auto back = fresh_.ReadValue<Address>(next + sizeof(Address));
    return next != 0 && back && (*back & ~kFlags) == at;
  };
  const bool may_differ = heap_.IsAtLeast(13) && !heap_.IsAtLeast(14);
  const Address other = usual + kMovedWithin313;
  return may_differ && !is_head(usual) && is_head(other) ? other : usual;
}

bool GcWalk::Walk(Address interpreter, const Visit& visit) {
  const Address youngest = Youngest(interpreter);
  for (std::uint64_t i = 0; i < kGenerations; ++i) heads_[i] = youngest + i * kGenerationSize;
  heads_.back() = interpreter + heap_.offsets().interp_frozen;
  bool complete = true;
  for (const Address head : heads_) {
    if (exhausted_) break;
    const Address lost = WalkList(head, 0, Way::kForward, visit);
    if (lost == 0 || exhausted_) continue;
    // From the other end as far as here, or to its neighbour.
    const Address met = WalkList(head, lost, Way::kBackward, visit);
    if (met == 0 || (heap_.Word(lost) & ~kFlags) == met || exhausted_) continue;
    heap_.skips().Add("objects of the heap whose lists changed while they were read");
    complete = false;
  }
  return complete && !exhausted_;
}

}  // namespace ct::cpython
