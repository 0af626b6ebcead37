// Objects of a CPython heap, read from outside. Every address may be anything: what is no object
// of the kind that is asked for reads as nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtimes/cpython/offsets.h"
#include "runtimes/python_process.h"
#include "target/memory.h"

namespace ct::cpython {

using Address = std::uint64_t;

inline bool IsObjectAddress(Address address) { return address >= 4096 && (address & 7) == 0; }

// Layouts that this reader knows, told by the name of a type or of its nearest such base.
enum class Kind : std::uint8_t {
  kOther,
  kNone,
  kCode,
  kCoroutine,  // also generators that types.coroutine made one
  kGenerator,
  kAsyncGenerator,
  kAsyncGeneratorStep,  // what asend(), athrow() and __anext__() return
  kCoroutineWrapper,    // what coroutine.__await__() returns
  kAnextAwaitable,      // anext() with a default
  kFutureIterator,      // what Future.__await__() returns
  kTask,
  kFuture,
  kMethod,
  kBuiltinMethod,
  kMethodWrapper,
  kMethodDescriptor,  // method_descriptor, wrapper_descriptor
  kFunction,
  kMemberDescriptor,
  kStr,
  kInt,
  kFloat,
  kTuple,
  kList,
  kDict,
  kSet,
  kDeque,
  kWeakref,
  kCell,
  kGreenlet,
};

struct Type {
  Address address = 0;
  Kind kind = Kind::kOther;
  std::string name;  // with its module: "asyncio.locks.Lock", "_thread.lock", "list"
  std::uint64_t basic_size = 0;
  std::uint64_t flags = 0;
  std::int64_t dict_offset = 0;
  Address dict = 0;
  Address base = 0;
  Address cached_keys = 0;  // keys that the inline values of its instances go with

  // "Lock" of "asyncio.locks.Lock".
  [[nodiscard]] std::string_view short_name() const {
    return std::string_view(name).substr(name.rfind('.') + 1);
  }
};

// What could not be read, by reason.
class Skips {
 public:
  void Add(std::string_view reason, std::uint64_t count = 1);
  [[nodiscard]] std::vector<PythonSkip> Take();

 private:
  std::vector<PythonSkip> skips_;
};

class Heap {
 public:
  // `fresh` is the memory without a cache, for what may have changed since it was read.
  Heap(Memory& memory, const Offsets& offsets, Memory& fresh)
      : memory_(memory), offsets_(offsets), fresh_(fresh) {}
  Heap(Memory& memory, const Offsets& offsets) : Heap(memory, offsets, memory) {}
  [[nodiscard]] const Offsets& offsets() const { return offsets_; }
  [[nodiscard]] bool IsAtLeast(std::uint32_t minor) const { return offsets_.minor >= minor; }
  Skips& skips() { return skips_; }

  bool Read(Address address, std::span<std::byte> out) {
    return memory_.Read(address, out) == out.size();
  }
  template <class T>
  std::optional<T> Value(Address address) {
    return memory_.ReadValue<T>(address);
  }
  // 0 if it cannot be read.
  Address Word(Address address) { return Value<Address>(address).value_or(0); }

  // nullptr if there is no object at this address. Valid as long as the heap.
  const Type* TypeOf(Address object);
  // The type at this address; nullptr if it is none.
  const Type* TypeAt(Address type);
  Kind KindOf(Address object);
  // Its first base; nullptr if it has none.
  const Type* BaseOf(const Type& type) { return type.base != 0 ? TypeAt(type.base) : nullptr; }
  // It, or a type that it derives from (by first bases), has this name with its module.
  bool DerivesFrom(const Type& type, std::string_view name);

  std::optional<std::string> Str(Address object, std::size_t limit);  // UTF-8, cut at `limit`
  std::optional<std::string> Bytes(Address object, std::size_t limit);
  std::optional<std::int64_t> Int(Address object);  // also bool; nullopt beyond 60 bits
  std::optional<double> Float(Address object);

