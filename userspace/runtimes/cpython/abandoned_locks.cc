// Nothing in a lock says who has taken it. That nobody has is told by everything that could: the
// stacks, by with-blocks and by what their code does; the heap, by who refers to the lock and by
// which methods of it somebody keeps; and the functions of the program, by what they release. Where
// one of them leaves a doubt, somebody may have it.
#include "runtimes/cpython/abandoned_locks.h"

#include <algorithm>

#include "runtimes/cpython/thread_locks.h"

namespace ct::cpython {
namespace {

constexpr std::size_t kMaxWanted = 64;
constexpr std::size_t kMaxAbandoned = 64;
constexpr std::string_view kAsyncioLock = "asyncio.locks.Lock";

}  // namespace

void AbandonedLockReader::Want(Address lock) {
  const Type* type = heap_.TypeOf(lock);
  if (type == nullptr || IsFreeLock(heap_, lock, *type) || wanted_.size() >= kMaxWanted) return;
  wanted_[lock].names.lock = lock;
}

// The standard library waits for locks of its own that are signals: of Conditions, of imports.
void AbandonedLockReader::FindInThreads(const InterpreterView& interpreter) {
  for (const ThreadView& view : interpreter.threads) {
    const PythonAwait& wait = view.thread.waits_for;
    if (wait.kind != PythonAwaitKind::kObject || wait.type != "_thread.lock" ||
        view.frames.empty() || IsStandardFile(codes_.FileOf(*view.frames.front().code))) {
      continue;
    }
    Want(wait.object);
  }
}

void AbandonedLockReader::FindInCoroutines(const std::vector<Address>& suspended) {
  for (const Address coroutine : suspended) {
    const auto frame = frames_.OfGenerator(coroutine);
    if (!frame || frame->code == nullptr || frame->code->function != "Lock.acquire") continue;
    const Address self = frames_.Local(*frame, "self");
    const Type* type = heap_.TypeOf(self);
    if (type != nullptr && type->name == kAsyncioLock) Want(self);
  }
}

void AbandonedLockReader::NoteHolds(const std::vector<PythonHold>& holds) {
  for (const PythonHold& hold : holds) {
    const auto found = wanted_.find(hold.object);
    if (found == wanted_.end()) continue;
    if (hold.entering) {
      ++found->second.entering;
    } else {
      found->second.may_be_had = true;
    }
  }
}

void AbandonedLockReader::LookAtFrame(const FrameView& frame, bool suspended,
                                      LockReferenceReader& references, LockReleaseReader& code) {
  references.AddFrame(frame);
  code.Add(frame.code->address, heap_.Word(frame.address + heap_.offsets().frame_globals));
  for (auto& [lock, wanted] : wanted_) {
    wanted.may_be_had = wanted.may_be_had || code.MayHave(frame, lock);
  }
  if (!suspended) return;
  std::vector<PythonFrame> described = {frames_.Describe(frame)};
  holds_.Fill({frame}, true, described);
  NoteHolds(described.front().holds);
}

bool AbandonedLockReader::LookAtThreads(const InterpreterView& interpreter,
                                        LockReferenceReader& references, LockReleaseReader& code) {
  for (const ThreadView& view : interpreter.threads) {
    if (view.thread.truncated) return false;
    for (std::size_t i = 0; i < view.frames.size(); ++i) {
      LookAtFrame(view.frames[i], false, references, code);
      NoteHolds(view.thread.frames[i].holds);
    }
  }
  return true;
}

bool AbandonedLockReader::IsAbandoned(Address lock, const WantedLock& wanted) {
  // Up to 3.13 whoever enters a with statement has the __exit__ as an object; others who have one,
  // an ExitStack for example, may call it.
  const std::uint64_t exits = heap_.IsAtLeast(14) ? 0 : wanted.entering;
  // PyObject.ob_refcnt: of what refers to it in C alone nothing is known.
  const auto references = heap_.Value<std::uint32_t>(lock);
  return !wanted.may_be_had && wanted.exits <= exits && references &&
         wanted.references >= *references;
}

void AbandonedLockReader::Read(const InterpreterView& interpreter,
                               const std::vector<Address>& suspended, PythonProcess& out) {
  wanted_.clear();
  FindInThreads(interpreter);
  FindInCoroutines(suspended);
  if (wanted_.empty()) return;
  const Address modules = heap_.Word(interpreter.address + heap_.offsets().interp_modules);
  LockReferenceReader references(heap_, frames_, walk_, modules, wanted_);
  LockReleaseReader code(heap_, frames_, codes_);
  if (!LookAtThreads(interpreter, references, code)) return;
  for (const Address generator : suspended) {
    const auto frame = frames_.OfGenerator(generator);
    if (frame && frame->code != nullptr && frame->slots)
      LookAtFrame(*frame, true, references, code);
  }
  std::erase_if(wanted_, [](const auto& entry) { return entry.second.may_be_had; });
  if (wanted_.empty()) return;
  if (!references.Find(interpreter.address, code) || !code.complete()) return;
  for (const auto& [lock, wanted] : wanted_) {
    if (!IsAbandoned(lock, wanted)) continue;
    LockReleases releases = code.ReleasesOf(wanted.names);
    // One that nobody enters and nothing releases may be a signal.
    if (releases.elsewhere || (!releases.paired && wanted.entering == 0)) continue;
    if (out.abandoned.size() < kMaxAbandoned) {
      out.abandoned.push_back({lock, std::move(releases.takers)});
    }
  }
  std::sort(out.abandoned.begin(), out.abandoned.end(),
            [](const auto& a, const auto& b) { return a.lock < b.lock; });
}

}  // namespace ct::cpython
