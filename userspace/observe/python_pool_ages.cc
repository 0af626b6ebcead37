#include "observe/python_pool_ages.h"

#include <algorithm>
#include <utility>

namespace ct {
namespace {

constexpr std::uint32_t kEnoughLooks = 4;  // each of two readings

}  // namespace

void PythonPoolAges::Update(const PythonLook& look) {
  std::unordered_map<std::uint64_t, Pool> pools;
  const auto& first = look.first.pools;
  for (const PythonPool& pool : look.second.pools) {
    const bool rests = std::find(first.begin(), first.end(), pool) != first.end();
    const auto before = pools_.find(pool.object);
    const bool same = rests && before != pools_.end() && before->second.seen == pool;
    Pool& now = pools[pool.object];
    now = {pool, same ? before->second.since : look.begin, same ? before->second.looks + 1 : 1};
    if (!rests) now = {pool, look.end, 0};
  }
  pools_ = std::move(pools);
  std::unordered_map<std::uint64_t, Wait> waits;
  for (const PythonTask& task : look.second.tasks) {
    const PythonAwait& wait = task.waits_for;
    if (wait.pool == 0) continue;
    const auto before = waits_.find(wait.future);
    const bool same = before != waits_.end() && before->second.pool == wait.pool;
    waits[wait.future] = same ? before->second : Wait{wait.pool, look.begin};
  }
  waits_ = std::move(waits);
}

std::optional<TimeNs> PythonPoolAges::WaitsSince(const PythonTask& task) const {
  const auto wait = waits_.find(task.waits_for.future);
  const auto pool = pools_.find(task.waits_for.pool);
  if (wait == waits_.end() || pool == pools_.end()) return std::nullopt;
  if (wait->second.pool != pool->first || pool->second.looks < kEnoughLooks) return std::nullopt;
  return std::max(wait->second.since, pool->second.since);
}

}  // namespace ct
