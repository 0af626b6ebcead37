#include "runtimes/cpython/pools.h"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace ct::cpython {
namespace {

constexpr std::size_t kMaxAttributes = 256;
constexpr std::size_t kMaxLocals = 64;
constexpr std::uint64_t kModuleDict = 16;  // PyModuleObject.md_dict
constexpr std::size_t kMaxModules = 1 << 14;
constexpr std::size_t kMaxGlobals = 1 << 12;  // of one module
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxHolders = 16;  // of one unit that are kept

bool IsContainer(Kind kind) {
  return kind == Kind::kList || kind == Kind::kTuple || kind == Kind::kSet ||
         kind == Kind::kDeque || kind == Kind::kDict;
}

bool IsRunning(const PythonTask& task) {
  return task.state != PythonTaskState::kFinished && task.state != PythonTaskState::kCancelled;
}

}  // namespace

bool PoolReader::IsUnitOf(const PoolAccount& account, Address object) {
  if (account.idle.count(object) != 0) return false;
  if (account.inferred) {
    // Who has those that were seen to be taken is known.
    const Type* type = heap_.TypeOf(object);
    return account.unit_type != 0 && type != nullptr && type->address == account.unit_type &&
           account.taken.count(object) == 0;
  }
  return !account.back_reference.empty() &&
         heap_.Attribute(object, account.back_reference) == account.pool;
}

Address PoolReader::UnitOf(Address object) {
  const auto known = units_.find(object);
  if (known != units_.end()) return known->second;
  for (const Address pool : finder_.pools()) {
    const PoolAccount& account = finder_.AccountOf(pool);
    if (!IsUnitOf(account, object)) continue;
    units_.emplace(object, object);
    pool_of_.emplace(object, pool);
    return object;
  }
  return 0;
}

bool PoolReader::IsOwn(const PythonFrame& frame) {
  const auto view = frames_.At(frame.address);
  if (!view || view->code == nullptr) return false;
  const std::string_view file = codes_.FileOf(*view->code);
  return !IsLibraryFile(file);
}

void PoolReader::Keep(const std::vector<UnitSearch::Found>& found, PythonUnitHolder holder,
                      const std::vector<PythonFrame>& frames, bool is_own) {
  for (const UnitSearch::Found& each : found) {
    std::vector<PythonUnitHolder>& holders = holders_[each.unit];
    const auto known = std::find_if(holders.begin(), holders.end(), [&](const auto& other) {
      return other.task == holder.task && other.thread == holder.thread;
    });
    if (known != holders.end()) {
      // A framework's with-block says that it is held; the program's own frame says by what.
      if (is_own && !IsOwn(frames[known->frame])) known->frame = each.frame;
      continue;
    }
    holder.frame = each.frame;
    holder.hops = each.hops;
    holders.push_back(holder);
  }
}

void PoolReader::Search(const std::vector<PythonFrame>& frames, PythonUnitHolder holder,
                        UnitSearch& search) {
  std::vector<UnitSearch::Root> blocks;
  std::vector<UnitSearch::Root> own;
  std::vector<UnitSearch::Root> others;
  for (std::size_t i = frames.size(); i-- > 0;) {  // the outermost first: who took it
    const auto frame = static_cast<std::uint32_t>(i);
    for (const PythonHold& hold : frames[i].holds) {
      if (!hold.entering) blocks.push_back({hold.object, frame});
    }
    const auto view = frames_.At(frames[i].address);
    if (!view || view->code == nullptr) continue;
    std::vector<UnitSearch::Root>& locals = IsOwn(frames[i]) ? own : others;
    for (std::uint32_t slot = 0; slot < std::min<std::size_t>(view->code->locals, kMaxLocals);
         ++slot) {
      const Address local = frames_.LocalAt(*view, slot);
      if (local != 0) locals.push_back({local, frame});
    }
  }
  holder.in_block = true;
  if (!blocks.empty()) Keep(search.From(blocks), holder, frames, false);
  holder.in_block = false;
  if (!own.empty()) Keep(search.From(own), holder, frames, true);
  if (!others.empty()) Keep(search.From(others), holder, frames, false);
}

std::string PoolReader::PathText(const std::string& global, const std::vector<Address>& path) {
  std::string text = "global " + global;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    std::string step;
    heap_.ForEachAttribute(path[i], kMaxAttributes, [&](const std::string& name, Address value) {
      if (value == path[i + 1]) step = "." + name;
      if (step.empty() && IsContainer(heap_.KindOf(value))) {
        const auto elements = heap_.SomeElements(value, kMaxAttributes);
        if (std::find(elements.begin(), elements.end(), path[i + 1]) != elements.end()) {
          step = "." + name + "[..]";
        }
      }
      return step.empty();
    });
    text += step.empty() ? "..." : step;
  }
  return text;
}

