// What is remembered of holds over a trace: in which orders locks were taken, and which holds were
// long.
#pragma once

#include <compare>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "kernel/holds.h"
#include "observe/stack_book.h"

namespace ct {

class HoldBook {
 public:
  struct OrderKey {
    pid_t pid = 0;
    std::uint64_t space = 0;  // the kernel's identity
    std::uint64_t held = 0;
    std::uint64_t wanted = 0;
    auto operator<=>(const OrderKey&) const = default;
  };
  struct Sighting {
    ThreadId thread;
    std::string name;
    std::optional<StackBook::Id> held_at;
    std::optional<StackBook::Id> wanted_at;
    std::vector<std::uint64_t> guards;
    TimeNs at = 0;
    ProbeId held_probe = 0;
    ProbeId wanted_probe = 0;
  };
  struct Order {
    std::vector<Sighting> sightings;
    bool more = false;
  };
  struct LongOne {
    HoldKey lock;
    ProbeId probe = 0;
    ThreadId thread;
    std::string name;
    TimeNs since = 0;
    TimeNs ended = 0;
    std::optional<StackBook::Id> acquired_at;
    std::optional<StackBook::Id> released_at;
  };

  // The stacks are those of the event's held object and of where its thread was.
  void NoteOrder(const HoldEvent& event, std::optional<StackBook::Id> held_at,
                 std::optional<StackBook::Id> wanted_at);
  void NoteLongHold(const HoldEvent& event, std::optional<StackBook::Id> acquired_at,
                    std::optional<StackBook::Id> released_at);
  // Other locks are at these addresses from now on: what was known of those before is no order of
  // theirs.
  void ForgetLocks(std::span<const HoldKey> locks);
  void ForgetProcess(pid_t pid);

  [[nodiscard]] const std::map<OrderKey, Order>& orders() const { return orders_; }
  [[nodiscard]] const std::deque<LongOne>& long_holds() const { return long_holds_; }
  // What found no room any more.
  [[nodiscard]] std::uint64_t lost_orders() const { return lost_orders_; }
  [[nodiscard]] std::uint64_t lost_long_holds() const { return lost_long_holds_; }

 private:
  std::map<OrderKey, Order> orders_;
  std::deque<LongOne> long_holds_;  // the latest
  std::uint64_t lost_orders_ = 0;
  std::uint64_t lost_long_holds_ = 0;
};

}  // namespace ct
