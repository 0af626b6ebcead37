#include "observe/gil_book.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <unordered_map>
#include <utility>

namespace ct {
namespace {

// As many lines as a person reads; of ten seconds, one each.
constexpr std::size_t kMaxSlices = 16;
constexpr std::size_t kMaxThreads = 1024;
constexpr std::size_t kMaxPlaces = 1024;      // of holders
constexpr std::size_t kMaxWaiterPlaces = 16;  // of one thread
constexpr std::size_t kMaxLines = 16;         // of a place
constexpr std::size_t kMaxRows = 64;          // in a report, of each kind
// take_gil() asks again without doing anything else (Python/ceval_gil.c); a busy CPU may let it
// wait for its turn in between.
constexpr DurationNs kBetweenTries = 2 * kMillisecond;

}  // namespace

void GilBook::Place::Add(const Stack& stack, std::uint32_t line) {
  ++looks;
  const auto known = lines.find(line);
  if (known != lines.end()) {
    ++known->second.first;
  } else if (lines.size() < kMaxLines) {
    lines.emplace(line, std::pair(1U, stack));
  }
}

const Stack* GilBook::Place::Most() const {
  const auto most = std::max_element(lines.begin(), lines.end(), [](const auto& a, const auto& b) {
    return a.second.first < b.second.first;
  });
  return most == lines.end() ? nullptr : &most->second.second;
}

void GilBook::Slice::Add(const Slice& other) {
  waited += other.waited;
  looks += other.looks;
  contended += other.contended;
  for (const auto& [holder, count] : other.holders) holders[holder] += count;
}

void GilBook::Waiter::Close() {
  if (open_end == 0) return;
  const DurationNs duration = open_end - open_begin;
  ++waits;
  total += duration;
  max = std::max(max, duration);
  open_end = 0;
}

std::pair<GilBook::PlaceKey, std::uint32_t> GilBook::KeyOf(const Stack& stack, bool collecting) {
  const Frame* frame = OwnPythonFrame(stack);
  if (frame == nullptr) return {PlaceKey("", "", collecting), 0};
  return {PlaceKey(frame->function, frame->file, collecting), frame->line};
}

GilBook::Waiter* GilBook::WaiterOf(const ThreadId& id) {
  if (const auto known = waiters_.find(id); known != waiters_.end()) return &known->second;
  if (waiters_.size() >= kMaxThreads) {
    ++overflowed_;
    return nullptr;
  }
  return &waiters_[id];
}

std::size_t GilBook::SliceAt(TimeNs time) {
  const DurationNs since = std::max<DurationNs>(0, time - begin_);
  while (static_cast<std::size_t>(since / length_) >= kMaxSlices) {
    for (std::size_t i = 0; i < slices_.size(); ++i) {
      if (i % 2 == 0) {
        if (i != 0) slices_[i / 2] = std::move(slices_[i]);
        continue;
      }
      slices_[i / 2].Add(slices_[i]);
    }
    slices_.resize((slices_.size() + 1) / 2);
    length_ *= 2;
  }
  const auto index = static_cast<std::size_t>(since / length_);
  if (slices_.size() <= index) slices_.resize(index + 1);
  return index;
}

void GilBook::NoteWait(const ThreadId& id, const std::string& name, TimeNs begin, TimeNs end,
                       bool timed_out) {
  begin = std::max(begin, begin_);
  if (end <= begin) return;
  Waiter* waiter = WaiterOf(id);
  if (waiter == nullptr) return;
  if (waiter->name.empty()) waiter->name = name;
  const bool goes_on =
      waiter->open_end != 0 && waiter->may_go_on && begin - waiter->open_end < kBetweenTries;
  if (!goes_on) {
    waiter->Close();
    waiter->open_begin = begin;
  }
  waiter->open_end = end;
  waiter->may_go_on = timed_out;
  const std::size_t last = SliceAt(end - 1);  // the indices of the others are right from here on
  for (std::size_t slice = SliceAt(begin); slice <= last; ++slice) {
    slices_[slice].waited += std::min(end, BeginOf(slice + 1)) - std::max(begin, BeginOf(slice));
  }
}

void GilBook::NoteLook(const GilLook& look) {
  Slice& slice = slices_[SliceAt(look.at)];
  ++slice.looks;
  if (!look.waiters.empty()) ++slice.contended;
  for (const GilThread& thread : look.waiters) {
    Waiter* waiter = WaiterOf(thread.id);
    if (waiter == nullptr) continue;
    waiter->name = thread.name;  // Python's own is better than the kernel's
    const auto [key, line] = KeyOf(thread.stack, false);
    if (waiter->places.size() < kMaxWaiterPlaces || waiter->places.contains(key)) {
      waiter->places[key].Add(thread.stack, line);
    }
  }
  // Who has it while nobody waits is in nobody's way.
  if (!look.holder || look.waiters.empty()) return;
  const auto [place, line] = KeyOf(look.holder->stack, look.collecting);
  const HolderKey key(look.holder->id, place);
  if (holders_.size() >= kMaxPlaces && !holders_.contains(key)) {
    ++overflowed_;
    return;
  }
  Holder& holder = holders_[key];
  holder.name = look.holder->name;
  holder.place.Add(look.holder->stack, line);
  ++slice.holders[key];
}

GilContention GilBook::Report(TimeNs end, std::vector<Stack>& stacks) {
  GilContention report;
  if (end <= begin_) return report;
  SliceAt(end - 1);
  const auto add = [&stacks](const Stack* stack) -> StackIndex {
    if (stack == nullptr || stack->frames.empty()) return kNoIndex;
    stacks.push_back(*stack);
    return static_cast<StackIndex>(stacks.size() - 1);
  };
  std::vector<std::pair<ThreadId, Waiter>> waiters(waiters_.begin(), waiters_.end());
  for (auto& [id, waiter] : waiters) waiter.Close();
  std::erase_if(waiters, [](const auto& waiter) { return waiter.second.waits == 0; });
  std::stable_sort(waiters.begin(), waiters.end(),
                   [](const auto& a, const auto& b) { return a.second.total > b.second.total; });
  if (waiters.size() > kMaxRows) waiters.resize(kMaxRows);
  for (const auto& [id, waiter] : waiters) {
    GilWaiter& row = report.waiters.emplace_back();
    row.id = id;
    row.name = waiter.name;
    row.waits = waiter.waits;
    row.total = waiter.total;
    row.max = waiter.max;
    const auto most = std::max_element(
        waiter.places.begin(), waiter.places.end(),
        [](const auto& a, const auto& b) { return a.second.looks < b.second.looks; });
    if (most != waiter.places.end()) row.stack = add(most->second.Most());
  }

  std::vector<const std::pair<const HolderKey, Holder>*> holders;
  for (const auto& holder : holders_) holders.push_back(&holder);
  std::stable_sort(holders.begin(), holders.end(), [](const auto* a, const auto* b) {
    return a->second.place.looks > b->second.place.looks;
  });
  if (holders.size() > kMaxRows) holders.resize(kMaxRows);
  std::map<HolderKey, std::int32_t> index;
  for (const auto* holder : holders) {
    const auto& [id, place] = holder->first;
    index.emplace(holder->first, static_cast<std::int32_t>(report.holders.size()));
    GilHolder& row = report.holders.emplace_back();
    row.id = id;
    row.name = holder->second.name;
    row.collecting = std::get<bool>(place);
    row.looks = holder->second.place.looks;
    row.stack = add(holder->second.place.Most());
  }

  std::vector<Slice> slices = slices_;
  // Of the last one there is hardly more than its begin: it counts to the one before.
  if (slices.size() > 1 && end - BeginOf(slices.size() - 1) < length_ / 4) {
    slices[slices.size() - 2].Add(slices.back());
    slices.pop_back();
  }
  for (std::size_t i = 0; i < slices.size(); ++i) {
    const Slice& slice = slices[i];
    GilSlice& row = report.slices.emplace_back();
    row.begin = BeginOf(i);
    row.length = (i + 1 < slices.size() ? BeginOf(i + 1) : end) - row.begin;
    row.waited = slice.waited;
    row.looks = slice.looks;
    row.contended = slice.contended;
    for (const auto& [key, looks] : slice.holders) {
      const auto found = index.find(key);
      if (found == index.end() || looks <= row.holder_looks) continue;
      row.holder = found->second;
      row.holder_looks = looks;
    }
  }
  return report;
}

}  // namespace ct
