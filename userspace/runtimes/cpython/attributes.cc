// Looking up by name: keys of dicts, attributes of instances.
#include <algorithm>
#include <array>
#include <cstring>

#include "runtimes/cpython/objects.h"

namespace ct::cpython {
namespace {

constexpr std::uint64_t kNone = ~0ULL;
constexpr std::uint64_t kMaxKeys = 1 << 16;  // sys.modules of a large program has some thousands
constexpr std::size_t kMaxName = 256;
constexpr int kMaxBases = 32;

constexpr std::uint64_t kInlineValues = 1 << 2;  // Py_TPFLAGS_INLINE_VALUES, 3.13 and later
constexpr std::uint64_t kManagedDict = 1 << 4;   // Py_TPFLAGS_MANAGED_DICT
constexpr std::uint64_t kBeforeDict = 24;        // before the object, in front of the GC header
constexpr std::uint64_t kBeforeValues = 32;      // 3.11 has both
// struct _dictvalues {capacity, size, embedded, valid, values...} of 3.13 and later
constexpr std::uint64_t kValid = 3;
constexpr std::uint64_t kInlineHeader = 8;

constexpr std::uint64_t kDescriptorMember = 40;  // PyMemberDescrObject.d_member
constexpr std::uint64_t kMemberType = 8;         // PyMemberDef.type
constexpr std::uint64_t kMemberOffset = 16;      // PyMemberDef.offset
constexpr std::int32_t kObjectMember = 16;       // Py_T_OBJECT_EX: what __slots__ makes
constexpr std::size_t kMaxSlots = 256;

}  // namespace

Address Heap::Lookup(const KeysTable& table, std::string_view key) {
  const bool shared = table.values != 0;
  const auto value_at = [&](std::uint64_t index) {
    const Address entry = table.first_entry + index * table.entry_size + table.key_at;
    return shared ? Word(table.values + index * 8) : Word(entry + 8);
  };
  if (shared) {
    const auto known = shared_index_.find({table.keys, key});
    if (known != shared_index_.end()) {
      return known->second < table.entries ? value_at(known->second) : 0;
    }
  }
  std::uint64_t found = kNone;
  for (std::uint64_t i = 0; i < std::min(table.entries, kMaxKeys) && found == kNone; ++i) {
    const Address name = Word(table.first_entry + i * table.entry_size + table.key_at);
    // PyASCIIObject.length: most keys have another length.
    if (name == 0 || Word(name + 16) != key.size()) continue;
    const auto text = Str(name, key.size());
    if (text && *text == key) found = i;
  }
  if (shared) shared_index_.emplace(AttributeKey{table.keys, key}, found);
  return found != kNone ? value_at(found) : 0;
}

Address Heap::DictGet(Address dict, std::string_view key) {
  const auto table = OpenDict(memory_, dict);
  return table ? Lookup(*table, key) : 0;
}

Address Heap::DictOfInstance(Address object, const Type& type) {
  if ((type.flags & kManagedDict) != 0) {
    const Address dict = Word(object - kBeforeDict);
    return (dict & 1) == 0 ? dict : 0;
  }
  return type.dict_offset > 0 ? Word(object + static_cast<std::uint64_t>(type.dict_offset)) : 0;
}

std::optional<Heap::KeysTable> Heap::OpenInstance(Address object, const Type& type) {
  if (const Address dict = DictOfInstance(object, type)) return OpenDict(memory_, dict);
  if ((type.flags & kManagedDict) == 0) return std::nullopt;
  if (IsAtLeast(13)) {
    if ((type.flags & kInlineValues) == 0) return std::nullopt;
    const Address values = object + type.basic_size;
    if (Value<std::uint8_t>(values + kValid).value_or(0) == 0) return std::nullopt;
    return OpenKeys(memory_, type.cached_keys, values + kInlineHeader);
  }
  // 3.12 has the values where the dict would be, marked by the lowest bit of their address - 1.
  const Address values =
      IsAtLeast(12) ? Word(object - kBeforeDict) + 1 : Word(object - kBeforeValues);
  return values > 1 ? OpenKeys(memory_, type.cached_keys, values) : std::nullopt;
}

std::uint64_t Heap::SlotOffset(const Type& type, std::string_view name) {
  const auto known = slots_.find({type.address, name});
  if (known != slots_.end()) return known->second;
  std::uint64_t offset = kNone;
  const Type* owner = &type;
  for (int i = 0; i < kMaxBases && owner != nullptr && offset == kNone; ++i) {
    const Address descriptor = owner->dict != 0 ? DictGet(owner->dict, name) : 0;
    if (descriptor != 0 && KindOf(descriptor) == Kind::kMemberDescriptor) {
      const Address member = Word(descriptor + kDescriptorMember);
      offset = Value<std::uint64_t>(member + kMemberOffset).value_or(kNone);
      if (offset >= type.basic_size) offset = kNone;
    }
    owner = owner->base != 0 ? TypeAt(owner->base) : nullptr;
  }
  slots_.emplace(AttributeKey{type.address, name}, offset);
  return offset;
}

Address Heap::Attribute(Address object, std::string_view name) {
  const Type* type = TypeOf(object);
  if (type == nullptr) return 0;
  const auto table = OpenInstance(object, *type);
  if (const Address value = table ? Lookup(*table, name) : 0) return value;
  const std::uint64_t offset = SlotOffset(*type, name);
  return offset != kNone ? Word(object + offset) : 0;
}

const std::vector<Heap::NamedSlot>& Heap::SlotsOf(const Type& type) {
  const auto [entry, is_new] = all_slots_.try_emplace(type.address);
  std::vector<NamedSlot>& slots = entry->second;
  if (!is_new) return slots;
  const Type* owner = &type;
  for (int i = 0; i < kMaxBases && owner != nullptr; ++i) {
    ForEachItem(owner->dict, kMaxKeys, [&](Address name, Address descriptor) {
      if (KindOf(descriptor) != Kind::kMemberDescriptor) return true;
      const Address member = Word(descriptor + kDescriptorMember);
      const auto offset = Value<std::uint64_t>(member + kMemberOffset).value_or(kNone);
      if (Value<std::int32_t>(member + kMemberType) != kObjectMember) return true;
      if (offset < type.basic_size) slots.push_back({Str(name, kMaxName).value_or(""), offset});
      return slots.size() < kMaxSlots;
    });
    owner = owner->base != 0 ? TypeAt(owner->base) : nullptr;
  }
  return slots;
}

std::vector<Address> Heap::AttributeValues(Address object, std::size_t limit) {
  std::vector<Address> values;
  const Type* type = TypeOf(object);
  if (type == nullptr) return values;
  const auto table = OpenInstance(object, *type);
  for (std::uint64_t i = 0; table && i < table->entries && values.size() < limit; ++i) {
    const Address entry = table->first_entry + i * table->entry_size + table->key_at;
    const Address value = table->values != 0 ? Word(table->values + i * 8) : Word(entry + 8);
    if (value != 0) values.push_back(value);
  }
  for (const NamedSlot& slot : SlotsOf(*type)) {
    if (values.size() >= limit) break;
    if (const Address value = Word(object + slot.offset)) values.push_back(value);
  }
  return values;
}

void Heap::ForEachAttributeValue(Address object, std::size_t limit, const VisitItem& visit) {
  const Type* type = TypeOf(object);
  const auto table = type != nullptr ? OpenInstance(object, *type) : std::nullopt;
  if (!table) return;
  for (std::uint64_t i = 0; i < std::min<std::uint64_t>(table->entries, limit); ++i) {
    const Address entry = table->first_entry + i * table->entry_size + table->key_at;
    const Address value = table->values != 0 ? Word(table->values + i * 8) : Word(entry + 8);
    if (value != 0 && !visit(Word(entry), value)) return;
  }
}

void Heap::ForEachAttribute(Address object, std::size_t limit, const VisitAttribute& visit) {
  bool goes_on = true;
  ForEachAttributeValue(object, limit, [&](Address key, Address value) {
    const auto name = Str(key, kMaxName);
    goes_on = !name || visit(*name, value);
    return goes_on;
  });
  const Type* type = goes_on ? TypeOf(object) : nullptr;
  if (type == nullptr) return;
  for (const NamedSlot& slot : SlotsOf(*type)) {
    const Address value = Word(object + slot.offset);
    if (value != 0 && !visit(slot.name, value)) return;
  }
}

}  // namespace ct::cpython
