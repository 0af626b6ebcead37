// Runs a trace with --holds while a target does what it does from its first acquire on.
#pragma once

#include <memory>
#include <string>

#include "tests/integration/expect.h"

namespace ct::test {

// The pool of tests/targets/connection_pool.h, as --pool takes it; all of its acquires.
inline const std::string kConnectionPool =
    "connection_pool:app::ConnectionPool::acquire,app::ConnectionPool::release";

// A trace of one process. Its probes are armed when the constructor returns.
class HoldTrace {
 public:
  explicit HoldTrace(pid_t pid, const Strings& more = {}, SpawnOptions spawn = {});

  // As Ctrl-C does; or waits until it ends by itself. What its last file says, with the status of
  // the trace itself.
  Answer Stop();
  Answer Await();
  [[nodiscard]] Child& child() { return *child_; }
  // What it printed so far.
  [[nodiscard]] const std::string& text() const { return child_->output(); }
  [[nodiscard]] const std::string& said() const { return child_->error(); }

 private:
  TempDir directory_;
  std::unique_ptr<Child> child_;
};

struct FollowOptions {
  Strings more;             // options of the trace
  std::string until;        // stops when its output has this
  Strings asleep;           // and these threads sleep in futex(2)
  Milliseconds after{600};  // and for so long after that: nothing else is found
  SpawnOptions spawn{};     // of the tracer
};

struct Followed {
  Answer answer;
  std::string text;
  std::string said;
};

// From before the target begins until it has said DONE.
Followed Follow(Target& target, const FollowOptions& options = {});
Followed Follow(const std::string& target, const Strings& arguments,
                const FollowOptions& options = {});

// Nothing found, nothing lost that could be one.
void ExpectSilence(const Followed& followed);
// The whole answer, but not in how much time: it is a trace.
void ExpectFound(const Followed& followed, int status, const std::string& findings);

}  // namespace ct::test
