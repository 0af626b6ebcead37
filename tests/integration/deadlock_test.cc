// Cycles of every kind of lock, hung before the tracer starts: who, what, whom and at which line.
#include "tests/integration/expect.h"

namespace ct::test {
namespace {

std::string TwoMutexes() {
  return Deadlock({{"audit", "mutex g_ledger_mu", "io", LineOf("abba.cc", "audit waits")},
                   {"io", "mutex g_account_mu", "audit", LineOf("abba.cc", "io waits")}},
                  "audit, io");
}

TEST(Deadlock, TwoMutexes) {
  const Target target("abba");
  target.AwaitAsleep({"audit", "io"});
  const Answer answer = LookAt(target.pid());
  ExpectAnswer(answer, kHang, TwoMutexes());
  EXPECT_EQ(ProcessRow(answer, target.pid()).verdict(), v1::VERDICT_DEADLOCKED);
}

TEST(Deadlock, TellsWhoIsBehindIt) {
  const Target target("abba", {"--behind=6"});
  target.AwaitAsleep({"audit", "io", "reader", "reader", "reader", "reader", "reader", "reader"});
  ExpectAnswer(LookAt(target.pid()), kHang, TwoMutexes() + "  behind: 6 x reader\n");
}

TEST(Deadlock, FiveMutexes) {
  const Target target("ring5");
  target.AwaitAsleep({"seat0", "seat1", "seat2", "seat3", "seat4"});
  const std::string line = LineOf("ring5.cc", "seat waits");
  ExpectAnswer(LookAt(target.pid()), kHang,
               Deadlock({{"seat0", "mutex", "seat1", line},
                         {"seat1", "mutex", "seat2", line},
                         {"seat2", "mutex", "seat3", line},
                         {"seat3", "mutex", "seat4", line},
                         {"seat4", "mutex", "seat0", line}},
                        "seat0, seat1, seat2, seat3, seat4"));
}

TEST(Deadlock, OwnMutexAgain) {
  const Target target("self_relock");
  target.AwaitAsleep({"worker"});
  ExpectAnswer(
      LookAt(target.pid()), kHang,
      Deadlock({{"worker", "mutex g_cache_mu", "worker", LineOf("self_relock.cc", "worker waits")}},
               "worker"));
}

TEST(Deadlock, RwlockWriters) {
  const Target target("rwlock");
  target.AwaitAsleep({"peer", "route"});
  ExpectAnswer(LookAt(target.pid()), kHang,
               Deadlock({{"peer", "rw lock g_routes", "route", LineOf("rwlock.cc", "peer waits")},
                         {"route", "rw lock g_peers", "peer", LineOf("rwlock.cc", "route waits")}},
                        "peer, route"));
}

class TypedMutex : public testing::TestWithParam<const char*> {};

TEST_P(TypedMutex, TwoInOppositeOrder) {
  const Target target("typed_mutex", {GetParam()});
  target.AwaitAsleep({"backward", "forward"});
  ExpectAnswer(
      LookAt(target.pid()), kHang,
      Deadlock(
          {{"backward", "mutex g_first", "forward", LineOf("typed_mutex.cc", "backward waits")},
           {"forward", "mutex g_second", "backward", LineOf("typed_mutex.cc", "forward waits")}},
          "backward, forward"));
}

INSTANTIATE_TEST_SUITE_P(Deadlock, TypedMutex,
                         testing::Values("--normal", "--robust", "--pi", "--recursive",
                                         "--errorcheck", "--adaptive"),
                         [](const auto& info) {
                           std::string name = info.param + 2;
                           std::erase(name, '-');
                           return name;
                         });

// The kernel refuses whoever closes the ring, either of the two, and glibc parks that thread on a
// word of its own stack: which mutex it wanted is inferred.
TEST(Deadlock, OfPriorityInheritanceMutexesAlone) {
  const Target target("typed_mutex", {"--pi-both"});
  target.AwaitAsleep({"backward", "forward"});
  SleepFor(Milliseconds(200));
  Answer answer = LookAt(target.pid());
  const std::string probably = "probably ";
  EXPECT_NE(answer.findings.find(probably), std::string::npos) << answer.findings;
  for (std::size_t at; (at = answer.findings.find(probably)) != std::string::npos;) {
    answer.findings.erase(at, probably.size());
  }
  ExpectAnswer(answer, kHang,
               Lines({"PROBABLE_DEADLOCK probable, never ends",
                      Waits({"backward", "mutex g_first", "forward",
                             LineOf("typed_mutex.cc", "backward waits")}),
                      Waits({"forward", "mutex g_second", "backward",
                             LineOf("typed_mutex.cc", "forward waits")}),
                      "  ring: backward, forward"}));
}

TEST(Deadlock, LockHeldWhileJoining) {
  const Target target("join_held");
  target.AwaitAsleep({"main", "reload"});
  ExpectAnswer(
      LookAt(target.pid()), kHang,
      Deadlock({{"main", "thread exit", "reload", LineOf("join_held.cc", "main waits")},
                {"reload", "mutex g_config_mu", "main", LineOf("join_held.cc", "reload waits")}},
               "main, reload"));
}

TEST(Deadlock, MutexReacquiredInsideCondWait) {
  const Target target("cond_reacquire");
  target.AwaitAsleep({"consumer", "producer"});
  ExpectAnswer(LookAt(target.pid()), kHang,
               Deadlock({{"consumer", "mutex g_queue_mu", "producer",
                          LineOf("cond_reacquire.cc", "consumer waits")},
                         {"producer", "mutex g_stats_mu", "consumer",
                          LineOf("cond_reacquire.cc", "producer waits")}},
                        "consumer, producer"));
}

TEST(Deadlock, OneTimedLockEndsItAndSaysWhen) {
  const Target target("timed");
  target.AwaitAsleep({"hasty", "patient"});
  const Answer answer = LookAt(target.pid());
  ExpectAnswer(
      answer, kFindings,
      Lines({"DEADLOCK certain, ends by timeout",
             Waits({"hasty", "mutex g_disk with timeout", "patient",
                    LineOf("timed.cc", "hasty waits")}),
             Waits({"patient", "mutex g_net", "hasty", LineOf("timed.cc", "patient waits")}),
             "  ring: hasty, patient"}));
  ASSERT_EQ(answer.snapshot.findings_size(), 1);
  const double seconds = 1e-9 * static_cast<double>(answer.snapshot.findings(0).ends_at_ns() -
                                                    answer.snapshot.observations(0).end_ns());
  EXPECT_GT(seconds, 560);
  EXPECT_LE(seconds, 600);
}

TEST(Deadlock, MutexAndStdioLock) {
  const Target target("stdio_lock");
  target.AwaitAsleep({"rotator", "setter"});
  ExpectAnswer(
      LookAt(target.pid()), kHang,
      Deadlock(
          {{"rotator", "mutex g_config_mu", "setter", LineOf("stdio_lock.cc", "rotator waits")},
           {"setter", "stdio lock", "rotator", LineOf("stdio_lock.cc", "setter waits")}},
          "rotator, setter"));
}

// musl has no call frame information: frames found by scanning are no proof that the thread is in
// that lock's function.
TEST(Deadlock, StaticMuslWithTypedMutexes) {
  const Target target("musl_abba");
  target.AwaitAsleep({"receive", "send"});
  ExpectAnswer(LookAt(target.pid()), kHang,
               Lines({"PROBABLE_DEADLOCK probable, never ends",
                      "  receive probably waits for mutex g_outbox held by probably send at " +
                          LineOf("musl_abba.c", "receive waits"),
                      "  send probably waits for mutex g_inbox held by probably receive at " +
                          LineOf("musl_abba.c", "send waits"),
                      "  ring: receive, send"}));
}

// No cycle, and no lock whose holder could go on: nobody is left to wake anybody.
std::string NobodyLeftToWake(const std::string& verdict) {
  return Lines(
      {verdict,
       Waits({"flusher", "condition g_full", "", LineOf("lost_wakeup.cc", "flusher waits")}),
       Waits({"main", "semaphore g_done", "", LineOf("lost_wakeup.cc", "main waits")}),
       Waits({"producer", "mutex g_batch_mu", "flusher",
              LineOf("lost_wakeup.cc", "producer waits")})});
}

TEST(ClosedWorld, LostWakeUp) {
  const Target target("lost_wakeup");
  target.AwaitAsleep({"flusher", "main", "producer"});
  ExpectAnswer(LookAt(target.pid()), kHang, NobodyLeftToWake("DEADLOCK certain, never ends"));
}

// Unlike a mutex's owner, a semaphore's poster may be a signal handler.
TEST(ClosedWorld, LostWakeUpWhereAHandlerMightHelp) {
  const Target target("lost_wakeup", {"--handler"});
  target.AwaitAsleep({"flusher", "main", "producer"});
  ExpectAnswer(LookAt(target.pid()), kHang,
               NobodyLeftToWake("PROBABLE_DEADLOCK probable, unless signalled"));
}

// Rust's mutex keeps no owner. (Its runtime catches SIGSEGV, which nobody sends to a sleeper.) That
// nobody can go on is certain at once; whose stacks refer to the locks is looked for after a while.
TEST(ClosedWorld, RustMutexes) {
  const Target target("rust_abba");
  target.AwaitAsleep({"audit", "io", "rust_abba"});
  SleepFor(Milliseconds(300));
  const std::string line = LineOf("rust_abba.rs", "thread waits");
  ExpectAnswer(
      LookAt(target.pid(), {"--long-wait", "200ms"}), kHang,
      Lines({"DEADLOCK certain, never ends", Waits({"audit", "mutex", "probably io", line}),
             Waits({"io", "mutex", "probably audit", line}),
             Waits({"rust_abba", "thread exit", "io", LineOf("rust_abba.rs", "main joins")}),
             "  ring: audit, io"}));
}

}  // namespace
}  // namespace ct::test
