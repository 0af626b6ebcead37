// Lists, tuples, sets, deques and dicts. Layouts from cpython/{list,tuple,set,dict}object.h,
// pycore_dict.h and Modules/_collectionsmodule.c, the same from 3.11 to 3.15 unless said.
#include <algorithm>
#include <array>

#include "runtimes/cpython/objects.h"

namespace ct::cpython {
namespace {

constexpr std::uint64_t kSize = 16;  // PyVarObject.ob_size
constexpr std::uint64_t kListItems = 24;
constexpr std::uint64_t kWeakrefObject = 16;  // PyWeakReference.wr_object
constexpr std::size_t kBlock = 512;           // how many words are read at once

struct SetImage {
  std::uint64_t refcount, type, fill, used, mask, table;
};
struct SetEntry {
  Address key;
  std::int64_t hash;  // -1: a deleted entry
};
constexpr std::uint64_t kMaxSetSlots = 1 << 23;

struct DequeImage {
  std::uint64_t refcount, type, size, left_block, right_block, left_index;
};
struct DequeBlock {
  Address left;
  std::array<Address, 64> data;
  Address right;
};

struct DictImage {
  std::uint64_t refcount, type, used, version, keys, values;
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
constexpr std::uint8_t kGeneralKeys = 0;  // DICT_KEYS_GENERAL: entries have a hash in front
constexpr std::uint8_t kMaxLog2 = 40;
// 3.13 and later: sizes and flags before the values (struct _dictvalues).
constexpr std::uint64_t kValuesHeader = 8;

}  // namespace

void Heap::CountLeftOut(std::uint64_t size, std::size_t limit) {
  if (size <= limit || some_are_enough_) return;
  skips_.Add("elements of a container beyond the limit", size - limit);
}

std::vector<Address> Heap::SomeElements(Address container, std::size_t limit) {
  some_are_enough_ = true;
  auto elements = Elements(container, limit);
  some_are_enough_ = false;
  return elements;
}

std::vector<Address> Heap::Pointers(Address first, std::uint64_t count, std::size_t limit) {
  CountLeftOut(count, limit);
  std::vector<Address> pointers;
  std::uint64_t left = std::min<std::uint64_t>(count, limit);
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

std::vector<Address> Heap::SetElements(Address set, std::size_t limit) {
  std::vector<Address> keys;
  const auto image = Value<SetImage>(set);
  if (!image) return keys;
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
  CountLeftOut(image->used, limit);
  return keys;
}

std::vector<Address> Heap::DequeElements(Address deque, std::size_t limit) {
  std::vector<Address> elements;
  const auto image = Value<DequeImage>(deque);
  if (!image) return elements;
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
  CountLeftOut(image->size, limit);
  return elements;
}

std::vector<Address> Heap::RawElements(Address container, std::size_t limit) {
  std::vector<Address> elements;
  switch (KindOf(container)) {
    case Kind::kList:
      elements = Pointers(Word(container + kListItems), Word(container + kSize), limit);
      break;
    case Kind::kTuple:
      elements = Pointers(container + offsets_.tuple_items, Word(container + kSize), limit);
      break;
    case Kind::kSet:
      elements = SetElements(container, limit);
      break;
    case Kind::kDeque:
      elements = DequeElements(container, limit);
      break;
    case Kind::kDict:
      ForEachItem(container, limit, [&](Address /*key*/, Address value) {
        elements.push_back(value);
        return true;
      });
      break;
    default:
      break;
  }
  return elements;
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

std::optional<Heap::KeysTable> Heap::OpenKeys(Address keys, Address values) {
  const auto image = keys != 0 ? Value<KeysImage>(keys) : std::nullopt;
  if (!image || image->log2_size > kMaxLog2 || image->log2_index_bytes > kMaxLog2 ||
      image->entries > 1ULL << image->log2_size) {
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

std::optional<Heap::KeysTable> Heap::OpenDict(Address dict) {
  if (KindOf(dict) != Kind::kDict) return std::nullopt;
  const auto image = Value<DictImage>(dict);
  if (!image) return std::nullopt;
  const Address header = IsAtLeast(13) ? kValuesHeader : 0;
  return OpenKeys(image->keys, image->values != 0 ? image->values + header : 0);
}

void Heap::ForEachItem(Address dict, std::size_t limit, const VisitItem& visit) {
  const auto table = OpenDict(dict);
  if (!table) return;
  CountLeftOut(table->entries, limit);
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(table->entries, limit); ++i) {
    const Address entry = table->first_entry + i * table->entry_size + table->key_at;
    const auto pair = Value<std::array<Address, 2>>(entry);
    if (!pair) return;
    const Address value = table->values != 0 ? Word(table->values + i * 8) : (*pair)[1];
    if ((*pair)[0] != 0 && value != 0 && !visit((*pair)[0], value)) return;
  }
}

}  // namespace ct::cpython