void PoolReader::FindReferrers(const std::vector<Address>& modules, UnitSearch& search) {
  std::vector<std::string> names;
  std::vector<UnitSearch::Root> roots;
  for (const Address all : modules) {
    heap_.ForEachItem(all, kMaxModules, [&](Address key, Address module) {
      const Address dict = heap_.Word(module + kModuleDict);
      const auto file = heap_.Str(heap_.DictGet(dict, "__file__"), kMaxPath);
      const Type* type = heap_.TypeOf(module);
      if (type == nullptr || type->name != "module" || !file || IsLibraryFile(*file)) return true;
      const std::string name = heap_.Str(key, kMaxName).value_or("?");
      heap_.ForEachItem(dict, kMaxGlobals, [&](Address global, Address value) {
        roots.push_back({value, static_cast<std::uint32_t>(names.size())});
        names.push_back(name + "." + heap_.Str(global, kMaxName).value_or("?"));
        return true;
      });
      return true;
    });
  }
  for (const UnitSearch::Found& found : search.From(roots)) {
    referrers_[found.unit] = PathText(names[found.frame], found.path);
  }
}

void PoolReader::FindUnits(const std::vector<Address>& modules, PythonProcess& process) {
  std::unordered_set<Address> stacks;
  const auto add = [&](const std::vector<PythonFrame>& frames) {
    for (const PythonFrame& frame : frames) stacks.insert(frame.address);
  };
  for (const PythonTask& task : process.tasks) add(task.frames);
  for (const PythonThread& thread : process.threads) add(thread.frames);
  std::unordered_set<Address> barred(finder_.pools().begin(), finder_.pools().end());
  bool any_inferred = false;
  for (const Address pool : finder_.pools()) {
    const PoolAccount& account = finder_.AccountOf(pool);
    for (const auto& [object, unit] : account.units) {
      units_.emplace(object, unit);
      pool_of_.emplace(unit, pool);
    }
    for (const auto& [unit, holders] : account.taken) {
      pool_of_.emplace(unit, pool);
      holders_[unit] = holders;
    }
    if (!account.inferred) continue;
    any_inferred = true;
    // Another pool of the same class has others of the same kind.
    if (const Type* type = heap_.TypeOf(pool)) barred.insert(type->address);
  }
  UnitSearch search(
      heap_, frames_, [this](Address object) { return UnitOf(object); }, barred, stacks);
  for (const PythonTask& task : process.tasks) {
    if (IsRunning(task)) Search(task.frames, {task.address, 0, 0, 0, false}, search);
  }
  for (const PythonThread& thread : process.threads) {
    if (thread.running_task != 0) continue;  // its frames are that task's
    // The frames of a loop lead to every connection whose socket it watches.
    std::vector<PythonFrame> frames = thread.frames;
    if (thread.running_loop != 0) {
      for (PythonFrame& frame : frames) {
        if (!IsOwn(frame)) frame.address = 0;
      }
    }
    Search(frames, {0, thread.address, 0, 0, false}, search);
  }
  const bool lost = std::any_of(pool_of_.begin(), pool_of_.end(), [this](const auto& unit) {
    return holders_.count(unit.first) == 0;
  });
  std::size_t in_use = 0;
  for (const Address pool : finder_.pools()) in_use += finder_.AccountOf(pool).in_use;
  // What only a global has is in use, too, where nobody counts.
  if (lost || any_inferred || in_use > holders_.size()) FindReferrers(modules, search);
  for (const Address pool : finder_.pools()) {
    process.pools.push_back(Describe(finder_.AccountOf(pool), search.complete()));
  }
}

PythonPool PoolReader::Describe(const PoolAccount& account, bool complete) {
  PythonPool pool;
  pool.object = account.pool;
  pool.type = account.type;
  pool.capacity = account.capacity;
  pool.idle = account.idle_count;
  pool.in_use = account.in_use;
  pool.complete = complete;
  pool.inferred = account.inferred;
  std::vector<Address> units;
  for (const auto& [unit, of] : pool_of_) {
    if (of == account.pool) units.push_back(unit);
  }
  std::sort(units.begin(), units.end());
  for (const Address object : units) {
    PythonUnit& unit = pool.units.emplace_back();
    unit.object = object;
    if (const Type* type = heap_.TypeOf(object)) unit.type = type->name;
    unit.holders = std::move(holders_[object]);
    if (unit.holders.empty()) unit.referrer = referrers_[object];
    std::stable_sort(unit.holders.begin(), unit.holders.end(), [](const auto& a, const auto& b) {
      return std::tuple(!a.in_block, a.hops) < std::tuple(!b.in_block, b.hops);
    });
    if (unit.holders.size() > kMaxHolders) unit.holders.resize(kMaxHolders);
  }
  if (account.inferred) {
    pool.in_use = static_cast<std::uint32_t>(units.size());
    // There may be more of them in use that cannot be told by their class.
    const bool counted = account.capacity && pool.in_use >= *account.capacity;
    pool.complete = complete && (counted || account.unit_type != 0);
  }
  return pool;
}

void PoolReader::Read(const std::vector<Address>& modules, PythonProcess& process) {
  finder_.Find(process);
  if (!finder_.pools().empty()) FindUnits(modules, process);
}

}  // namespace ct::cpython
