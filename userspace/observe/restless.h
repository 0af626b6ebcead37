// Looks that prove nothing because the threads in question were awake for a moment. A profiler's
// signals wake every thread a hundred times a second; whoever waits for a lock soon sleeps again,
// so that a shorter look, or the same one again, proves what it is.
#pragma once

#include <vector>

#include "observe/look.h"

namespace ct {

// The threads of a ring of waits that the look does not prove: all were woken meanwhile, or one was
// awake at its end. Their locks have been read: only the sweeps have to be repeated. Empty if there
// is none.
std::vector<pid_t> FindRestlessRing(const RawLook& look, const SweepIndex& first,
                                    const SweepIndex& second);

// True if a lock's holder was awake when locks were read, so that nobody knows what it waits for,
// and sleeps in a futex call at the second sweep; or slept in another one at the first, or is awake
// only at the second.
bool HasMissedHolder(const RawLook& look, const SweepIndex& first, const SweepIndex& second);

}  // namespace ct
