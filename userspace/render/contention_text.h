// The table of contended locks, for a terminal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "render/renderer.h"

namespace ct {

// What a row of the table is.
enum class ContentionGroup : std::uint8_t { kLock, kStack, kThread, kProcess, kCgroup };
enum class ContentionSort : std::uint8_t { kTotal, kWaits, kAverage, kMax, kP99 };

struct ContentionView {
  ContentionGroup group = ContentionGroup::kLock;
  ContentionSort sort = ContentionSort::kTotal;
  DurationNs min_total = 0;  // rows with less waiting are counted, not shown
  std::size_t rows = 20;
  bool idle = false;  // conditions, parked threads, joins and unknown futexes, too
};

// nullopt: there is none of that name.
std::optional<ContentionGroup> ParseContentionGroup(std::string_view name);
std::optional<ContentionSort> ParseContentionSort(std::string_view name);

// Empty if nothing was counted.
std::string RenderContention(const Observation& observation, const ContentionView& view,
                             const RenderOptions& render);

}  // namespace ct
