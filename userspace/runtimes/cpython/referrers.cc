#include "runtimes/cpython/referrers.h"

#include <algorithm>

#include <fmt/format.h>

namespace ct::cpython {
namespace {

// zip -> tuple -> list_iterator -> list -> the object.
constexpr int kFrameDepth = 6;
constexpr int kModuleDepth = 2;
constexpr int kHeapRounds = 2;  // an attribute; a container in an attribute
constexpr std::size_t kMaxModules = 1 << 14;
constexpr std::size_t kMaxGlobals = 1 << 16;  // of a module
constexpr std::size_t kMaxElements = 1 << 20;
constexpr std::size_t kMaxAttributes = 1024;
constexpr std::size_t kMaxBody = 64;  // words
constexpr std::size_t kMaxName = 96;  // of an attribute, a global, a module
constexpr std::size_t kMaxSeen = 4 << 20;
constexpr std::uint64_t kClockEvery = 256;  // words; of a torn object one may cost a read

// PyModuleObject.md_dict, PyCellObject.ob_ref, PyTypeObject.tp_dict, 3.11 to 3.15.
constexpr std::uint64_t kModuleDict = 16;
constexpr std::uint64_t kCellContents = 16;
constexpr std::uint64_t kTypeDict = 264;
constexpr std::uint64_t kFirstField = 16;
// cpython/object.h: Py_TPFLAGS_IMMUTABLETYPE, HEAPTYPE, TYPE_SUBCLASS.
constexpr std::uint64_t kImmutable = 1 << 8;
constexpr std::uint64_t kHeapType = 1 << 9;
constexpr std::uint64_t kTypeSubclass = 1ULL << 31;

bool IsContainer(Kind kind) {
  return kind == Kind::kList || kind == Kind::kTuple || kind == Kind::kSet ||
         kind == Kind::kDeque || kind == Kind::kDict;
}

bool IsWrittenInPython(const Type& type) {
  return (type.flags & kHeapType) != 0 && (type.flags & kImmutable) == 0;
}

// Calls what it holds, or hands it to somebody who will.
bool WillUse(std::string_view type) {
  return type == "asyncio.events.Handle" || type == "asyncio.events.TimerHandle" ||
         type == "functools.partial" || type.starts_with("asyncio.queues.") ||
         type.starts_with("queue.") || type.starts_with("_queue.");
}

}  // namespace

bool ReferrerFinder::Spend(std::uint64_t count) {
  // Looking at the clock costs as much as a few words do.
  words_since_clock_ += count;
  if (words_since_clock_ >= kClockEvery) {
    words_since_clock_ = 0;
    if (walk_.IsLate()) words_left_ = 0;
  }
  if (count <= words_left_) {
    words_left_ -= count;
    return true;
  }
  words_left_ = 0;
  if (complete_) heap_.skips().Add("references in the heap beyond the limit");
  complete_ = false;
  return false;
}

// C's own iterators, which hold what is iterated over.
bool ReferrerFinder::IsPassedThrough(const Type& type) const {
  if (type.kind != Kind::kOther || IsWrittenInPython(type)) return false;
  const std::string_view name = type.name;
  return name.ends_with("iterator") || name.starts_with("itertools.") || name == "enumerate" ||
         name == "zip" || name == "map" || name == "filter" || name == "reversed" ||
         name == "functools.partial";
}

std::vector<Address> ReferrerFinder::Body(Address object, const Type& type) {
  const std::uint64_t size = std::max(type.basic_size, kFirstField) - kFirstField;
  std::vector<Address> words(std::min<std::uint64_t>(size / sizeof(Address), kMaxBody));
  if (!heap_.Read(object + kFirstField, std::as_writable_bytes(std::span(words)))) words.clear();
  return words;
}

void ReferrerFinder::ReachInto(Address value, int depth, std::vector<Address>& found) {
  if (value == 0) return;
  if (targets_.contains(value)) {
    found.push_back(value);
    return;
  }
  if (depth == 0) return;
  const Type* type = heap_.TypeOf(value);
  if (type == nullptr) return;
  const bool is_container = IsContainer(type->kind);
  if (!is_container && !IsPassedThrough(*type)) return;
  if (seen_.size() >= kMaxSeen || !seen_.insert(value).second) return;
  const auto inside = is_container ? heap_.RawElements(value, kMaxElements) : Body(value, *type);
  for (const Address word : inside) {
    if (!Spend(1)) return;
    ReachInto(word, depth - 1, found);
  }
}

std::vector<Address> ReferrerFinder::Reach(Address value, int depth) {
  std::vector<Address> found;
  ReachInto(value, depth, found);
  return found;
}

void ReferrerFinder::LookInFrame(const FrameView& frame) {
  const std::uint32_t end = frame.slots.value_or(frame.code->locals + frame.code->stack_size);
  if (!Spend(end)) return;
  for (std::uint32_t slot = 0; slot < end; ++slot) {
    const Address value =
        slot < frame.code->locals ? frames_.LocalAt(frame, slot) : frames_.Slot(frame, slot);
    for (const Address target : Reach(value, kFrameDepth)) {
      Referrer& referrer = targets_.at(target);
      referrer.live = true;
      const auto& names = frame.code->local_names;
      const std::string& function = frame.code->function;
      if (slot < names.size() && names[slot] == "fs" && function == "_wait") {
        referrer.waited_for = true;
      }
      if (!referrer.name.empty()) continue;
      referrer.name = slot < names.size() && !names[slot].empty()
                          ? fmt::format("{} of {}()", names[slot], function)
                          : function + "()";
    }
  }
}

void ReferrerFinder::LookInModules(Address interpreter) {
  seen_.clear();
  const Address modules = heap_.Word(interpreter + heap_.offsets().interp_modules);
  std::vector<std::pair<std::string, Address>> dicts;
  heap_.ForEachItem(modules, kMaxModules, [&](Address name, Address module) {
    const Type* type = heap_.TypeOf(module);
    const auto text = heap_.Str(name, kMaxName);
    if (type == nullptr || type->name != "module" || !text) return true;
    const Address dict = heap_.Word(module + kModuleDict);
    if (module_dicts_.insert(dict).second) dicts.emplace_back(*text, dict);
    return true;
  });
  for (const auto& entry : dicts) {
    const std::string& module = entry.first;  // a lambda cannot have a structured binding
    heap_.ForEachItem(entry.second, kMaxGlobals, [&](Address key, Address value) {
      if (!Spend(1)) return false;
      if (module_dicts_.contains(value) || value == modules) return true;
      const auto found = Reach(value, kModuleDepth);
      if (found.empty()) return true;
      const std::string name = fmt::format("{}.{}", module, heap_.Str(key, kMaxName).value_or("?"));
      for (const Address target : found) {
        if (targets_.at(target).name.empty()) targets_.at(target).name = name;
      }
      return true;
    });
  }
}

ReferrerFinder::Role ReferrerFinder::RoleOf(Address type_address, Address object) {
  const auto known = roles_.find(type_address);
  if (known != roles_.end()) return known->second;
  Role role = Role::kNothing;
  const Type* type = heap_.TypeOf(object);
  if (type == nullptr || type->address != type_address) return role;
  if (IsContainer(type->kind)) {
    role = Role::kContainer;
  } else if (type->kind == Kind::kCell) {
    role = Role::kCell;
  } else if ((type->flags & kTypeSubclass) != 0) {
    role = Role::kClass;
  } else if (WillUse(type->name)) {
    role = Role::kWillUse;
  } else if (type->kind == Kind::kOther && IsWrittenInPython(*type) && type->name != "module") {
    role = Role::kOwner;
  }
  roles_.emplace(type_address, role);
  return role;
}

void ReferrerFinder::Note(const Wanted& wanted, Address value, bool live, const std::string& name) {
  for (const Address target : wanted.at(value)) {
    Referrer& referrer = targets_.at(target);
    referrer.live = referrer.live || live;
    if (referrer.name.empty()) referrer.name = name;
  }
}

void ReferrerFinder::LookInObject(Address object, Role role, const Wanted& wanted,
                                  Wanted& through) {
  switch (role) {
    case Role::kNothing:
      return;
    case Role::kContainer: {
      if (module_dicts_.contains(object)) return;
      const auto elements = heap_.RawElements(object, kMaxElements);
      if (!Spend(elements.size())) return;
      for (const Address element : elements) {
        const auto found = wanted.find(element);
        if (found == wanted.end()) continue;
        auto& targets = through[object];
        targets.insert(targets.end(), found->second.begin(), found->second.end());
      }
      return;
    }
    case Role::kCell: {
      const Address value = heap_.Word(object + kCellContents);
      if (wanted.contains(value)) Note(wanted, value, true, "a closure");
      return;
    }
    case Role::kClass:
      heap_.ForEachItem(heap_.Word(object + kTypeDict), kMaxAttributes,
                        [&](Address key, Address value) {
                          if (!Spend(1)) return false;
                          if (!wanted.contains(value)) return true;
                          Note(wanted, value, false,
                               fmt::format("{} of a class", heap_.Str(key, kMaxName).value_or("")));
                          return true;
                        });
      return;
    case Role::kOwner:
    case Role::kWillUse:
      break;
  }
  const Type* type = heap_.TypeOf(object);
  if (type == nullptr) return;
  const bool live = role == Role::kWillUse;
  heap_.ForEachAttributeValue(object, kMaxAttributes, [&](Address key, Address value) {
    if (!Spend(1)) return false;
    if (!wanted.contains(value)) return true;
    const std::string name = heap_.Str(key, kMaxName).value_or("?");
    Note(wanted, value, live, fmt::format("{} of a {}", name, type->name));
    return true;
  });
  // Slots.
  for (const Address word : Body(object, *type)) {
    if (wanted.contains(word)) Note(wanted, word, live, "a " + type->name);
  }
}

void ReferrerFinder::LookInHeap(Address interpreter, const Wanted& wanted, Wanted& through) {
  if (!walk_.Walk(interpreter, [&](Address object, Address type) {
        const Role role = RoleOf(type, object);
        if (role != Role::kNothing) LookInObject(object, role, wanted, through);
      })) {
    complete_ = false;
  }
}

bool ReferrerFinder::Find(const InterpreterView& interpreter,
                          const std::vector<Address>& suspended) {
  for (const ThreadView& thread : interpreter.threads) {
    for (const FrameView& frame : thread.frames) LookInFrame(frame);
  }
  for (const Address generator : suspended) {
    const auto frame = frames_.OfGenerator(generator);
    if (frame && frame->code != nullptr) LookInFrame(*frame);
  }
  LookInModules(interpreter.address);
  Wanted wanted;
  for (const auto& [target, referrer] : targets_) wanted.emplace(target, std::vector{target});
  for (int round = 0; round < kHeapRounds && !wanted.empty(); ++round) {
    Wanted through;
    LookInHeap(interpreter.address, wanted, through);
    wanted = std::move(through);
  }
  return complete_;
}

}  // namespace ct::cpython
