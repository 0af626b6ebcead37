#include "reader/function_reading.h"

#include <algorithm>
#include <span>

#include <fmt/format.h>

#include "probes/placement.h"

namespace ct {
namespace {

// Everything but where to probe.
FunctionFound Describe(const NamedFunction& function) {
  FunctionFound found;
  found.query = function.query;
  found.why_not = function.why_not;
  ProbeSite& site = found.site;
  site.function = function.name;
  site.module = function.path;
  site.map_begin = function.place.map_begin;
  site.map_end = function.place.map_end;
  site.inode = function.place.inode;
  site.function_offset = function.place.file_offset;
  site.entry_offset = function.place.file_offset;
  site.entry_address = function.address;
  return found;
}

// Where a function goes on outside of itself: what the compiler laid elsewhere, and what it ends
// in.
class OtherParts {
 public:
  OtherParts(Target& target, const NamedFunction& function) {
    std::vector<std::uint64_t> tried;
    while (parts_.size() < kMaxOtherParts) {
      const auto jumps = JumpsOut(function.code, function.address, ranges_);
      const auto next = std::find_if(jumps.begin(), jumps.end(), [&](std::uint64_t address) {
        return std::find(tried.begin(), tried.end(), address) == tried.end();
      });
      if (next == jumps.end() || tried.size() >= kMaxTries) return;
      tried.push_back(*next);
      auto part = target.CodeAt(*next);
      if (!part) continue;
      parts_.push_back(std::move(*part));
      ranges_.push_back({parts_.back().address, parts_.back().code});
    }
  }

  [[nodiscard]] std::span<const CodeRange> ranges() const { return ranges_; }

 private:
  static constexpr std::size_t kMaxTries = 4 * kMaxOtherParts;
  std::vector<FunctionCode> parts_;
  std::vector<CodeRange> ranges_;  // of parts_
};

void Place(const NamedFunction& function, const FunctionToFind& wanted, const OtherParts& others,
           FunctionFound& found) {
  const auto entry = PlaceEntry(function.code, function.address, wanted.arguments, others.ranges());
  if (!entry) {
    found.why_not = entry.error().message;
    return;
  }
  ProbeSite& site = found.site;
  site.entry_offset += entry->offset;
  site.entry_address += entry->offset;
  site.emulated = entry->emulated;
  site.pushed = entry->pushed;
  site.why = entry->why;
}

void PlaceReturns(const NamedFunction& function, const OtherParts& others, FunctionFound& found) {
  const auto returns = FindReturns(function.code, function.address, others.ranges());
  if (!returns) {
    found.why_not = returns.error().message;
    return;
  }
  if (returns->size() > kMaxReturns) {
    found.why_not = fmt::format("it has {} return instructions", returns->size());
    return;
  }
  for (const std::uint64_t address : *returns) {
    found.site.returns.push_back(address - function.address + function.place.file_offset);
  }
}

}  // namespace

FunctionsRead FindFunctions(Target& target, const std::vector<FunctionToFind>& wanted) {
  std::vector<FunctionQuery> queries;
  const std::size_t count = std::min(wanted.size(), kMaxFunctions);
  queries.reserve(count);
  for (const FunctionToFind& function : std::span(wanted).first(count)) {
    queries.push_back({function.name, function.files});
  }
  const NamedFunctions named = target.FunctionsNamed(queries);
  FunctionsRead read;
  for (const NamedFunction& function : named.functions) {
    const FunctionToFind& query = wanted[function.query];
    FunctionFound found = Describe(function);
    if (found.why_not.empty()) {
      const OtherParts others(target, function);
      Place(function, query, others, found);
      if (found.why_not.empty() && query.want_returns) PlaceReturns(function, others, found);
    }
    read.functions.push_back(std::move(found));
  }
  for (const std::string& path : named.unreadable) {
    read.losses.push_back({"file not readable: functions in it are not followed", 1, true, path});
  }
  if (named.more) {
    read.losses.push_back({"functions not followed: their names fit too many", 1, true,
                           fmt::format("process {}", target.pid())});
  }
  return read;
}

std::vector<MemoryCopy> ReadMemory(Memory& memory, const std::vector<MemoryToRead>& wanted) {
  std::vector<MemoryCopy> read;
  for (const MemoryToRead& range :
       std::span(wanted).first(std::min(wanted.size(), kMaxFunctions))) {
    if (range.bytes > MemoryToRead::kMaxBytes) continue;
    MemoryCopy copy{range.address, std::string(range.bytes, '\0')};
    const auto bytes = std::as_writable_bytes(std::span(copy.bytes));
    if (memory.Read(range.address, bytes) == bytes.size()) read.push_back(std::move(copy));
  }
  return read;
}

}  // namespace ct
