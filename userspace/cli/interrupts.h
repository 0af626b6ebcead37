// Ends a command that runs on at a moment of its own choosing.
#pragma once

#include <signal.h>
#include <time.h>

#include "base/clock.h"

namespace ct {

// SIGINT, SIGTERM and SIGHUP end the trace at a moment of our choosing: between two looks, never
// in the middle of a file.
class Interrupts {
 public:
  Interrupts() {
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals_, signal);
    sigprocmask(SIG_BLOCK, &signals_, nullptr);
  }
  // Sleeps; true if a signal came.
  bool Wait(DurationNs duration) const {
    const timespec time{duration / kSecond, duration % kSecond};
    return sigtimedwait(&signals_, nullptr, &time) > 0;
  }

 private:
  sigset_t signals_{};
};

}  // namespace ct
