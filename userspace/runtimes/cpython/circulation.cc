#include "runtimes/cpython/circulation.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "runtimes/cpython/tables.h"

namespace ct::cpython {
namespace {

constexpr std::size_t kMaxCandidates = 64;
constexpr std::size_t kMaxClasses = 1 << 12;
constexpr std::size_t kMaxMethods = 512;  // of a class
constexpr std::size_t kMaxAttributes = 256;
constexpr std::size_t kMaxWaiters = 1 << 12;
constexpr std::uint32_t kMaxLocals = 64;
constexpr std::size_t kMaxFeeds = 1 << 12;
constexpr std::size_t kMaxName = 128;
constexpr int kMaxBases = 8;
constexpr int kMaxCalls = 4;  // of methods that call each other

constexpr std::uint64_t kFunctionCode = 48;  // PyFunctionObject.func_code, 3.11 to 3.15

template <std::size_t kSize>
bool IsOneOf(std::string_view name, const std::array<std::string_view, kSize>& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

constexpr auto kPuts =
    std::to_array<std::string_view>({"append", "appendleft", "add", "insert", "put", "put_nowait"});
constexpr auto kRemoves =
    std::to_array<std::string_view>({"pop", "popleft", "popitem", "get", "get_nowait"});
constexpr auto kWakes = std::to_array<std::string_view>(
    {"notify", "notify_all", "set", "release", "put", "put_nowait"});

std::string_view ShortName(const Code& code) {
  const std::string_view name = code.function;
  return name.substr(name.rfind('.') + 1);
}

bool IsExit(std::string_view function) {
  return function == "__exit__" || function == "__aexit__" || function == "__del__";
}

}  // namespace

void CirculationReader::ReadMethod(const std::string& name, Address function, Class& methods) {
  if (heap_.KindOf(function) != Kind::kFunction) return;
  Code* code = codes_.At(heap_.Word(function + kFunctionCode));
  if (code == nullptr) return;
  const NameAccesses& found = codes_.AccessesOf(*code);
  const auto name_at = [&](std::uint32_t index) {
    return index < code->names.size() ? code->names[index] : std::string();
  };
  for (const NameAccess& access : found.accesses) {
    // Of self, whatever it is called.
    if (access.root_is_global || access.root != 0 || access.use != NameUse::kCall) continue;
    const std::string called = name_at(access.attributes.back());
    if (access.attributes.size() == 1) methods.calls[name].insert(called);
    if (access.attributes.size() != 2) continue;
    const std::string attribute = name_at(access.attributes.front());
    if (IsOneOf(called, kPuts)) methods.puts[attribute].insert(name);
    if (IsOneOf(called, kRemoves)) methods.removes[attribute].insert(name);
    if (IsOneOf(called, kWakes)) methods.wakes[attribute].insert(name);
  }
  if (std::find(code->names.begin(), code->names.end(), "set_result") != code->names.end()) {
    methods.resolves.insert(name);
  }
}

const CirculationReader::Class& CirculationReader::ClassOf(const Type& type) {
  if (classes_.size() >= kMaxClasses) classes_.clear();
  const auto [entry, is_new] = classes_.try_emplace(type.address);
  Class& methods = entry->second;
  if (!is_new) return methods;
  Names known;  // a class's own methods stand for those of its bases
  const Type* at = &type;
  for (int base = 0; base < kMaxBases && at != nullptr && at->dict != 0; ++base) {
    heap_.ForEachItem(at->dict, kMaxMethods, [&](Address key, Address function) {
      const std::string name = heap_.Str(key, kMaxName).value_or("");
      if (!name.empty() && known.insert(name).second) ReadMethod(name, function, methods);
      return true;
    });
    at = heap_.BaseOf(*at);
  }
  return methods;
}

std::string CirculationReader::AttributeOf(Address object, const PythonAwait& wait) {
  std::string found;
  const Address primitive = wait.object != object ? wait.object : wait.future;
  if (primitive == 0) return found;
  heap_.ForEachAttribute(object, kMaxAttributes, [&](const std::string& name, Address value) {
    const Kind kind = heap_.KindOf(value);
    if (value == primitive) {
      found = name;
    } else if (kind == Kind::kDeque || kind == Kind::kList) {
      const auto waiters = heap_.SomeElements(value, kMaxWaiters);
      if (std::find(waiters.begin(), waiters.end(), primitive) != waiters.end()) found = name;
    }
    return found.empty();
  });
  return found;
}

bool CirculationReader::Candidate::IsTakenBy(const Names& methods) const {
  return std::any_of(methods.begin(), methods.end(),
                     [this](const auto& method) { return takes.count(method) != 0; });
}

CirculationReader::Names CirculationReader::WithCallers(const Class& methods, Names called,
                                                        const Names& except) {
  for (int depth = 0; depth < kMaxCalls; ++depth) {
    const std::size_t before = called.size();
    for (const auto& [method, others] : methods.calls) {
      const bool calls = std::any_of(others.begin(), others.end(),
                                     [&](const auto& other) { return called.count(other) != 0; });
      if (calls && except.count(method) == 0) called.insert(method);
    }
    if (called.size() == before) break;
  }
  return called;
}

CirculationReader::Candidate CirculationReader::Judge(const Class& methods, const Names& waiting,
                                                      const std::string& attribute) {
  for (const auto& [container, removers] : methods.removes) {
    const auto puts = methods.puts.find(container);
    const auto wakes = methods.wakes.find(attribute);
    if (puts == methods.puts.end()) continue;
    Candidate candidate;
    candidate.container = container;
    for (const std::string& method : puts->second) {
      const bool wakes_them = (wakes != methods.wakes.end() && wakes->second.count(method) != 0) ||
                              methods.resolves.count(method) != 0;
      if (wakes_them && removers.count(method) == 0) candidate.gives.insert(method);
    }
    if (candidate.gives.empty()) continue;
    candidate.takes = WithCallers(methods, removers, candidate.gives);
    if (!candidate.IsTakenBy(waiting)) continue;
    candidate.gives = WithCallers(methods, candidate.gives, candidate.takes);
    return candidate;
  }
  return {};
}

Address CirculationReader::CandidateOf(const std::vector<PythonFrame>& stack,
                                       const PythonAwait& wait) {
  const bool waits =
      wait.kind == PythonAwaitKind::kObject || wait.kind == PythonAwaitKind::kUnknown;
  if (!waits) return 0;
  // Who waits in the innermost frame that is not of the standard library, and its own callers.
  Address object = 0;
  Names waiting;
  for (const PythonFrame& frame : stack) {
    const auto view = frames_.At(frame.address);
    if (!view || view->code == nullptr) break;
    if (object == 0 && IsStandardFile(codes_.FileOf(*view->code))) continue;
    const Address self = frames_.Local(*view, "self");
    if (self == 0 || (object != 0 && self != object)) break;
    object = self;
    waiting.emplace(ShortName(*view->code));
  }
  if (object == 0) return 0;
  const auto known = candidates_.find(object);
  if (known != candidates_.end()) return known->second.IsTakenBy(waiting) ? object : 0;
  // Futures come and go.
  const std::pair by(object, wait.object != object ? wait.object : 0);
  if (none_.count(by) != 0) return 0;
  const Type* type = heap_.TypeOf(object);
  if (type == nullptr || type->kind != Kind::kOther || candidates_.size() >= kMaxCandidates) {
    return 0;
  }
  const Class& methods = ClassOf(*type);
  if (methods.puts.empty() || methods.removes.empty()) return 0;
  const std::string attribute = AttributeOf(object, wait);
  Candidate candidate = attribute.empty() ? Candidate() : Judge(methods, waiting, attribute);
  if (candidate.container.empty()) {
    none_.insert(by);
    return 0;
  }
  takes_.insert(candidate.takes.begin(), candidate.takes.end());
  gives_.insert(candidate.gives.begin(), candidate.gives.end());
  candidates_.emplace(object, std::move(candidate));
  return object;
}

void CirculationReader::LookAt(const FrameView& view, std::uint32_t frame, bool in_block,
                               std::vector<Taken>& taken) {
  struct Call {
    Address pool;
    const NameAccess* access;
  };
  std::vector<Call> takes, gives;
  for (const NameAccess& access : names_.AccessesOf(view).accesses) {
    if (access.use != NameUse::kCall) continue;
    const std::string name(NameReader::LastName(view, access));
    if (takes_.count(name) == 0 && gives_.count(name) == 0) continue;
    const Address pool = names_.OwnerOf(view, access);
    const auto candidate = candidates_.find(pool);
    if (candidate == candidates_.end()) continue;
    if (candidate->second.takes.count(name) != 0) takes.push_back({pool, &access});
    if (candidate->second.gives.count(name) != 0) gives.push_back({pool, &access});
  }
  const std::uint32_t now = NameReader::OffsetOf(view);
  const std::string_view handlers = view.code->exception_table;
  for (const Call& give : gives) {
    const bool takes_itself = std::any_of(takes.begin(), takes.end(),
                                          [&](const Call& take) { return take.pool == give.pool; });
    if (takes_itself || now > give.access->done || IsExit(ShortName(*view.code))) continue;
    if (feeds_.size() >= kMaxFeeds) break;
    // What a method of the pool hands in is its own affair.
    if (frames_.Local(view, "self") != give.pool) feeds_.push_back({give.pool, LocalsOf(view)});
  }
  for (const Call& take : takes) {
    if (!take.access->result || take.access->done >= now) continue;
    const Address unit = frames_.LocalAt(view, *take.access->result);
    const Type* type = heap_.TypeOf(unit);
    if (type == nullptr || type->kind == Kind::kNone || type->name == "bool") continue;
    Possession possession{take.access->offset, take.access->done, *take.access->result, {}};
    bool given_back = false;
    for (const Call& give : gives) {
      const bool is_it = give.access->argument == take.access->result;
      if (give.pool != take.pool || (!is_it && give.access->argument)) continue;
      if (is_it) possession.handed_on.push_back(give.access->offset);
      // The other way out of a finally stands before it.
      const bool behind = take.access->done < give.access->offset && give.access->done < now;
      if (behind && IsInHandler(handlers, give.access->offset) == IsInHandler(handlers, now)) {
        given_back = true;
      }
    }
    if (!possession.handed_on.empty() && returns_.count(take.pool) == 0 &&
        IsAlwaysHandedOn(codes_.InstructionsOf(*view.code), possession)) {
      returns_.insert(take.pool);
    }
    taken.push_back({take.pool, unit, frame, in_block, given_back});
  }
}

std::vector<CirculationReader::Taken> CirculationReader::TakenBy(
    const std::vector<PythonFrame>& stack) {
  std::vector<Taken> taken;
  if (candidates_.empty()) return taken;
  for (std::size_t i = stack.size(); i-- > 0;) {
    const auto frame = static_cast<std::uint32_t>(i);
    const auto view = frames_.At(stack[i].address);
    if (view && view->code != nullptr) {
      const auto candidate = candidates_.find(frames_.Local(*view, "self"));
      const std::string name(ShortName(*view->code));
      // While it takes or gives, it has nothing yet or any more.
      const bool inside =
          candidate != candidates_.end() &&
          (candidate->second.takes.count(name) != 0 || candidate->second.gives.count(name) != 0);
      if (!inside) LookAt(*view, frame, false, taken);
    }
    for (const PythonHold& hold : stack[i].holds) {
      if (hold.entering || !hold.type.ends_with("GeneratorContextManager")) continue;
      const Address generator = heap_.Attribute(hold.object, "gen");
      const auto inner = generator != 0 ? frames_.OfGenerator(generator) : std::nullopt;
      if (inner && inner->code != nullptr) LookAt(*inner, frame, true, taken);
    }
  }
  return taken;
}

std::vector<Address> CirculationReader::LocalsOf(const FrameView& view) {
  std::vector<Address> locals;
  for (std::uint32_t slot = 0; slot < std::min(view.code->locals, kMaxLocals); ++slot) {
    if (const Address local = frames_.LocalAt(view, slot)) locals.push_back(local);
  }
  return locals;
}

bool CirculationReader::IsPool(Address candidate, const std::unordered_set<Address>& units) const {
  if (returns_.count(candidate) == 0) return false;
  return std::none_of(feeds_.begin(), feeds_.end(), [&](const Feed& feed) {
    // Who is given a unit to give back makes none.
    return feed.pool == candidate &&
           std::none_of(feed.locals.begin(), feed.locals.end(),
                        [&](Address local) { return units.count(local) != 0; });
  });
}

PoolAccount CirculationReader::AccountOf(Address candidate) {
  PoolAccount account;
  account.pool = candidate;
  account.inferred = true;
  if (const Type* type = heap_.TypeOf(candidate)) account.type = type->name;
  ReadIdle(heap_, heap_.Attribute(candidate, candidates_.at(candidate).container), account);
  ReadCapacity(heap_, account);
  return account;
}

}  // namespace ct::cpython
