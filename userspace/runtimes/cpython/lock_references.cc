#include "runtimes/cpython/lock_references.h"

#include <algorithm>
#include <array>

#include "runtimes/cpython/greenlets.h"

namespace ct::cpython {
namespace {

constexpr std::size_t kMaxElements = 1 << 20;
constexpr std::size_t kMaxAttributes = 1024;
constexpr std::size_t kMaxBody = 64;  // words
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxFrames = 512;
constexpr int kMaxBases = 32;
constexpr std::uint64_t kClockEvery = 256;  // words; of a torn object one may cost a read

constexpr std::uint64_t kFirstField = 16;
// PyModuleObject.md_dict, PyCellObject.ob_ref, PyTypeObject.tp_dict, PyMethodObject and
// PyCFunctionObject, PyFunctionObject, PyFrameObject.f_frame, 3.11 to 3.15.
constexpr std::uint64_t kModuleDict = 16;
constexpr std::uint64_t kCellContents = 16;
constexpr std::uint64_t kTypeDict = 264;
constexpr std::uint64_t kMethodFunction = 16;
constexpr std::uint64_t kMethodSelf = 24;
constexpr std::uint64_t kFunctionGlobals = 16;
constexpr std::uint64_t kFunctionName = 32;
constexpr std::uint64_t kFunctionQualifiedName = 40;
constexpr std::uint64_t kDescriptorName = 24;
constexpr std::uint64_t kFunctionCode = 48;
constexpr std::uint64_t kFrameOfObject = 24;
// cpython/object.h: Py_TPFLAGS_IMMUTABLETYPE, HEAPTYPE, TYPE_SUBCLASS.
constexpr std::uint64_t kImmutable = 1 << 8;
constexpr std::uint64_t kHeapType = 1 << 9;
constexpr std::uint64_t kTypeSubclass = 1ULL << 31;

bool IsWrittenInPython(const Type& type) {
  return (type.flags & kHeapType) != 0 && (type.flags & kImmutable) == 0;
}

// Whoever keeps one of these does not release the lock by it.
bool IsHarmless(std::string_view method) {
  return method == "acquire" || method == "acquire_lock" || method == "locked" ||
         method == "locked_lock" || method == "__enter__" || method == "__aenter__" ||
         method == "_at_fork_reinit";
}

}  // namespace

bool LockReferenceReader::Spend(std::uint64_t count) {
  // Looking at the clock costs as much as a few words do.
  words_since_clock_ += count;
  if (words_since_clock_ >= kClockEvery) {
    words_since_clock_ = 0;
    if (walk_.IsLate()) words_left_ = 0;
  }
  words_left_ -= std::min(count, words_left_);
  return words_left_ > 0;
}

void LockReferenceReader::CountSlots(const FrameView& frame) {
  const std::uint32_t end = frame.slots.value_or(frame.code->locals + frame.code->stack_size);
  if (!Spend(end)) return;
  for (std::uint32_t slot = 0; slot < end; ++slot) Count(frames_.Slot(frame, slot));
}

void LockReferenceReader::Count(Address value) {
  const auto found = wanted_.find(value);
  if (found != wanted_.end()) ++found->second.references;
}

bool LockReferenceReader::IsOfLibrary(const Type& type) {
  const std::string module = type.name.substr(0, type.name.rfind('.'));
  // A name that is looked up is remembered by its address: go through them by hand.
  bool is_of_library = true;
  heap_.ForEachItem(modules_, kMaxElements, [&](Address key, Address value) {
    if (heap_.Str(key, kMaxName) != module) return true;
    const Address file = heap_.DictGet(heap_.Word(value + kModuleDict), "__file__");
    const auto path = heap_.Str(file, kMaxPath);
    is_of_library = !path || IsLibraryFile(*path) || path->ends_with(".so");
    return false;
  });
  return is_of_library;
}

void LockReferenceReader::AddClass(const Type& type, WantedLock& wanted) {
  if (IsOfLibrary(type)) wanted.names.is_of_library = true;
  const Type* at = &type;
  for (int i = 0; i < kMaxBases && at != nullptr; ++i) {
    wanted.names.classes.insert(std::string(at->short_name()));
    at = heap_.BaseOf(*at);
  }
}

void LockReferenceReader::LookAtDict(Address dict) {
  heap_.ForEachItem(dict, kMaxElements, [&](Address key, Address value) {
    if (!Spend(1)) return false;
    const auto found = wanted_.find(value);
    if (found == wanted_.end()) return true;
    WantedLock& wanted = found->second;
    ++wanted.references;
    if (const auto name = heap_.Str(key, kMaxName)) wanted.names.attributes.insert(*name);
    // Functions of compiled modules cannot be looked at.
    const Address file = heap_.DictGet(dict, "__file__");
    const auto path = file != 0 ? heap_.Str(file, kMaxPath) : std::nullopt;
    if (path && path->ends_with(".so")) wanted.may_be_had = true;
    if (path && IsLibraryFile(*path)) wanted.names.is_of_library = true;
    return true;
  });
}

void LockReferenceReader::LookAtInstance(Address object) {
  const Type* type = heap_.TypeOf(object);
  if (type == nullptr) return;
  heap_.ForEachAttributeValue(object, kMaxAttributes, [&](Address key, Address value) {
    if (!Spend(1)) return false;
    const auto found = wanted_.find(value);
    if (found == wanted_.end()) return true;
    ++found->second.references;
    if (const auto name = heap_.Str(key, kMaxName)) found->second.names.attributes.insert(*name);
    AddClass(*type, found->second);
    return true;
  });
  LookAtOther(object);
}

void LockReferenceReader::LookAtClass(Address object, LockReleaseReader& code) {
  heap_.ForEachItem(
      heap_.Word(object + kTypeDict), kMaxAttributes, [&](Address key, Address value) {
        if (!Spend(1)) return false;
        const auto found = wanted_.find(value);
        // Those that derive from it are not looked for.
        if (found != wanted_.end()) found->second.names.by_any_name = true;
        const Type* type = heap_.TypeOf(value);
        if (type == nullptr) return true;
        const std::string name = type->name == "property" || type->kind == Kind::kFunction
                                     ? heap_.Str(key, kMaxName).value_or("")
                                     : "";
        if (type->name == "property") code.AddProperty(name);
        if (type->kind == Kind::kFunction && name.starts_with("__getattr")) {
          // "Proxy.__getattr__"
          auto proxy = heap_.Str(heap_.Word(value + kFunctionQualifiedName), kMaxName).value_or("");
          proxy.resize(proxy.size() - std::min(proxy.size(), name.size() + 1));
          code.AddProxy(proxy.substr(proxy.rfind('.') + 1));
        }
        return true;
      });
}

// Fields of C structures, and slots.
void LockReferenceReader::LookAtOther(Address object) {
  const Type* type = heap_.TypeOf(object);
  if (type == nullptr || type->basic_size <= kFirstField) return;
  const std::uint64_t size = (type->basic_size - kFirstField) / sizeof(Address);
  std::vector<Address> words(std::min<std::uint64_t>(size, kMaxBody));
  if (!heap_.Read(object + kFirstField, std::as_writable_bytes(std::span(words)))) return;
  if (!Spend(words.size())) return;
  for (const Address word : words) {
    const auto found = wanted_.find(word);
    if (found == wanted_.end()) continue;
    ++found->second.references;
    if (IsWrittenInPython(*type)) {
      found->second.names.by_any_name = true;
      AddClass(*type, found->second);
    } else {
      found->second.may_be_had = true;
    }
  }
}

void LockReferenceReader::LookAtMethod(std::string_view name, Address self) {
  const auto found = wanted_.find(self);
  if (found == wanted_.end()) return;
  ++found->second.references;
  if (name == "__exit__" || name == "__aexit__") {
    ++found->second.exits;
  } else if (!IsHarmless(name)) {
    found->second.may_be_had = true;
  }
}

LockReferenceReader::Role LockReferenceReader::RoleOf(Address type_address, Address object) {
  const auto known = roles_.find(type_address);
  if (known != roles_.end()) return known->second;
  const Type* type = heap_.TypeOf(object);
  if (type == nullptr || type->address != type_address) return Role::kNothing;
  Role role = Role::kOther;
  switch (type->kind) {
    case Kind::kDict:
      role = Role::kDict;
      break;
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kSet:
    case Kind::kDeque:
      role = Role::kContainer;
      break;
    case Kind::kCell:
      role = Role::kCell;
      break;
    case Kind::kFunction:
      role = Role::kFunction;
      break;
    case Kind::kMethod:
    case Kind::kMethodWrapper:
      role = Role::kMethod;
      break;
    case Kind::kBuiltinMethod:
      role = Role::kBuiltinMethod;
      break;
    case Kind::kCoroutine:
    case Kind::kGenerator:
    case Kind::kAsyncGenerator:
      role = Role::kGenerator;
      break;
    case Kind::kGreenlet:
      role = Role::kGreenlet;
      break;
    default:
      if ((type->flags & kTypeSubclass) != 0) {
        role = Role::kClass;
      } else if (type->name == "frame") {
        role = Role::kFrame;
      } else if (type->name == "module") {
        role = Role::kNothing;  // its dict comes by itself
      } else if (IsWrittenInPython(*type)) {
        role = Role::kInstance;
      }
      break;
  }
  roles_.emplace(type_address, role);
  return role;
}

void LockReferenceReader::Visit(Address object, Address type, LockReleaseReader& code) {
  if (words_left_ == 0) return;
  const Role role = RoleOf(type, object);
  switch (role) {
    case Role::kNothing:
      return;
    case Role::kDict:
      return LookAtDict(object);
    case Role::kContainer: {
      const auto elements = heap_.RawElements(object, kMaxElements);
      if (!Spend(elements.size())) return;
      for (const Address element : elements) Count(element);
      return;
    }
    case Role::kCell:
      return Count(heap_.Word(object + kCellContents));
    case Role::kFunction:
      return code.Add(heap_.Word(object + kFunctionCode), heap_.Word(object + kFunctionGlobals));
    case Role::kMethod: {
      const Address self = heap_.Word(object + kMethodSelf);
      if (!wanted_.contains(self)) return;
      const Address function = heap_.Word(object + kMethodFunction);
      const bool plain = heap_.KindOf(function) == Kind::kFunction;
      const auto name =
          heap_.Str(heap_.Word(function + (plain ? kFunctionName : kDescriptorName)), kMaxName);
      return LookAtMethod(name.value_or(""), self);
    }
    case Role::kBuiltinMethod: {
      const Address self = heap_.Word(object + kMethodSelf);
      if (!wanted_.contains(self)) return;
      std::array<char, 24> name{};  // m_ml->ml_name
      const Address text = heap_.Word(heap_.Word(object + kMethodFunction));
      heap_.Read(text, std::as_writable_bytes(std::span(name).first(name.size() - 1)));
      return LookAtMethod(name.data(), self);
    }
    case Role::kInstance:
      return LookAtInstance(object);
    case Role::kClass:
      return LookAtClass(object, code);
    case Role::kGenerator: {
      const auto frame = frames_.OfGenerator(object);
      if (frame && frame->code != nullptr && frame->slots &&
          !frames_seen_.contains(frame->address)) {
        CountSlots(*frame);
      }
      return;
    }
    case Role::kFrame: {
      // Kept by a traceback: it is over.
      const auto frame = frames_.At(heap_.Word(object + kFrameOfObject));
      if (frame && frame->code != nullptr && !frames_seen_.contains(frame->address)) {
        CountSlots(*frame);
      }
      return;
    }
    case Role::kGreenlet:
      for (const FrameView& frame : FramesOfGreenlet(heap_, frames_, object, kMaxFrames)) {
        const std::uint32_t end = frame.code->locals + frame.code->stack_size;
        if (!Spend(end)) return;
        for (std::uint32_t slot = 0; slot < end; ++slot) {
          const auto found = wanted_.find(frames_.Slot(frame, slot));
          if (found != wanted_.end()) found->second.may_be_had = true;
        }
      }
      return;
    case Role::kOther:
      return LookAtOther(object);
  }
}

bool LockReferenceReader::Find(Address interpreter, LockReleaseReader& code) {
  const bool walked =
      walk_.Walk(interpreter, [&](Address object, Address type) { Visit(object, type, code); });
  return walked && words_left_ > 0;
}

}  // namespace ct::cpython
