// The decoders, one an implementation. Each looks at one blocked thread and says what it waits for,
// or nullopt when the wait is none of its own. DecodeWait (decode.cc) asks them in order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "locks/decode.h"
#include "locks/futex_call.h"
#include "locks/wait_frames.h"

namespace ct {

struct DecodeContext {
  const BlockedThread& thread;
  const FutexCall& call;
  const WaitFrames& frames;
  Memory& memory;
  const ThreadDirectory& threads;

  // The word of a private futex can only name threads of the same memory space.
  [[nodiscard]] bool IsLiveOwner(std::uint32_t tid) const;
  [[nodiscard]] bool HasCaller(std::string_view text) const {
    return ct::HasCaller(thread.frames, frames.callers, text);
  }
};

using Decoder = std::optional<WaitReading> (*)(const DecodeContext&);

// glibc (checked on 2.36, layouts valid for 2.31-2.42 on x86-64)
std::optional<WaitReading> DecodeGlibcMutex(const DecodeContext& context);
std::optional<WaitReading> DecodeGlibcRefusedMutex(const DecodeContext& context);
std::optional<WaitReading> DecodeGlibcRwLock(const DecodeContext& context);
std::optional<WaitReading> DecodeGlibcJoin(const DecodeContext& context);
std::optional<WaitReading> DecodeGlibcStdio(const DecodeContext& context);
std::optional<WaitReading> DecodeGlibcInternalLock(const DecodeContext& context);
std::optional<WaitReading> DecodeGlibcCondition(const DecodeContext& context);
std::optional<WaitReading> DecodeGlibcSemaphore(const DecodeContext& context);
std::optional<WaitReading> DecodeGlibcBarrier(const DecodeContext& context);
std::optional<WaitReading> DecodeGlibcOnce(const DecodeContext& context);
// musl 1.2
std::optional<WaitReading> DecodeMuslMutex(const DecodeContext& context);
std::optional<WaitReading> DecodeMuslOther(const DecodeContext& context);
// Libraries and runtimes that call futex themselves, told by their frames
std::optional<WaitReading> DecodeLibstdcxx(const DecodeContext& context);
std::optional<WaitReading> DecodeRustStd(const DecodeContext& context);
std::optional<WaitReading> DecodeParkingLot(const DecodeContext& context);
std::optional<WaitReading> DecodeAbseil(const DecodeContext& context);
std::optional<WaitReading> DecodeGo(const DecodeContext& context);
// Runtimes that park on a C library's object: they take a reading and say what it is for
void RefineJvm(const DecodeContext& context, WaitReading& reading);
void RefineCpython(const DecodeContext& context, WaitReading& reading);
void RefinePostgres(const DecodeContext& context, WaitReading& reading);

// A reading with all that the futex call itself tells; the decoder fills in the rest. `object` is
// the lock's address; process_shared is set from the missing private flag.
WaitReading ReadingOf(const DecodeContext& context, ResourceKind kind,
                      Implementation implementation, std::uint64_t object);

// Reads the owner of a lock between two reads of its futex word: owner_ns_tid, word_matches,
// holders_known, owner_died, readers. Nothing changes but those. False if memory could not be read.
bool ReadOwner(WaitReading& reading, Memory& memory, const ThreadDirectory& threads);

// For a wait whose sleeps have a timeout only to look again: it does not end when that passes.
void ForgetTimeout(WaitReading& reading);

// "owner word, frames in pthread_mutex_lock"
std::string OwnerNote(std::string_view function);

}  // namespace ct
