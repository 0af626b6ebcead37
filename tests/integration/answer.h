// What the tracer said about a process, as text short enough to assert whole.
#pragma once

#include <string>
#include <vector>

#include "concurrency_tracer/v1/snapshot.pb.h"
#include "tests/integration/harness.h"

namespace ct::test {

namespace v1 = concurrency_tracer::v1;

struct Answer {
  Outcome run;
  v1::Snapshot snapshot;
  // All findings, in the tracer's order, by lines such as
  //   DEADLOCK certain, never ends
  //     2 x reader waits for mutex g_account_mu held by io at abba.cc:56
  //     ring: audit, io
  //   SWALLOWED_EXCEPTION certain, may end
  //     task sync: ValueError 'no price' at shop.py:12, created at shop.py:9; __main__.running has
  //     it
  //   LOCK_ORDER_INVERSION certain, may end
  //     audit has mutex g_account_mu of bank.cc:57, wants mutex g_ledger_mu at bank.cc:58
  //     io has mutex g_ledger_mu of bank.cc:52, wants mutex g_account_mu at bank.cc:53
  //   LONG_HOLD certain, may end
  //     cache had mutex g_cache_mu from cache.cc:46 to cache.cc:48
  // Where acquires were followed, holders have the lines where they took it in parentheses.
  // A member's line tells only what is unusual: a state that is not "sleeping", evidence that is
  // not certain, a stack that is not complete.
  std::string findings;
  Strings relevant_losses;  // reasons
};

// `snapshot -p PID --json` (more arguments after that), with its answer checked for consistency.
Answer LookAt(pid_t pid, const Strings& more = {});
Answer Look(const Strings& arguments);
// Of a run that printed JSON.
Answer AnswerOf(const Outcome& run);

// All waits of threads of the process: "thread: kind implementation", sorted.
std::string DescribeWaits(const Answer& answer, pid_t pid);
// The process's row; throws if there is none.
const v1::Process& ProcessRow(const Answer& answer, pid_t pid);
const std::string& Text(const v1::Snapshot& snapshot, std::uint32_t index);

// The expected text, put together.
struct Member {
  std::string who;
  std::string what;   // "mutex g_account_mu"
  std::string whom;   // holder's name; empty: nobody known
  std::string where;  // LineOf(...)
};
std::string Waits(const Member& member);
std::string Lines(const Strings& lines);
// A certain deadlock that never ends: the members sorted by name, then its one ring in wait order.
std::string Deadlock(const std::vector<Member>& members, const std::string& ring);

}  // namespace ct::test
