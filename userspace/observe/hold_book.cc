#include "observe/hold_book.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/text.h"

namespace ct {
namespace {

constexpr std::size_t kMaxOrders = 65'536;
// As many different ones as the kernel sends (CT_ORDER_SIGHTINGS).
constexpr std::size_t kMaxSightings = 8;
constexpr std::size_t kMaxLongHolds = 1024;

}  // namespace

void HoldBook::NoteOrder(const HoldEvent& event, std::optional<StackBook::Id> held_at,
                         std::optional<StackBook::Id> wanted_at) {
  const OrderKey key{event.leader.tid, event.space, event.held.address, event.wanted};
  if (orders_.size() >= kMaxOrders && !orders_.contains(key)) {
    ++lost_orders_;
    return;
  }
  Order& order = orders_[key];
  Sighting sighting{event.id, CleanText(event.name), held_at,           wanted_at, event.guards,
                    event.at, event.held.probe,      event.wanted_probe};
  std::sort(sighting.guards.begin(), sighting.guards.end());
  // Told anew after a record was lost: the same once more.
  const bool known =
      std::any_of(order.sightings.begin(), order.sightings.end(), [&](const Sighting& other) {
        return other.thread == sighting.thread && other.guards == sighting.guards &&
               other.held_probe == sighting.held_probe &&
               other.wanted_probe == sighting.wanted_probe;
      });
  if (known) return;
  if (order.sightings.size() + 1 >= kMaxSightings) order.more = true;
  if (order.sightings.size() < kMaxSightings) order.sightings.push_back(std::move(sighting));
}

void HoldBook::NoteLongHold(const HoldEvent& event, std::optional<StackBook::Id> acquired_at,
                            std::optional<StackBook::Id> released_at) {
  if (long_holds_.size() >= kMaxLongHolds) {
    long_holds_.pop_front();
    ++lost_long_holds_;
  }
  LongOne hold;
  hold.lock = {event.space, event.held.address, event.leader.tid, event.held.family};
  hold.probe = event.held.probe;
  hold.thread = event.id;
  hold.name = CleanText(event.name);
  hold.since = event.held.since;
  hold.ended = event.at;
  hold.acquired_at = acquired_at;
  hold.released_at = released_at;
  long_holds_.push_back(std::move(hold));
}

void HoldBook::ForgetLocks(std::span<const HoldKey> locks) {
  std::set<std::pair<pid_t, std::uint64_t>> ended;
  for (const HoldKey& lock : locks) ended.emplace(lock.pid, lock.address);
  std::erase_if(orders_, [&](const auto& entry) {
    const OrderKey& key = entry.first;
    return ended.contains({key.pid, key.held}) || ended.contains({key.pid, key.wanted});
  });
}

void HoldBook::ForgetProcess(pid_t pid) {
  std::erase_if(orders_, [&](const auto& entry) { return entry.first.pid == pid; });
  std::erase_if(long_holds_, [&](const LongOne& hold) { return hold.lock.pid == pid; });
}

}  // namespace ct
