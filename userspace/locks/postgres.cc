// PostgreSQL's LWLocks (src/backend/storage/lmgr/lwlock.c, 9.5 to 17): each backend sleeps on a
// semaphore of its own, and its frames say that it is for a lock. They are exported, so that a
// stripped server has their names. Which lock it is only the frames above tell.
#include "locks/decoders.h"

namespace ct {

void RefinePostgres(const DecodeContext& context, WaitReading& reading) {
  if (reading.kind != ResourceKind::kSemaphore) return;
  // LWLockAcquire, LWLockAcquireOrWait
  if (!context.HasCaller("LWLockAcquire") && !context.HasCaller("LWLockWaitForVar")) return;
  reading.type = "PostgreSQL LWLock";
  reading.purpose = WaitPurpose::kAcquire;
  reading.evidence_note = "frames in LWLockAcquire; sleeps on its own semaphore";
}

}  // namespace ct
