#include "runtimes/cpython/uses.h"

#include <algorithm>

namespace ct::cpython {
namespace {

constexpr std::size_t kMaxTypes = 1 << 16;
constexpr std::size_t kMaxUses = 64;  // of one stack
constexpr std::string_view kThreadLocal = "_thread._local";
constexpr std::uint32_t kPrecall = 4;  // bytes, with its cache
constexpr std::string_view kCursor = "sqlite3.Cursor";
// Made to be called while another thread is inside: sqlite3's interrupt().
constexpr std::string_view kInterrupt = "interrupt";

}  // namespace

bool UseReader::IsExclusive(const Type& type) {
  if (is_exclusive_.size() > kMaxTypes) is_exclusive_.clear();
  const auto [found, is_new] = is_exclusive_.try_emplace(type.address, false);
  if (is_new) {
    found->second = std::any_of(exclusive_.begin(), exclusive_.end(),
                                [&](const auto& name) { return heap_.DerivesFrom(type, name); });
  }
  return found->second;
}

void UseReader::Add(const Type& type, Address object, std::size_t frame,
                    std::vector<PythonUse>& uses) {
  // A method calls others of the same object: they are one use, of the outermost.
  for (PythonUse& use : uses) {
    if (use.object == object && use.attribute.empty()) {
      use.frame = std::max(use.frame, static_cast<std::uint32_t>(frame));
      return;
    }
  }
  if (uses.size() >= kMaxUses) return;
  if (uses_left_ == 0) {
    heap_.skips().Add("uses of objects beyond the limit");
    return;
  }
  --uses_left_;
  PythonUse use;
  use.type = type.name;
  use.object = object;
  use.frame = static_cast<std::uint32_t>(frame);
  uses.push_back(std::move(use));
}

void UseReader::AddMethods(const std::vector<FrameView>& frames, std::vector<PythonUse>& uses) {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const Code& code = *frames[i].code;
    if (code.local_names.empty() || code.local_names.front() != "self") continue;
    const Address self = frames_.LocalAt(frames[i], 0);
    const Type* type = heap_.TypeOf(self);
    if (type != nullptr && IsExclusive(*type)) Add(*type, self, i, uses);
  }
}

void UseReader::AddCall(const FrameView& caller, std::size_t frame, std::vector<PythonUse>& uses) {
  // Of 3.11 the PRECALL just before it may do all that the call does.
  const std::uint32_t before = heap_.IsAtLeast(12) ? 0 : kPrecall;
  const std::uint32_t now = NameReader::OffsetOf(caller);
  for (const NameAccess& access : names_.AccessesOf(caller).accesses) {
    if (access.use != NameUse::kCall || now > access.call || access.call - now > before) continue;
    if (NameReader::LastName(caller, access) == kInterrupt) continue;
    const Address object = Used(names_.OwnerOf(caller, access));
    const Type* type = heap_.TypeOf(object);
    if (type != nullptr && IsExclusive(*type)) Add(*type, object, frame, uses);
  }
}

Address UseReader::Used(Address object) {
  const Type* type = heap_.TypeOf(object);
  const bool is_cursor = type != nullptr && heap_.DerivesFrom(*type, kCursor);
  return is_cursor ? heap_.Attribute(object, "connection") : object;
}

// Stored before the wait, read after it, by the order in which the code stands.
void UseReader::AddLocals(const FrameView& view, std::size_t frame, std::vector<PythonUse>& uses) {
  const NameAccesses& names = names_.AccessesOf(view);
  const std::uint32_t now = NameReader::OffsetOf(view);
  for (const NameAccess& store : names.accesses) {
    if (store.use != NameUse::kStore || store.offset >= now) continue;
    const auto read =
        std::find_if(names.accesses.begin(), names.accesses.end(), [&](const NameAccess& access) {
          return access.use == NameUse::kLoad && access.offset > now && access.SameObject(store) &&
                 access.attributes.back() == store.attributes.back();
        });
    if (read == names.accesses.end()) continue;
    const Address object = names_.OwnerOf(view, store);
    const Type* type = heap_.TypeOf(object);
    if (type == nullptr || !heap_.DerivesFrom(*type, kThreadLocal)) continue;
    const std::string attribute(NameReader::LastName(view, store));
    const bool known = std::any_of(uses.begin(), uses.end(), [&](const PythonUse& use) {
      return use.object == object && use.attribute == attribute;
    });
    if (known || attribute.empty() || uses.size() >= kMaxUses || uses_left_ == 0) continue;
    --uses_left_;
    PythonUse& use = uses.emplace_back();
    use.type = type->name;
    use.object = object;
    use.frame = static_cast<std::uint32_t>(frame);
    use.attribute = attribute;
    use.read_line = frames_.LineAt(view, read->offset);
  }
}

std::vector<PythonUse> UseReader::OfThread(const std::vector<FrameView>& frames,
                                           const std::vector<PythonFrame>& read) {
  std::vector<PythonUse> uses;
  if (exclusive_.empty()) return uses;
  AddMethods(frames, uses);
  for (std::size_t i = 0; i < std::min(frames.size(), read.size()); ++i) {
    // C code runs inside of the innermost frame, and between one and those that it has called back.
    if (i == 0 || read[i - 1].entry) AddCall(frames[i], i, uses);
  }
  return uses;
}

std::vector<PythonUse> UseReader::OfTask(const std::vector<FrameView>& frames) {
  std::vector<PythonUse> uses;
  if (!exclusive_.empty()) AddMethods(frames, uses);
  for (std::size_t i = 0; i < frames.size(); ++i) AddLocals(frames[i], i, uses);
  return uses;
}

}  // namespace ct::cpython
