#include "runtimes/cpython/objects.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/hash.h"

namespace ct::cpython {
namespace {

constexpr std::size_t kMaxTypes = 1 << 16;
constexpr int kMaxBases = 32;
constexpr int kMaxTypeDepth = 8;
constexpr std::size_t kMaxName = 256;

// Objects/typeobject.c and cpython/object.h, the same from 3.11 to 3.15.
constexpr std::uint64_t kObjectType = 8;
constexpr std::uint64_t kHeapType = 1 << 9;          // Py_TPFLAGS_HEAPTYPE
constexpr std::uint64_t kTypeSubclass = 1ULL << 31;  // Py_TPFLAGS_TYPE_SUBCLASS
struct TypeImage {                                   // the start of PyTypeObject
  std::uint64_t refcount, type, size, name;
  std::uint64_t basic_size, item_size;
  std::array<std::uint64_t, 15> methods;
  std::uint64_t flags;  // 168
  std::array<std::uint64_t, 10> slots;
  std::uint64_t base;  // 256
  std::uint64_t dict;  // 264
  std::uint64_t descr_get, descr_set;
  std::int64_t dict_offset;  // 288
};
static_assert(offsetof(TypeImage, flags) == 168 && offsetof(TypeImage, base) == 256 &&
              offsetof(TypeImage, dict_offset) == 288);

struct SubclassFlag {
  std::uint64_t flag;
  Kind kind;
};
// Py_TPFLAGS_LONG_SUBCLASS and the others.
constexpr std::array<SubclassFlag, 5> kSubclassFlags = {{{1 << 24, Kind::kInt},
                                                         {1 << 25, Kind::kList},
                                                         {1 << 26, Kind::kTuple},
                                                         {1 << 28, Kind::kStr},
                                                         {1 << 29, Kind::kDict}}};
struct NamedKind {
  std::string_view name;
  Kind kind;
};
constexpr auto kNamedKinds = std::to_array<NamedKind>({
    {"NoneType", Kind::kNone},
    {"_asyncio.Future", Kind::kFuture},
    {"_asyncio.FutureIter", Kind::kFutureIterator},
    {"_asyncio.Task", Kind::kTask},
    {"anext_awaitable", Kind::kAnextAwaitable},
    {"async_generator", Kind::kAsyncGenerator},
    {"async_generator_asend", Kind::kAsyncGeneratorStep},
    {"async_generator_athrow", Kind::kAsyncGeneratorStep},
    {"builtin_function_or_method", Kind::kBuiltinMethod},
    {"builtin_method", Kind::kBuiltinMethod},
    {"cell", Kind::kCell},
    {"code", Kind::kCode},
    {"collections.deque", Kind::kDeque},
    {"coroutine", Kind::kCoroutine},
    {"coroutine_wrapper", Kind::kCoroutineWrapper},
    {"float", Kind::kFloat},
    {"frozenset", Kind::kSet},
    {"function", Kind::kFunction},
    {"generator", Kind::kGenerator},
    {"greenlet.greenlet", Kind::kGreenlet},
    {"member_descriptor", Kind::kMemberDescriptor},
    {"method", Kind::kMethod},
    {"method-wrapper", Kind::kMethodWrapper},
    {"method_descriptor", Kind::kMethodDescriptor},
    {"set", Kind::kSet},
    {"weakref", Kind::kWeakref},
    {"weakref.ReferenceType", Kind::kWeakref},
    {"wrapper_descriptor", Kind::kMethodDescriptor},
});

void AppendUtf8(std::uint32_t c, std::string& out) {
  if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) c = 0xfffd;
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

}  // namespace

void Skips::Add(std::string_view reason, std::uint64_t count) {
  for (PythonSkip& skip : skips_) {
    if (skip.reason != reason) continue;
    skip.count += count;
    return;
  }
  skips_.push_back({std::string(reason), count});
}

std::vector<PythonSkip> Skips::Take() {
  std::sort(skips_.begin(), skips_.end(), [](const PythonSkip& left, const PythonSkip& right) {
    return left.reason < right.reason;
  });
  return std::move(skips_);
}

std::size_t Heap::AttributeHash::operator()(const AttributeKey& key) const {
  return HashCombine(std::hash<std::string_view>()(key.name), key.owner);
}

const Type* Heap::TypeOf(Address object) {
  if (!IsObjectAddress(object)) return nullptr;
  return TypeAt(Word(object + kObjectType));
}

bool Heap::DerivesFrom(const Type& type, std::string_view name) {
  const Type* at = &type;
  for (int i = 0; i < kMaxBases && at != nullptr; ++i) {
    if (at->name == name) return true;
    at = BaseOf(*at);
  }
  return false;
}

Kind Heap::KindOf(Address object) {
  const Type* type = TypeOf(object);
  return type != nullptr ? type->kind : Kind::kOther;
}

const Type* Heap::TypeAt(Address address) {
  const auto known = types_.find(address);
  Type* found = known != types_.end() ? &known->second : nullptr;
  if (found == nullptr) {
    if (!IsObjectAddress(address)) return nullptr;
    if (types_.size() >= kMaxTypes) {
      skips_.Add("more types than are kept");
      return nullptr;
    }
    // Reading a type reads the types of its dict and of its name: it must be there before that, and
    // a chain of types that are each other's must end.
    found = &types_.try_emplace(address).first->second;
    if (type_depth_ >= kMaxTypeDepth) return nullptr;
    ++type_depth_;
    Type type = ReadType(address);
    --type_depth_;
    *found = std::move(type);
  }
  return found->address != 0 ? found : nullptr;
}

Type Heap::ReadType(Address address) {
  const auto image = Value<TypeImage>(address);
  if (!image || !IsObjectAddress(image->type)) return {};
  const auto metatype = Value<TypeImage>(image->type);
  if (!metatype || (metatype->flags & kTypeSubclass) == 0) return {};
  auto name = memory_.ReadString(image->name, kMaxName);
  if (!name || name->empty()) return {};

  Type type;
  type.address = address;
  type.basic_size = image->basic_size;
  type.flags = image->flags;
  type.dict_offset = image->dict_offset;
  type.dict = image->dict;
  type.base = image->base;
  const bool is_heap_type = (image->flags & kHeapType) != 0;
  if (is_heap_type) type.cached_keys = Word(address + offsets_.type_cached_keys);
  for (const SubclassFlag& subclass : kSubclassFlags) {
    if ((image->flags & subclass.flag) != 0) type.kind = subclass.kind;
  }
  // The layout is that of the nearest base with a layout that we know.
  auto base_name = name;
  Address base = image->base;
  for (int i = 0; i < kMaxBases && type.kind == Kind::kOther && base_name; ++i) {
    for (const NamedKind& named : kNamedKinds) {
      if (named.name == *base_name) type.kind = named.kind;
    }
    const auto next = IsObjectAddress(base) ? Value<TypeImage>(base) : std::nullopt;
    if (!next) break;
    base_name = memory_.ReadString(next->name, kMaxName);
    base = next->base;
  }
  type.name = is_heap_type ? QualifiedName(type, std::move(*name)) : std::move(*name);
  return type;
}

// tp_name of a class written in Python is its bare name.
std::string Heap::QualifiedName(const Type& type, std::string name) {
  if (name.find('.') != std::string::npos) return name;
  const auto module = Str(DictGet(type.dict, "__module__"), kMaxName);
  if (!module || module->empty() || *module == "builtins") return name;
  return *module + "." + name;
}

std::optional<std::string> Heap::Str(Address object, std::size_t limit) {
  // PyASCIIObject: length 16, state 32 {interned:2, kind:3, compact:1, ascii:1}.
  struct Image {
    std::uint64_t refcount, type, length, hash;
    std::uint32_t state;
  };
  if (!IsObjectAddress(object) || KindOf(object) != Kind::kStr) return std::nullopt;
  const auto image = Value<Image>(object);
  if (!image) return std::nullopt;
  const std::uint32_t width = image->state >> 2 & 7;
  const bool is_compact = (image->state & 1 << 5) != 0;
  const bool is_ascii = (image->state & 1 << 6) != 0;
  if (!is_compact || (width != 1 && width != 2 && width != 4)) return std::nullopt;
  const std::size_t length = std::min<std::uint64_t>(image->length, limit);
  std::string raw(length * width, '\0');
  const Address data = object + (is_ascii ? offsets_.ascii_data : offsets_.compact_data);
  if (!Read(data, std::as_writable_bytes(std::span(raw)))) return std::nullopt;
  if (is_ascii) return raw;
  std::string text;
  for (std::size_t i = 0; i < length; ++i) {
    std::uint32_t c = 0;
    std::memcpy(&c, raw.data() + i * width, width);
    const std::size_t before = text.size();
    AppendUtf8(c, text);
    if (text.size() > limit) {
      text.resize(before);
      break;
    }
  }
  return text;
}

std::optional<std::string> Heap::Bytes(Address object, std::size_t limit) {
  constexpr std::uint64_t kSize = 16;
  constexpr std::uint64_t kData = 32;  // PyBytesObject.ob_sval
  const Type* type = TypeOf(object);
  const auto size = Value<std::uint64_t>(object + kSize);
  if (type == nullptr || type->name != "bytes" || !size || *size > limit) return std::nullopt;
  std::string bytes(*size, '\0');
  if (!Read(object + kData, std::as_writable_bytes(std::span(bytes)))) return std::nullopt;
  return bytes;
}

std::optional<std::int64_t> Heap::Int(Address object) {
  // 3.11: ob_size is the number of digits, negative for a negative number; 3.12 and later: lv_tag
  // is that number << 3 | sign (0 positive, 1 zero, 2 negative). Digits have 30 bits.
  struct Image {
    std::int64_t tag;
    std::array<std::uint32_t, 2> digits;
  };
  if (KindOf(object) != Kind::kInt) return std::nullopt;
  const auto image = Value<Image>(object + 16);
  if (!image) return std::nullopt;
  const bool negative = IsAtLeast(12) ? (image->tag & 3) == 2 : image->tag < 0;
  const std::uint64_t count =
      IsAtLeast(12) ? static_cast<std::uint64_t>(image->tag) >> 3
                    : static_cast<std::uint64_t>(image->tag < 0 ? -image->tag : image->tag);
  if (count > 2) return std::nullopt;
  std::int64_t value = count > 0 ? image->digits[0] & 0x3fffffff : 0;
  if (count > 1) value |= static_cast<std::int64_t>(image->digits[1] & 0x3fffffff) << 30;
  return negative ? -value : value;
}

std::optional<double> Heap::Float(Address object) {
  const Kind kind = KindOf(object);
  if (kind == Kind::kInt) {
    const auto value = Int(object);
    if (value) return static_cast<double>(*value);
  }
  if (kind != Kind::kFloat) return std::nullopt;
  const auto value = Value<double>(object + 16);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

}  // namespace ct::cpython
