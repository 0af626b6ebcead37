// The books of one GIL: who waited for it and how long, and who had it when it was looked at, over
// time. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "model/contention.h"
#include "model/frame.h"

namespace ct {

// A thread of Python at one moment, and its frames.
struct GilThread {
  ThreadId id;
  std::string name;
  Stack stack;
};

struct GilLook {
  TimeNs at = 0;
  std::optional<GilThread> holder;  // unset: nobody has it, or nobody who is known
  bool collecting = false;          // the holder collects garbage
  std::vector<GilThread> waiters;
};

class GilBook {
 public:
  // From `begin` on; what was before is left out.
  explicit GilBook(TimeNs begin) : begin_(begin) {}

  // One futex wait of a thread. Those of one thread come in their order: one that timed out and the
  // next are the same wait for the GIL, for the thread asks again at once.
  void NoteWait(const ThreadId& id, const std::string& name, TimeNs begin, TimeNs end,
                bool timed_out);
  void NoteLook(const GilLook& look);

  // What was noted, up to `end`; its stacks are added to `stacks`. Resource and process are the
  // caller's.
  [[nodiscard]] GilContention Report(TimeNs end, std::vector<Stack>& stacks);
  // Beyond what is kept: threads, places.
  [[nodiscard]] std::uint64_t overflowed() const { return overflowed_; }

 private:
  // Looks at one function, by its lines: the stack of the most frequent one stands for all.
  struct Place {
    std::uint32_t looks = 0;
    std::map<std::uint32_t, std::pair<std::uint32_t, Stack>> lines;
    void Add(const Stack& stack, std::uint32_t line);
    [[nodiscard]] const Stack* Most() const;
  };
  // Function, file, and whether garbage was collected.
  using PlaceKey = std::tuple<std::string, std::string, bool>;
  using HolderKey = std::tuple<ThreadId, PlaceKey>;
  struct Holder {
    std::string name;
    Place place;
  };
  struct Waiter {
    std::string name;
    std::uint64_t waits = 0;  // without the one that is open
    DurationNs total = 0;
    DurationNs max = 0;
    TimeNs open_begin = 0;
    TimeNs open_end = 0;  // 0: none is open
    bool may_go_on = false;
    std::map<PlaceKey, Place> places;
    void Close();
  };
  struct Slice {
    DurationNs waited = 0;
    std::uint32_t looks = 0;
    std::uint32_t contended = 0;
    std::map<HolderKey, std::uint32_t> holders;
    void Add(const Slice& other);
  };

  static std::pair<PlaceKey, std::uint32_t> KeyOf(const Stack& stack, bool collecting);
  Waiter* WaiterOf(const ThreadId& id);
  // Makes room for it; the first one if it is before the beginning.
  std::size_t SliceAt(TimeNs time);
  [[nodiscard]] TimeNs BeginOf(std::size_t slice) const {
    return begin_ + static_cast<DurationNs>(slice) * length_;
  }

  TimeNs begin_;
  DurationNs length_ = kSecond / 4;  // of a slice; doubles when there are too many
  std::vector<Slice> slices_;
  std::map<ThreadId, Waiter> waiters_;
  std::map<HolderKey, Holder> holders_;
  std::uint64_t overflowed_ = 0;
};

}  // namespace ct