  // The elements, at most `limit` of them: of a list, tuple, set, deque or dict (its values); of
  // weak references what they refer to.
  std::vector<Address> Elements(Address container, std::size_t limit);
  // The same, where those beyond the limit are no loss.
  std::vector<Address> SomeElements(Address container, std::size_t limit);
  // The same as they are there: also nothing, None and weak references themselves.
  std::vector<Address> RawElements(Address container, std::size_t limit);
  // What a weak reference refers to; 0 if it is none, or its object is gone.
  Address Referent(Address object);
  // The pairs of a dict, at most `limit`; stops when `visit` returns false.
  using VisitItem = std::function<bool(Address key, Address value)>;
  void ForEachItem(Address dict, std::size_t limit, const VisitItem& visit);
  // 0 if there is no such key. Names of keys and attributes are literals: they are remembered.
  Address DictGet(Address dict, std::string_view key);

  // An attribute of an instance itself (never of its class, never computed): in its dict, inline,
  // or in a slot. 0 if there is none.
  Address Attribute(Address object, std::string_view name);
  // Values of all attributes of an instance: in its dict, inline and in slots.
  using VisitAttribute = std::function<bool(const std::string& name, Address value)>;
  void ForEachAttribute(Address object, std::size_t limit, const VisitAttribute& visit);
  // The same without names; at most `limit`.
  std::vector<Address> AttributeValues(Address object, std::size_t limit);
  // Without those in slots, with the names as objects: for those who look at many and want to know
  // few.
  void ForEachAttributeValue(Address object, std::size_t limit, const VisitItem& visit);

 private:
  struct KeysTable {
    Address keys = 0;
    Address values = 0;  // of a split table; 0: the values are in the entries
    Address first_entry = 0;
    std::uint32_t entry_size = 0;
    std::uint32_t key_at = 0;
    std::uint64_t entries = 0;
  };
  struct AttributeKey {
    Address owner;
    std::string_view name;  // of a literal
    bool operator==(const AttributeKey&) const = default;
  };
  struct AttributeHash {
    std::size_t operator()(const AttributeKey& key) const;
  };

  Type ReadType(Address address);
  std::string QualifiedName(const Type& type, std::string name);
  std::optional<KeysTable> OpenKeys(Memory& memory, Address keys, Address values);
  std::optional<KeysTable> OpenDict(Memory& memory, Address dict);
  // Where the attributes of an instance are; nullopt if it has none.
  std::optional<KeysTable> OpenInstance(Address object, const Type& type);
  Address DictOfInstance(Address object, const Type& type);
  std::uint64_t SlotOffset(const Type& type, std::string_view name);
  // All slots that hold an object, also those of its bases.
  struct NamedSlot {
    std::string name;
    std::uint64_t offset = 0;
  };
  const std::vector<NamedSlot>& SlotsOf(const Type& type);
  Address Lookup(const KeysTable& table, std::string_view key);
  // The beginning of an object of this kind, all of it read at once; nullopt if it is none, or has
  // been freed.
  template <class Image>
  std::optional<Image> ImageOf(Memory& memory, Address object, Kind kind);
  // How many elements a container says it has, and where the last of them is.
  struct Extent {
    std::uint64_t size = 0;
    Address last = 0;
  };
  std::optional<Extent> ExtentOf(Memory& memory, Address container, Kind kind);
  // False if a container of a size beyond the limit is none of that size: it has changed since it
  // was read, or has no last element. If it is, what is beyond the limit is counted.
  bool IsThatLarge(Address container, Kind kind, std::uint64_t size, std::size_t limit);
  std::vector<Address> Pointers(Address first, std::uint64_t count);
  std::vector<Address> ListElements(Address list, std::size_t limit);
  std::vector<Address> TupleElements(Address tuple, std::size_t limit);
  std::vector<Address> SetElements(Address set, std::size_t limit);
  std::vector<Address> DequeElements(Address deque, std::size_t limit);

  Memory& memory_;
  const Offsets& offsets_;
  Memory& fresh_;
  Skips skips_;
  std::unordered_map<Address, Type> types_;
  int type_depth_ = 0;
  bool some_are_enough_ = false;  // elements beyond a limit are no loss
  // Index in a keys table that instances share, and offset of a slot in a type; ~0: none.
  std::unordered_map<AttributeKey, std::uint64_t, AttributeHash> shared_index_;
  std::unordered_map<AttributeKey, std::uint64_t, AttributeHash> slots_;
  std::unordered_map<Address, std::vector<NamedSlot>> all_slots_;  // by type
};

}  // namespace ct::cpython
