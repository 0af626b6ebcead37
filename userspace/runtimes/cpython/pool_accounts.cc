#include "runtimes/cpython/pool_accounts.h"

#include <algorithm>
#include <array>

namespace ct::cpython {
namespace {

constexpr std::size_t kMaxUnits = 1 << 14;
constexpr std::uint64_t kDequeMaxLength = 64;  // dequeobject.maxlen, 3.11 to 3.15

class AccountReader {
 public:
  AccountReader(Heap& heap, Address pool) : heap_(heap) { account_.pool = pool; }

  std::optional<PoolAccount> Read() {
    const Type* type = heap_.TypeOf(account_.pool);
    if (type == nullptr || type->kind != Kind::kOther) return std::nullopt;
    account_.type = type->name;
    if (IsOfHolders() || IsOfOverflow() || IsOfBackReferences() || IsOfAllUnits() || IsOfUsed()) {
      return std::move(account_);
    }
    return std::nullopt;
  }

 private:
  Address Attribute(std::string_view name) { return heap_.Attribute(account_.pool, name); }
  std::optional<std::int64_t> Number(Address object, std::string_view name) {
    return heap_.Int(heap_.Attribute(object, name));
  }
  std::optional<std::int64_t> Number(std::string_view name) { return Number(account_.pool, name); }
  bool IsSet(Address value) { return value != 0 && heap_.KindOf(value) != Kind::kNone; }

  void SetCapacity(std::optional<std::int64_t> units) {
    if (units && *units > 0 && *units <= UINT32_MAX) {
      account_.capacity = static_cast<std::uint32_t>(*units);
    }
  }
  void SetInUse(std::int64_t units) {
    account_.in_use = static_cast<std::uint32_t>(std::clamp<std::int64_t>(units, 0, UINT32_MAX));
  }
  void AddIdle(const std::vector<Address>& units) {
    account_.idle.insert(units.begin(), units.end());
    account_.idle_count += static_cast<std::uint32_t>(units.size());
  }

  // What waits in a queue.Queue, an asyncio.Queue or a container; through SQLAlchemy's adapter,
  // too.
  std::vector<Address> Waiting(Address queue) {
    for (int depth = 0; depth < 3 && heap_.KindOf(queue) == Kind::kOther; ++depth) {
      const Address inner = heap_.Attribute(queue, "_queue");
      queue = inner != 0 ? inner : heap_.Attribute(queue, "queue");
    }
    return queue != 0 ? heap_.Elements(queue, kMaxUnits) : std::vector<Address>();
  }

  // asyncpg: one PoolConnectionHolder a unit, whose _in_use is a future while somebody has it.
  bool IsOfHolders() {
    const Address holders = Attribute("_holders");
    if (heap_.KindOf(holders) != Kind::kList) return false;
    SetCapacity(Number("_maxsize"));
    for (const Address holder : heap_.Elements(holders, kMaxUnits)) {
      if (!IsSet(heap_.Attribute(holder, "_in_use"))) continue;
      const Address connection = heap_.Attribute(holder, "_con");
      const Address unit = IsSet(connection) ? connection : holder;
      for (const Address object : {holder, connection, heap_.Attribute(holder, "_proxy")}) {
        if (IsSet(object)) account_.units.emplace(object, unit);
      }
      ++account_.in_use;
    }
    AddIdle(Waiting(Attribute("_queue")));
    return true;
  }

  // SQLAlchemy's QueuePool: units that are idle lie in a queue, and it counts how many there are
  // beyond the queue's size (below 0: how many of those are not made yet).
  bool IsOfOverflow() {
    const auto overflow = Number("_overflow");
    const auto most = Number("_max_overflow");
    const auto size = Number(Attribute("_pool"), "maxsize");
    if (!overflow || !most || !size) return false;
    if (*most >= 0 && *size > 0) SetCapacity(*size + *most);
    AddIdle(Waiting(Attribute("_pool")));
    SetInUse(*size + *overflow - account_.idle_count);
    account_.back_reference = "_ConnectionRecord__pool";
    return true;
  }

  // psycopg_pool: a connection that was handed out has its pool as _pool, an idle one has not.
  bool IsOfBackReferences() {
    const auto made = Number("_nconns");
    const Address idle = Attribute("_pool");
    if (!made || heap_.KindOf(idle) != Kind::kDeque) return false;
    SetCapacity(Number("_max_size"));
    AddIdle(heap_.Elements(idle, kMaxUnits));
    SetInUse(*made - account_.idle_count);
    account_.back_reference = "_pool";
    return true;
  }

  // redis: a list of all connections, and a queue of those that are idle (or None: not made yet).
  bool IsOfAllUnits() {
    const Address all = Attribute("_connections");
    const auto most = Number("max_connections");
    if (heap_.KindOf(all) != Kind::kList || !most) return false;
    SetCapacity(most);
    AddIdle(Waiting(Attribute("pool")));
    for (const Address unit : heap_.Elements(all, kMaxUnits)) {
      if (account_.idle.count(unit) != 0) continue;
      account_.units.emplace(unit, unit);
      ++account_.in_use;
    }
    return true;
  }

  // aiohttp, aiopg, aiomysql and many more: a container of those in use.
  bool IsOfUsed() {
    static constexpr auto kUsed = std::to_array<std::string_view>(
        {"_used", "_acquired", "used", "acquired", "in_use", "_in_use", "_in_use_connections",
         "busy", "_busy", "checked_out", "_checked_out", "borrowed", "_borrowed"});
    static constexpr auto kFree = std::to_array<std::string_view>(
        {"_free", "free", "_idle", "idle", "_available", "available", "_available_connections"});
    static constexpr auto kMost = std::to_array<std::string_view>(
        {"_maxsize", "maxsize", "_max_size", "max_size", "_limit", "limit", "max_connections",
         "_max_connections", "_capacity", "capacity", "_size", "size"});
    const Address used = FirstContainer(kUsed);
    if (used == 0) return false;
    for (const Address unit : heap_.Elements(used, kMaxUnits)) {
      account_.units.emplace(unit, unit);
      ++account_.in_use;
    }
    const Address free = FirstContainer(kFree);
    if (free != 0) AddIdle(heap_.Elements(free, kMaxUnits));
    for (const std::string_view name : kMost) {
      if (!account_.capacity) SetCapacity(Number(name));
    }
    if (!account_.capacity && heap_.KindOf(free) == Kind::kDeque) {
      SetCapacity(heap_.Value<std::int64_t>(free + kDequeMaxLength));
    }
    return true;
  }

  template <class Names>
  Address FirstContainer(const Names& names) {
    for (const std::string_view name : names) {
      const Address value = Attribute(name);
      switch (heap_.KindOf(value)) {
        case Kind::kList:
        case Kind::kSet:
        case Kind::kDeque:
        case Kind::kDict:
          return value;
        default:
          break;
      }
    }
    return 0;
  }

  Heap& heap_;
  PoolAccount account_;
};

}  // namespace

std::optional<PoolAccount> ReadPoolAccount(Heap& heap, Address pool) {
  return AccountReader(heap, pool).Read();
}

bool IsPoolName(std::string_view type) {
  return type.ends_with("Pool") || type.ends_with("Connector");
}

}  // namespace ct::cpython
