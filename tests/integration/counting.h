// Runs `contention` while a target does what it does, and tells what was counted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "concurrency_tracer/v1/snapshot.pb.h"
#include "tests/integration/harness.h"

namespace ct::test {

namespace v1 = concurrency_tracer::v1;

struct CountedFrame {
  std::string function;  // empty: no name
  std::string place;     // "file:line"; empty: not known
  std::string module;    // file name; empty: none
  bool own = false;      // its source is one of the tests' targets
  bool inlined = false;  // into the next
};

struct CountedStack {
  std::uint64_t waits = 0;
  bool complete = false;
  std::vector<CountedFrame> frames;  // innermost first

  // Some frame's function begins with this.
  [[nodiscard]] bool Has(const std::string& function) const;
  // The targets' own frames: "function file:line".
  [[nodiscard]] std::vector<std::string> Own() const;
  [[nodiscard]] std::string Text() const;
};

struct CountedLock {
  pid_t pid = 0;
  std::string what;     // "std::mutex g_mutex"
  std::string purpose;  // "acquire", "event", "join"; "unknown"
  std::uint64_t waits = 0;
  double milliseconds = 0;  // all of them
  double longest = 0;
  std::uint64_t timeouts = 0;
  std::uint32_t waiters = 0;
  double waiting = 0;                              // milliseconds, of those who wait now
  std::vector<CountedStack> stacks;                // of long waits
  std::map<std::string, std::uint64_t> places;     // "file:line" of a target's own frame -> waits
  std::map<std::string, std::uint64_t> threads;    // name -> long waits
  std::map<std::string, std::uint64_t> releasers;  // name -> long waits that it ended
  std::map<std::string, std::uint64_t> holders;    // name -> long waits that began while it held it
};

struct Counted {
  Outcome run;
  v1::Snapshot snapshot;
  std::vector<CountedLock> locks;
  Strings losses;        // reasons
  Strings degradations;  // lines

  // The only one; throws if there is none or another.
  [[nodiscard]] const CountedLock& Only() const;
  [[nodiscard]] std::vector<CountedLock> Contended() const;  // those whose purpose is "acquire"
  [[nodiscard]] std::vector<CountedLock> Of(pid_t pid) const;
};

class Counting {
 public:
  // Counts when this returns.
  explicit Counting(const Strings& arguments);
  // As Ctrl-C does; or waits until it ends by itself.
  Counted Stop();
  Counted Await();
  [[nodiscard]] const Child& child() const { return *child_; }

 private:
  std::unique_ptr<Child> child_;
};

}  // namespace ct::test
