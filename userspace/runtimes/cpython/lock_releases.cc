#include "runtimes/cpython/lock_releases.h"

#include <algorithm>
#include <utility>

#include "runtimes/cpython/tables.h"

namespace ct::cpython {
namespace {

// PyCodeObject.co_consts and co_names, 3.11 to 3.15.
constexpr std::uint64_t kConstants = 24;
constexpr std::uint64_t kNames = 32;

constexpr std::size_t kMaxCodes = 1 << 19;
constexpr std::size_t kMaxFunctions = 1 << 15;
constexpr std::size_t kMaxElements = 4096;
constexpr int kMaxDepth = 16;  // of functions inside of functions
constexpr std::size_t kMaxName = 16;
constexpr std::size_t kMaxTakers = 4;

bool Takes(std::string_view name) { return name == "acquire" || name == "acquire_lock"; }

bool Releases(std::string_view name) {
  return name == "release" || name == "release_lock" || name == "__exit__" || name == "__aexit__";
}

// "Store" of "Store.put" and of "make.<locals>.Store.put.<locals>.done".
bool HasComponent(std::string_view function, const std::unordered_set<std::string>& classes) {
  while (!function.empty()) {
    const std::size_t dot = std::min(function.find('.'), function.size());
    if (classes.contains(std::string(function.substr(0, dot)))) return true;
    function.remove_prefix(std::min(dot + 1, function.size()));
  }
  return false;
}

bool IsSelf(const Code& code, std::uint32_t local) {
  return local < code.local_names.size() &&
         (code.local_names[local] == "self" || code.local_names[local] == "cls");
}

}  // namespace

bool LockReleaseReader::NamesLocks(Address code) {
  bool found = false;
  for (const Address name : heap_.SomeElements(heap_.Word(code + kNames), kMaxElements)) {
    const auto [known, is_new] = is_of_lock_.try_emplace(name);
    if (is_new) {
      const std::string text = heap_.Str(name, kMaxName).value_or("");
      known->second = Takes(text) || Releases(text);
    }
    found = found || known->second;
  }
  return found;
}

void LockReleaseReader::Add(Address code, Address globals, int depth) {
  if (heap_.KindOf(code) != Kind::kCode || !seen_.insert(code).second) return;
  if (depth > kMaxDepth || seen_.size() > kMaxCodes || functions_.size() >= kMaxFunctions) {
    complete_ = false;
    return;
  }
  if (NamesLocks(code)) {
    Code* known = codes_.At(code);
    if (known == nullptr) complete_ = false;
    if (known != nullptr) functions_.push_back({known, globals});
  }
  for (const Address inside : heap_.SomeElements(heap_.Word(code + kConstants), kMaxElements)) {
    Add(inside, globals, depth + 1);
  }
}

bool LockReleaseReader::IsOfItsClass(const Code& code, const LockNames& lock) {
  return lock.by_any_name || HasComponent(code.function, lock.classes) ||
         HasComponent(code.function, proxies_);
}

bool LockReleaseReader::MayBe(const Function& function, const NameAccess& access,
                              const LockNames& lock) {
  const Code& code = *function.code;
  const bool has_path = access.attributes.size() > 1;
  const bool in_library = IsLibraryFile(codes_.FileOf(code)) && !lock.is_of_library;
  if (access.root_is_global) {
    const Address object = names_.OwnerIn(code, function.globals, access);
    if (object != 0) return object == lock.lock;
    // A name that is not set yet is nobody's.
    if (!has_path) return false;
  } else if (!has_path) {
    // Whatever it is given. A library is given what its own objects have.
    return !in_library && !IsSelf(code, access.root);
  }
  const std::uint32_t last = access.attributes[access.attributes.size() - 2];
  if (lock.by_any_name || last >= code.names.size()) return true;
  const std::string& name = code.names[last];
  if (properties_.contains(name)) return true;
  const bool own =
      !access.root_is_global && access.attributes.size() == 2 && IsSelf(code, access.root);
  return lock.attributes.contains(name) && (!own || IsOfItsClass(code, lock));
}

bool LockReleaseReader::HasNameless(const Code& code, std::size_t named) {
  const bool shifted = heap_.IsAtLeast(12);
  std::size_t all = 0;
  for (const Instruction& at : codes_.InstructionsOf(code)) {
    if (at.op != Op::kLoadAttribute && at.op != Op::kLoadMethod) continue;
    const std::uint32_t name =
        shifted && at.op == Op::kLoadAttribute ? at.argument >> 1 : at.argument;
    if (name < code.names.size() && Releases(code.names[name])) ++all;
  }
  return all > named;
}

void LockReleaseReader::Judge(const Function& function, const LockNames& lock,
                              LockReleases& releases) {
  const Code& code = *function.code;
  const auto& accesses = codes_.AccessesOf(*function.code).accesses;
  std::size_t named = 0;
  for (auto access = accesses.begin(); access != accesses.end(); ++access) {
    const std::string_view name = NameReader::LastName(code, *access);
    if (Releases(name)) ++named;
    if ((!Releases(name) && !Takes(name)) || !MayBe(function, *access, lock)) continue;
    if (Takes(name)) {
      const bool is_given = !access->root_is_global && access->attributes.size() == 1;
      auto& takers = is_given ? releases.may_take : releases.takers;
      if (takers.size() == kMaxTakers || IsLibraryFile(codes_.FileOf(code))) continue;
      PythonFrame taker;
      taker.code = code.index;
      taker.line = codes_.LineOf(*function.code, code.bytecode + access->offset);
      takers.push_back(taker);
      continue;
    }
    const bool taken_before = std::any_of(accesses.begin(), access, [&](const NameAccess& other) {
      return Takes(NameReader::LastName(code, other)) && other.SameObject(*access);
    });
    (taken_before ? releases.paired : releases.elsewhere) = true;
  }
  const bool may_be_given = lock.is_of_library || !IsLibraryFile(codes_.FileOf(code));
  if (may_be_given && (code.names.empty() || HasNameless(code, named))) releases.elsewhere = true;
}

LockReleases LockReleaseReader::ReleasesOf(const LockNames& lock) {
  LockReleases releases;
  for (const Function& function : functions_) {
    if (releases.elsewhere) break;
    Judge(function, lock, releases);
  }
  if (releases.takers.empty()) releases.takers = std::move(releases.may_take);
  return releases;
}

bool LockReleaseReader::MayHave(const FrameView& frame, Address lock) {
  if (!NamesLocks(frame.code->address)) return false;
  const auto& accesses = names_.AccessesOf(frame).accesses;
  const std::uint32_t now = NameReader::OffsetOf(frame);
  for (const NameAccess& access : accesses) {
    if (!Takes(NameReader::LastName(frame, access))) continue;
    const Address owner = names_.OwnerOf(frame, access);
    // One that is computed is not known.
    if (owner != lock && (owner != 0 || access.attributes.size() == 1)) continue;
    // Where an exception has led is not known.
    if (access.done == ~0U || IsInHandler(frame.code->exception_table, now)) return true;
    std::vector<std::uint32_t> others;
    for (const NameAccess& other : accesses) {
      const std::string_view name = NameReader::LastName(frame, other);
      if ((Takes(name) || Releases(name)) && other.SameObject(access)) {
        others.push_back(other.offset);
      }
    }
    if (MayReach(codes_.InstructionsOf(*frame.code), access.done + 1, now, others)) return true;
  }
  return false;
}

}  // namespace ct::cpython
