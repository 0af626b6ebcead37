#include "runtimes/cpython/process_pools.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace ct::cpython {
namespace {

constexpr std::string_view kFile = "/concurrent/futures/process.py";
constexpr std::string_view kManager = "_ExecutorManagerThread.run";
constexpr std::size_t kMaxCalls = 1 << 16;
constexpr std::size_t kMaxWorkers = 1 << 10;
constexpr std::size_t kMaxShownWorkers = 4;
constexpr std::size_t kMaxState = 64;

}  // namespace

bool ProcessPoolReader::HasWaits(const PythonProcess& process) {
  const auto is_call = [](const auto& who) {
    return who.waits_for.kind == PythonAwaitKind::kConcurrent;
  };
  return std::any_of(process.tasks.begin(), process.tasks.end(), is_call) ||
         std::any_of(process.threads.begin(), process.threads.end(), is_call);
}

// "2/4 workers: 4711, 4712".
std::string ProcessPoolReader::Workers(Address processes, std::optional<std::uint32_t> most) {
  std::string pids;
  std::size_t workers = 0;
  heap_.ForEachItem(processes, kMaxWorkers, [&](Address pid, Address /*process*/) {
    if (++workers <= kMaxShownWorkers) {
      pids += fmt::format("{}{}", pids.empty() ? ": " : ", ", heap_.Int(pid).value_or(0));
    }
    return true;
  });
  if (workers > kMaxShownWorkers) pids += fmt::format(", {} more", workers - kMaxShownWorkers);
  return fmt::format("{}/{} workers{}", workers, most ? std::to_string(*most) : "?", pids);
}

void ProcessPoolReader::ReadManager(const PythonThread& thread, PythonProcess& process) {
  for (const PythonFrame& frame : thread.frames) {
    const auto view = frames_.At(frame.address);
    if (!view || view->code == nullptr || view->code->function != kManager) continue;
    if (!codes_.FileOf(*view->code).ends_with(kFile)) continue;
    const Address manager = frames_.Local(*view, "self");
    // The manager outlives an executor that nobody refers to any more.
    const Address executor = heap_.Referent(heap_.Attribute(manager, "executor_reference"));
    const Address shown = executor != 0 ? executor : manager;
    std::uint32_t calls = 0;
    std::uint32_t handed_out = 0;
    const Address items = heap_.Attribute(manager, "pending_work_items");
    heap_.ForEachItem(items, kMaxCalls, [&](Address /*id*/, Address item) {
      const Address future = heap_.Attribute(item, "future");
      const auto state = heap_.Str(heap_.Attribute(future, "_state"), kMaxState);
      if (state != "PENDING" && state != "RUNNING") return true;
      calls_[future] = {shown, state == "PENDING"};
      ++calls;
      if (state == "RUNNING") ++handed_out;
      return true;
    });
    PythonPool pool;
    pool.object = shown;
    if (const auto most = heap_.Int(heap_.Attribute(executor, "_max_workers"))) {
      if (*most > 0 && *most <= UINT32_MAX) pool.capacity = static_cast<std::uint32_t>(*most);
    }
    // Some more than there are workers are handed out, so that none of them is ever idle.
    pool.in_use = std::min(handed_out, pool.capacity.value_or(handed_out));
    pool.idle = pool.capacity.value_or(pool.in_use) - pool.in_use;
    const bool broken = heap_.KindOf(heap_.Attribute(executor, "_broken")) == Kind::kStr;
    pool.type = fmt::format("{}ProcessPoolExecutor ({} call{}, {})", broken ? "broken " : "", calls,
                            calls == 1 ? "" : "s",
                            Workers(heap_.Attribute(manager, "processes"), pool.capacity));
    process.pools.push_back(std::move(pool));
    return;
  }
}

void ProcessPoolReader::Note(PythonAwait& wait) const {
  if (wait.kind != PythonAwaitKind::kConcurrent || wait.children.empty()) return;
  const auto call = calls_.find(wait.children.front());
  if (call == calls_.end()) return;
  wait.object = call->second.executor;
  wait.attribute = call->second.queued ? "queued" : "";
}

void ProcessPoolReader::Read(PythonProcess& process) {
  if (!HasWaits(process)) return;
  for (const PythonThread& thread : process.threads) ReadManager(thread, process);
  if (calls_.empty()) return;
  for (PythonTask& task : process.tasks) Note(task.waits_for);
  for (PythonThread& thread : process.threads) Note(thread.waits_for);
}

}  // namespace ct::cpython
