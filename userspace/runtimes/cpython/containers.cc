// Lists, tuples, sets, deques and dicts. Layouts from cpython/{list,tuple,set,dict}object.h,
// pycore_dict.h and Modules/_collectionsmodule.c, the same from 3.11 to 3.15 unless said.
#include <algorithm>
#include <array>

#include "runtimes/cpython/objects.h"

namespace ct::cpython {
namespace {

constexpr std::uint64_t kWeakrefObject = 16;  // PyWeakReference.wr_object
constexpr std::size_t kBlock = 512;           // how many words are read at once
// What a process of 2^47 bytes has room for: beyond it addresses of elements would wrap around.
constexpr std::uint64_t kMostElements = 1ULL << 44;

// PyVarObject, which a tuple begins with; its elements follow.
struct TupleImage {
  std::uint64_t refcount, type, size;
};
struct ListImage {
  std::uint64_t refcount, type, size, items, allocated;
};
struct SetImage {
  std::uint64_t refcount, type, fill, used, mask, table;
};
struct SetEntry {
  Address key;
  std::int64_t hash;  // -1: a deleted entry
};
constexpr std::uint64_t kMaxSetSlots = 1 << 23;
// As set_table_resize() keeps it.
bool IsPossible(const SetImage& set) {
  return (set.mask & (set.mask + 1)) == 0 && set.mask < kMostElements && set.fill <= set.mask &&
         set.used <= set.fill;
}

struct DequeImage {
  std::uint64_t refcount, type, size, left_block, right_block, left_index, right_index;
};
constexpr std::size_t kDequeBlock = 64;
struct DequeBlock {
  Address left;
  std::array<Address, kDequeBlock> data;
  Address right;
};

// struct _dictkeysobject
struct KeysImage {
  std::uint64_t refcount;
  std::uint8_t log2_size;
  std::uint8_t log2_index_bytes;
  std::uint8_t kind;
  std::uint8_t padding;
  std::uint32_t version;
  std::uint64_t usable;
  std::uint64_t entries;
};
static_assert(sizeof(KeysImage) == 32);
struct DictImage {
  std::uint64_t refcount, type, used, version, keys, values;
};
constexpr std::uint8_t kGeneralKeys = 0;  // DICT_KEYS_GENERAL: entries have a hash in front
constexpr std::uint8_t kLastKeys = 2;     // DICT_KEYS_SPLIT
constexpr std::uint8_t kMaxLog2 = 40;

// USABLE_FRACTION of Objects/dictobject.c: so many entries there is memory for.
std::uint64_t MostEntries(std::uint8_t log2_size) { return (2ULL << log2_size) / 3; }

// 3.13 and later: sizes and flags before the values (struct _dictvalues).
constexpr std::uint64_t kValuesHeader = 8;

}  // namespace

template <class Image>
std::optional<Image> Heap::ImageOf(Memory& memory, Address object, Kind kind) {
  if (!IsObjectAddress(object)) return std::nullopt;
  const auto image = memory.ReadValue<Image>(object);
  // The lower half: from 3.14 on there are flags in the other one.
  if (!image || static_cast<std::uint32_t>(image->refcount) == 0) return std::nullopt;
  const Type* type = TypeAt(image->type);
  return type != nullptr && type->kind == kind ? image : std::nullopt;
}

std::optional<Heap::Extent> Heap::ExtentOf(Memory& memory, Address container, Kind kind) {
  const auto array = [](std::uint64_t size, Address items) {
    return Extent{size, items + (size - 1) * sizeof(Address)};
  };
  switch (kind) {
    case Kind::kList: {
      const auto list = ImageOf<ListImage>(memory, container, kind);
      if (!list || list->size > list->allocated) return std::nullopt;
      return array(list->size, list->items);
    }
    case Kind::kTuple: {
      const auto tuple = ImageOf<TupleImage>(memory, container, kind);
      if (!tuple) return std::nullopt;
      return array(tuple->size, container + offsets_.tuple_items);
    }
    case Kind::kSet: {
      const auto set = ImageOf<SetImage>(memory, container, kind);
      if (!set || !IsPossible(*set)) return std::nullopt;
      return Extent{set->used, set->table + set->mask * sizeof(SetEntry)};
    }
    case Kind::kDeque: {
      const auto deque = ImageOf<DequeImage>(memory, container, kind);
      if (!deque || deque->right_index >= kDequeBlock) return std::nullopt;
      return Extent{deque->size, deque->right_block + (1 + deque->right_index) * sizeof(Address)};
    }
    case Kind::kDict: {
      const auto table = OpenDict(memory, container);
      if (!table) return std::nullopt;
      return Extent{table->entries, table->first_entry + (table->entries - 1) * table->entry_size};
    }
    default:
      return std::nullopt;
  }
}

bool Heap::IsThatLarge(Address container, Kind kind, std::uint64_t size, std::size_t limit) {
  if (size <= limit || some_are_enough_) return true;
  // In a program that runs on, what was a container when somebody referred to it may be part of
  // another object by now, with any word where its size was.
  const auto now = ExtentOf(fresh_, container, kind);
  if (!now || now->size <= limit) {
    skips_.Add("containers that changed while they were read");
    return false;
  }
  if (now->size > kMostElements || !fresh_.ReadValue<Address>(now->last)) {
    skips_.Add("containers of a size that they cannot have");
    return false;
  }
  skips_.Add("elements of a container beyond the limit", size - limit);
  return true;
}

std::vector<Address> Heap::SomeElements(Address container, std::size_t limit) {
  some_are_enough_ = true;
  auto elements = Elements(container, limit);
  some_are_enough_ = false;
  return elements;
}

std::vector<Address> Heap::Pointers(Address first, std::uint64_t count) {
  std::vector<Address> pointers;
  std::uint64_t left = count;
  while (left > 0) {
    const std::size_t before = pointers.size();
    const std::size_t want = std::min<std::uint64_t>(left, kBlock);
    pointers.resize(before + want);
    if (!Read(first + before * sizeof(Address),
              std::as_writable_bytes(std::span(pointers).subspan(before)))) {
      pointers.resize(before);
      break;
    }
    left -= want;
  }
  return pointers;
}

std::vector<Address> Heap::ListElements(Address list, std::size_t limit) {
  const auto image = ImageOf<ListImage>(memory_, list, Kind::kList);
  if (!image || !IsThatLarge(list, Kind::kList, image->size, limit)) return {};
  return Pointers(image->items, std::min<std::uint64_t>(image->size, limit));
}

std::vector<Address> Heap::TupleElements(Address tuple, std::size_t limit) {
  const auto image = ImageOf<TupleImage>(memory_, tuple, Kind::kTuple);
  if (!image || !IsThatLarge(tuple, Kind::kTuple, image->size, limit)) return {};
  return Pointers(tuple + offsets_.tuple_items, std::min<std::uint64_t>(image->size, limit));
}

std::vector<Address> Heap::SetElements(Address set, std::size_t limit) {
  std::vector<Address> keys;
  const auto image = ImageOf<SetImage>(memory_, set, Kind::kSet);
  if (!image || !IsPossible(*image)) return keys;
  if (!IsThatLarge(set, Kind::kSet, image->used, limit)) return keys;
  if (image->mask >= kMaxSetSlots) {
    skips_.Add("set too large");
    return keys;
  }
  std::array<SetEntry, kBlock> entries;
  std::uint64_t at = 0;
  while (at <= image->mask && keys.size() < std::min<std::uint64_t>(limit, image->used)) {
    const std::size_t count = std::min<std::uint64_t>(image->mask + 1 - at, kBlock);
    const auto part = std::span(entries).first(count);
    if (!Read(image->table + at * sizeof(SetEntry), std::as_writable_bytes(part))) break;
    for (const SetEntry& entry : part) {
      if (entry.key != 0 && entry.hash != -1 && keys.size() < limit) keys.push_back(entry.key);
    }
    at += count;
  }
  return keys;
}

std::vector<Address> Heap::DequeElements(Address deque, std::size_t limit) {
  std::vector<Address> elements;
  const auto image = ImageOf<DequeImage>(memory_, deque, Kind::kDeque);
  if (!image || !IsThatLarge(deque, Kind::kDeque, image->size, limit)) return elements;
  Address at = image->left_block;
  std::uint64_t index = image->left_index;
  std::uint64_t left = std::min<std::uint64_t>(image->size, limit);
  while (left > 0) {
    const auto block = Value<DequeBlock>(at);
    if (!block || index >= block->data.size()) break;
    for (; index < block->data.size() && left > 0; ++index, --left) {
      elements.push_back(block->data[index]);
    }
    index = 0;
    at = block->right;
  }
  return elements;
}

std::vector<Address> Heap::RawElements(Address container, std::size_t limit) {
  switch (KindOf(container)) {
    case Kind::kList:
      return ListElements(container, limit);
    case Kind::kTuple:
      return TupleElements(container, limit);
    case Kind::kSet:
      return SetElements(container, limit);
    case Kind::kDeque:
      return DequeElements(container, limit);
    case Kind::kDict: {
      std::vector<Address> values;
      ForEachItem(container, limit, [&](Address /*key*/, Address value) {
        values.push_back(value);
        return true;
      });
      return values;
    }
    default:
      return {};
  }
}

Address Heap::Referent(Address object) {
  if (KindOf(object) != Kind::kWeakref) return 0;
  const Address referent = Word(object + kWeakrefObject);
  return KindOf(referent) != Kind::kNone ? referent : 0;
}

std::vector<Address> Heap::Elements(Address container, std::size_t limit) {
  std::vector<Address> elements = RawElements(container, limit);
  for (Address& element : elements) {
    if (KindOf(element) == Kind::kWeakref) element = Referent(element);
  }
  std::erase_if(elements,
                [&](Address element) { return element == 0 || KindOf(element) == Kind::kNone; });
  return elements;
}

std::optional<Heap::KeysTable> Heap::OpenKeys(Memory& memory, Address keys, Address values) {
  const auto image = keys != 0 ? memory.ReadValue<KeysImage>(keys) : std::nullopt;
  if (!image || image->log2_size > kMaxLog2 || image->log2_index_bytes > kMaxLog2 ||
      image->kind > kLastKeys || image->entries > MostEntries(image->log2_size)) {
    return std::nullopt;
  }
  KeysTable table;
  table.keys = keys;
  table.values = values;
  table.first_entry = keys + sizeof(KeysImage) + (1ULL << image->log2_index_bytes);
  table.entry_size = image->kind == kGeneralKeys ? 24 : 16;
  table.key_at = image->kind == kGeneralKeys ? 8 : 0;
  table.entries = image->entries;
  return table;
}

std::optional<Heap::KeysTable> Heap::OpenDict(Memory& memory, Address dict) {
  const auto image = ImageOf<DictImage>(memory, dict, Kind::kDict);
  if (!image) return std::nullopt;
  const Address header = IsAtLeast(13) ? kValuesHeader : 0;
  return OpenKeys(memory, image->keys, image->values != 0 ? image->values + header : 0);
}

void Heap::ForEachItem(Address dict, std::size_t limit, const VisitItem& visit) {
  const auto table = OpenDict(memory_, dict);
  if (!table || !IsThatLarge(dict, Kind::kDict, table->entries, limit)) return;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(table->entries, limit); ++i) {
    const Address entry = table->first_entry + i * table->entry_size + table->key_at;
    const auto pair = Value<std::array<Address, 2>>(entry);
    if (!pair) return;
    const Address value = table->values != 0 ? Word(table->values + i * 8) : (*pair)[1];
    if ((*pair)[0] != 0 && value != 0 && !visit((*pair)[0], value)) return;
  }
}

}  // namespace ct::cpython
