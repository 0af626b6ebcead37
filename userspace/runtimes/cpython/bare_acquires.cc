#include "runtimes/cpython/bare_acquires.h"

#include <algorithm>
#include <array>

#include "runtimes/cpython/thread_locks.h"

namespace ct::cpython {
namespace {

constexpr std::string_view kAcquire = "acquire";
constexpr std::string_view kRelease = "release";

// The standard library takes locks to wait for something else: Condition.wait() the one it has just
// made, a second time.
bool IsStandardLibrary(std::string_view file) {
  return file.find("/python3") != std::string_view::npos &&
         file.find("-packages/") == std::string_view::npos;
}

// An RLock names its owner.
bool IsLock(const Type& type) {
  constexpr auto kLocks = std::to_array<std::string_view>(
      {"asyncio.locks.Lock", "asyncio.locks.Semaphore", "asyncio.locks.BoundedSemaphore",
       "_thread.lock", "threading.Semaphore", "threading.BoundedSemaphore"});
  return std::find(kLocks.begin(), kLocks.end(), type.name) != kLocks.end();
}

}  // namespace

const std::vector<NameAccess>& BareAcquireReader::CallsIn(const FrameView& frame) {
  const auto [found, is_new] = calls_.try_emplace(frame.code);
  if (!is_new || IsStandardLibrary(codes_.FileOf(*frame.code))) return found->second;
  for (const NameAccess& access : names_.AccessesOf(frame).accesses) {
    if (access.use != NameUse::kCall) continue;
    const std::string_view name = NameReader::LastName(frame, access);
    // Who asks whether it was given may not have it.
    if (name == kRelease || (name == kAcquire && access.ignored)) found->second.push_back(access);
  }
  return found->second;
}

void BareAcquireReader::AddTo(const FrameView& frame, std::vector<PythonHold>& holds) {
  const auto& calls = CallsIn(frame);
  const std::uint32_t now = NameReader::OffsetOf(frame);
  for (auto call = calls.begin(); call != calls.end(); ++call) {
    if (now <= call->done || NameReader::LastName(frame, *call) != kAcquire) continue;
    const bool over = std::any_of(call + 1, calls.end(), [&](const NameAccess& later) {
      return later.offset < now && later.SameObject(*call);
    });
    if (over) continue;  // released, or a later call took it
    if (lookups_left_ == 0) {
      heap_.skips().Add("calls of acquire() beyond the limit");
      return;
    }
    --lookups_left_;
    const Address object = names_.OwnerOf(frame, *call);
    const Type* type = heap_.TypeOf(object);
    if (type == nullptr || !IsLock(*type) || IsFreeLock(heap_, object, *type)) continue;
    const bool known = std::any_of(holds.begin(), holds.end(),
                                   [&](const PythonHold& hold) { return hold.object == object; });
    if (known) continue;
    PythonHold hold;
    hold.type = type->name;
    hold.object = object;
    hold.bare = true;
    holds.push_back(std::move(hold));
  }
}

void BareAcquireReader::Fill(const std::vector<FrameView>& frames, std::vector<PythonFrame>& out) {
  for (std::size_t i = 0; i < frames.size() && i < out.size(); ++i) {
    AddTo(frames[i], out[i].holds);
  }
}

}  // namespace ct::cpython
