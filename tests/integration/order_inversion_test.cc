// LOCK_ORDER_INVERSION: rings of locks that were taken one after another and never at once, with
// the lines of both acquires of every step; and orders that can never end in a deadlock.
#include <algorithm>

#include <gmock/gmock.h>

#include "tests/integration/holds.h"

namespace ct::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kFile = "lock_order.cc";

std::string Line(const std::string& mark) { return LineOf(kFile, mark); }

struct Step {
  std::string who;
  std::string held;
  std::string wanted;
  std::string marks;  // "io": lines "io has" and "io wants"
  std::string more;
};

std::string StepLine(const Step& step) {
  return "  " + step.who + " has " + step.held + " of " + Line(step.marks + " has") + ", wants " +
         step.wanted + " at " + Line(step.marks + " wants") + step.more;
}

// The steps in the order of the ring; the smallest line first.
std::string Inversion(const std::vector<Step>& steps, const std::string& evidence = "certain") {
  Strings lines;
  for (const Step& step : steps) lines.push_back(StepLine(step));
  std::rotate(lines.begin(), std::min_element(lines.begin(), lines.end()), lines.end());
  lines.insert(lines.begin(), "LOCK_ORDER_INVERSION " + evidence + ", may end");
  return Lines(lines);
}

std::string AuditAndIo(const std::string& audit_more = "", const std::string& io_more = "") {
  return Inversion({{"audit", "mutex g_account_mu", "mutex g_ledger_mu", "audit", audit_more},
                    {"io", "mutex g_ledger_mu", "mutex g_account_mu", "io", io_more}});
}

TEST(OrderInversion, OfTwoLocks) {
  const Followed followed = Follow(kFile.substr(0, kFile.find('.')), {});
  ExpectFound(followed, kFindings, AuditAndIo());
  // It was told as it appeared, with both lines of both threads.
  for (const char* mark : {"io has", "io wants", "audit has", "audit wants"}) {
    EXPECT_THAT(followed.text, HasSubstr(Line(mark)));
  }
  EXPECT_THAT(followed.text, Not(HasSubstr("DEADLOCK")));
}

class RingOfOrders : public testing::TestWithParam<int> {};

TEST_P(RingOfOrders, IsFoundWhole) {
  const int size = GetParam();
  const Followed followed = Follow("lock_order", {"--locks=" + std::to_string(size)});
  std::vector<Step> steps;
  for (int i = 0; i < size; ++i) {
    steps.push_back({"seat" + std::to_string(i), "mutex", "mutex", "seat", ""});
  }
  // On the heap: nobody need have seen one end whose address another one has.
  ExpectFound(followed, kFindings, Inversion(steps, "probable"));
}

INSTANTIATE_TEST_SUITE_P(OrderInversion, RingOfOrders, testing::Values(2, 5, 40),
                         testing::PrintToStringParamName());

// Under different locks nobody keeps the other one out.
TEST(OrderInversion, UnderTwoGates) {
  ExpectFound(Follow("lock_order", {"--two-gates"}), kFindings,
              AuditAndIo(", under mutex g_second_gate_mu", ", under mutex g_gate_mu"));
}

// Also where only reading was seen in this order before.
TEST(OrderInversion, OfReadersThatWrite) {
  for (const char* how : {"--read-write", "--read-first"}) {
    ExpectFound(
        Follow("lock_order", {how}), kFindings,
        Inversion({{"peer", "rw lock g_peers (shared)", "rw lock g_routes", "peer", ""},
                   {"route", "rw lock g_routes (shared)", "rw lock g_peers", "route", ""}}));
  }
}

TEST(OrderInversion, IsToldOnceAndTheNextOneToo) {
  const Followed followed = Follow("lock_order", {"--goes-on"});
  const std::string first = AuditAndIo();
  const std::string second =
      Inversion({{"restock", "mutex g_stock_mu", "mutex g_orders_mu", "restock", ""},
                 {"ship", "mutex g_orders_mu", "mutex g_stock_mu", "ship", ""}});
  const std::string found = followed.answer.findings;
  EXPECT_TRUE(found == first + second || found == second + first) << found;
  EXPECT_EQ(followed.answer.run.status, kFindings);
  std::size_t told = 0;
  for (std::size_t at = 0;
       (at = followed.text.find("LOCK_ORDER_INVERSION", at)) != std::string::npos; ++at) {
    ++told;
  }
  EXPECT_EQ(told, 2U) << followed.text;
}

// However many locks a thread has: none is forgotten without a word.
TEST(OrderInversion, BehindManyLocks) {
  for (const int depth : {10, 30}) {
    const Followed followed = Follow("lock_order", {"--deep=" + std::to_string(depth)});
    EXPECT_THAT(followed.answer.findings, HasSubstr("LOCK_ORDER_INVERSION")) << depth;
    EXPECT_THAT(followed.answer.findings, HasSubstr("hook has mutex of " + Line("hook has") +
                                                    ", wants mutex at " + Line("hook wants")))
        << depth;
    EXPECT_THAT(followed.answer.findings, HasSubstr("nest has mutex of " + Line("nest takes") +
                                                    ", wants mutex at " + Line("nest takes")))
        << depth;
    EXPECT_EQ(followed.answer.relevant_losses, Strings{}) << depth;
  }
  const Followed followed = Follow("lock_order", {"--deep=200"});
  if (followed.answer.findings.find("LOCK_ORDER_INVERSION") == std::string::npos) {
    EXPECT_THAT(followed.answer.relevant_losses, Not(testing::IsEmpty()));
    EXPECT_EQ(followed.answer.run.status, kNotSeen);
  }
}

// What found no room when it came is told when it comes again.
TEST(OrderInversion, OrdersThatCameTooFastAreKnownInTheEnd) {
  constexpr int kOrders = 5'000;
  const Followed followed =
      Follow("held_locks", {"--locks=6000", "--orders=" + std::to_string(kOrders), "--passes=30"});
  EXPECT_EQ(followed.answer.snapshot.lock_orders_size(), kOrders) << followed.said;
  EXPECT_EQ(followed.answer.relevant_losses, Strings{});
}

class OrderThatCannotDeadlock : public testing::TestWithParam<std::string> {};

TEST_P(OrderThatCannotDeadlock, IsSilent) {
  const Followed followed = Follow("lock_order", {"--" + GetParam()});
  ExpectSilence(followed);
  EXPECT_THAT(followed.text, Not(HasSubstr("LOCK_ORDER_INVERSION")));
}

INSTANTIATE_TEST_SUITE_P(OrderInversion, OrderThatCannotDeadlock,
                         testing::Values("healthy", "gate", "try", "scoped", "recursive",
                                         "one-thread", "two-of-three", "reused", "read-read"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '-');
                           return name;
                         });

// One that did happen is a deadlock, and not told as one that could.
TEST(OrderInversion, ThatHappenedIsADeadlock) {
  const Target target("abba");
  target.AwaitAsleep({"audit", "io"});
  HoldTrace trace(target.pid());
  SleepFor(Milliseconds(500));
  const Answer answer = trace.Stop();
  EXPECT_THAT(answer.findings, HasSubstr("DEADLOCK certain, never ends\n"));
  EXPECT_THAT(answer.findings, Not(HasSubstr("LOCK_ORDER_INVERSION")));
  EXPECT_EQ(answer.run.status, kHang);
}

}  // namespace
}  // namespace ct::test
