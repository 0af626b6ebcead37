#include "runtimes/cpython/unit_search.h"

#include <algorithm>
#include <utility>

namespace ct::cpython {
namespace {

// AsyncSession.sync_session._transaction._connections[..]._dbapi_connection._connection_record is
// six hops; one more for an object of the program's own around it.
constexpr std::uint32_t kMaxHops = 7;
constexpr int kMaxDepth = 6;               // of containers in containers, between two objects
constexpr std::size_t kMaxElements = 256;  // of one container
constexpr std::size_t kMaxAttributes = 256;
constexpr std::uint64_t kMaxNodes = 1 << 15;  // of one search

constexpr std::uint64_t kTypeSubclass = 1ULL << 31;  // Py_TPFLAGS_TYPE_SUBCLASS: it is a class
// PyMethodObject, PyFunctionObject and PyCellObject, 3.11 to 3.15.
constexpr std::uint64_t kMethodSelf = 24;
constexpr std::uint64_t kFunctionClosure = 72;
constexpr std::uint64_t kCellContents = 16;

}  // namespace

// What many share leads from everybody to everything.
bool UnitSearch::IsBarred(Address object, const Type& type) const {
  const std::string_view name = type.name;
  return barred_.count(object) != 0 || (type.flags & kTypeSubclass) != 0 || name == "module" ||
         name == "frame" || name.ends_with("EventLoop") || name == "uvloop.Loop" ||
         name.ends_with("Logger");
}

void UnitSearch::VisitGenerator(Address generator, std::uint32_t frame, std::uint32_t hops,
                                int depth) {
  if (stacks_.count(generator + heap_.offsets().generator_frame) != 0) return;
  const auto inside = frames_.OfGenerator(generator);
  if (!inside || inside->code == nullptr || !inside->slots) return;
  const GeneratorState state = frames_.StateOf(generator, *inside);
  if (state != GeneratorState::kYielded && state != GeneratorState::kDelegating) return;
  const std::uint32_t slots = std::min<std::uint32_t>(*inside->slots, kMaxElements);
  for (std::uint32_t i = 0; i < slots; ++i) {
    if (const Address local = frames_.LocalAt(*inside, i)) Visit(local, frame, hops, depth + 1);
  }
}

void UnitSearch::VisitElements(Address container, std::uint32_t frame, std::uint32_t hops,
                               int depth) {
  const auto elements = heap_.SomeElements(container, kMaxElements);
  if (elements.size() >= kMaxElements) complete_ = false;
  for (const Address element : elements) Visit(element, frame, hops, depth + 1);
}

void UnitSearch::Visit(Address value, std::uint32_t frame, std::uint32_t hops, int depth) {
  const Type* type = heap_.TypeOf(value);
  if (type == nullptr) return;
  switch (type->kind) {
    case Kind::kNone:
    case Kind::kStr:
    case Kind::kInt:
    case Kind::kFloat:
    case Kind::kCode:
    case Kind::kTask:
    case Kind::kFuture:
    case Kind::kFutureIterator:
    case Kind::kWeakref:
    case Kind::kMemberDescriptor:
    case Kind::kMethodDescriptor:
      return;
    default:
      break;
  }
  if (depth > kMaxDepth || !seen_.insert(value).second) return;
  if (const auto known = barren_.find(value);
      known != barren_.end() && known->second >= kMaxHops - hops) {
    return;
  }
  if (nodes_left_ == 0 || nodes_of_search_ >= kMaxNodes) {
    complete_ = false;
    return;
  }
  --nodes_left_;
  ++nodes_of_search_;
  switch (type->kind) {
    case Kind::kTuple:
    case Kind::kList:
    case Kind::kDict:
    case Kind::kSet:
    case Kind::kDeque:
      VisitElements(value, frame, hops, depth);
      // A class derived from dict or list has attributes, too.
      if (type->dict_offset == 0 && type->cached_keys == 0) return;
      break;
    case Kind::kCoroutine:
    case Kind::kGenerator:
    case Kind::kAsyncGenerator:
      VisitGenerator(value, frame, hops, depth);
      return;
    case Kind::kMethod:
    case Kind::kBuiltinMethod:
    case Kind::kMethodWrapper:
      Visit(heap_.Word(value + kMethodSelf), frame, hops, depth + 1);
      return;
    case Kind::kCell:
      Visit(heap_.Word(value + kCellContents), frame, hops, depth + 1);
      return;
    case Kind::kFunction:
      if (const Address closure = heap_.Word(value + kFunctionClosure)) {
        Visit(closure, frame, hops, depth + 1);
      }
      return;
    default:
      break;
  }
  if (IsBarred(value, *type)) return;
  queue_.push_back({value, frame, hops, hops == 0 ? queue_.size() : from_});
}

std::vector<Address> UnitSearch::PathTo(std::size_t step) const {
  std::vector<Address> path = {queue_[step].object};
  while (queue_[step].from != step) {
    step = queue_[step].from;
    path.push_back(queue_[step].object);
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::vector<UnitSearch::Found> UnitSearch::From(const std::vector<Root>& roots) {
  queue_.clear();
  seen_.clear();
  nodes_of_search_ = 0;
  std::vector<Found> found;
  for (const Root& root : roots) Visit(root.object, root.frame, 0, 0);
  for (std::size_t next = 0; next < queue_.size(); ++next) {
    const Step step = queue_[next];
    if (const Address unit = unit_of_(step.object)) {
      const bool known = std::any_of(found.begin(), found.end(),
                                     [&](const Found& other) { return other.unit == unit; });
      if (!known) found.push_back({unit, step.frame, step.hops, PathTo(next)});
      continue;
    }
    from_ = next;
    if (step.hops >= kMaxHops) continue;
    for (const Address value : heap_.AttributeValues(step.object, kMaxAttributes)) {
      Visit(value, step.frame, step.hops + 1, 0);
    }
  }
  const bool whole = nodes_left_ > 0 && nodes_of_search_ < kMaxNodes;
  if (found.empty() && whole) {
    for (const Step& step : queue_) {
      std::uint32_t& hops = barren_[step.object];
      hops = std::max(hops, kMaxHops - step.hops);
    }
  }
  return found;
}

}  // namespace ct::cpython
