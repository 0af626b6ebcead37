// The kernel side of counting waits, where it is full, overrun or killed: what is lost is told
// exactly, and nothing stays behind.
#include "kernel/waits.h"

#include <signal.h>

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_set>

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include "base/unique_fd.h"
#include "tests/integration/counting.h"
#include "tests/integration/harness.h"

namespace ct::test {
namespace {

class Tracing {
 public:
  Tracing(pid_t pid, const WaitsPlan& plan) {
    auto tracer = WaitTracer::Load(plan);
    if (!tracer) throw std::runtime_error(tracer.error().message);
    tracer_ = std::move(*tracer);
    const std::unordered_set<pid_t> pids{pid};
    if (!tracer_->Select(&pids)) throw std::runtime_error("select");
    tracer_->Resume();
  }
  WaitTracer* operator->() const { return tracer_.get(); }
  // And until the programs that had begun have ended: what they count is seen in all or nothing.
  void Pause() const {
    tracer_->Pause();
    SleepFor(std::chrono::milliseconds(100));
  }

 private:
  std::unique_ptr<WaitTracer> tracer_;
};

WaitsPlan Plan() {
  const auto features = ProbeFeatures({});
  if (!features) throw std::runtime_error(features.error().message);
  const auto plan = PlanWaits(*features);
  if (!plan) throw std::runtime_error(plan.error().message);
  return *plan;
}

std::uint64_t SumOfWaits(const std::vector<LockCount>& locks) {
  std::uint64_t sum = 0;
  for (const LockCount& lock : locks) sum += lock.waits.waits;
  return sum;
}

// Nobody reads the ring while it fills.
TEST(Waits, AnOverrunRingLosesRecordsAndCountsThem) {
  Target target("hot_lock");
  WaitsPlan plan = Plan();
  plan.ring_bytes = 256 << 10;
  plan.min_wait = 0;
  Tracing tracing(target.pid(), plan);
  SleepFor(std::chrono::seconds(1));
  tracing.Pause();
  ASSERT_TRUE(tracing->Receive(0));
  const WaitCounters counters = tracing->Counters().value();
  EXPECT_GT(counters.lost_ring, 0U);
  EXPECT_GT(counters.received, 5U);
  EXPECT_EQ(counters.produced, counters.received + counters.lost_ring);
  EXPECT_EQ(tracing->Take(true).size(), counters.received);
  // What was counted is not touched by that.
  EXPECT_EQ(SumOfWaits(tracing->Locks().value()), counters.waits);
}

TEST(Waits, WhoReadsInTimeLosesNothing) {
  Target target("hot_lock");
  WaitsPlan plan = Plan();
  plan.min_wait = 0;
  Tracing tracing(target.pid(), plan);
  std::vector<WaitSample> all;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(tracing->Receive(50 * kMillisecond));
    for (WaitSample& wait : tracing->Take(false)) all.push_back(std::move(wait));
  }
  tracing.Pause();
  ASSERT_TRUE(tracing->Receive(0));
  for (WaitSample& wait : tracing->Take(true)) all.push_back(std::move(wait));
  const WaitCounters counters = tracing->Counters().value();
  EXPECT_EQ(counters.lost_ring, 0U);
  EXPECT_EQ(counters.produced, counters.received);
  // Every wait of at least nothing travels: those that began before us, too, which no one counts.
  const auto counted =
      std::count_if(all.begin(), all.end(), [](const WaitSample& wait) { return wait.begin != 0; });
  EXPECT_EQ(static_cast<std::uint64_t>(counted), counters.waits);
  // In order, but for those that are counted as late: a CPU was taken away for that long.
  std::uint64_t backwards = 0;
  for (std::size_t i = 1; i < all.size(); ++i) backwards += all[i].end < all[i - 1].end ? 1 : 0;
  EXPECT_LE(backwards, counters.late);
  EXPECT_LE(counters.late, counters.received / 100);
}

TEST(Waits, MoreLocksThanFitAreCountedAsLost) {
  constexpr std::uint64_t kLocks = 400;
  Target target("many_locks", {"--locks=" + std::to_string(kLocks)});
  WaitsPlan plan = Plan();
  plan.max_locks = 100;
  plan.preallocate = true;
  Tracing tracing(target.pid(), plan);
  target.Signal(SIGUSR1);
  target.Await("DONE");
  const WaitCounters counters = tracing->Counters().value();
  const std::vector<LockCount> locks = tracing->Locks().value();
  EXPECT_EQ(locks.size(), 100U);
  EXPECT_GT(counters.waits, kLocks / 2);
  EXPECT_LE(counters.waits, kLocks * 11 / 10);
  EXPECT_EQ(SumOfWaits(locks) + counters.lost_lock, counters.waits);
}

// Where there is no task storage: more threads wait than the table has room for.
TEST(Waits, MoreThreadsThanFitAreCountedAsLost) {
  Target target("hot_lock");
  WaitsPlan plan = Plan();
  plan.task_storage = false;
  plan.max_threads = 8;
  Tracing tracing(target.pid(), plan);
  SleepFor(std::chrono::seconds(1));
  tracing.Pause();
  const WaitCounters counters = tracing->Counters().value();
  EXPECT_GT(counters.lost_thread, 0U);
  EXPECT_GT(counters.waits, 0U);
  EXPECT_EQ(SumOfWaits(tracing->Locks().value()), counters.waits);
}

TEST(Waits, OfTenThousandShortLivedThreadsAreAllCounted) {
  constexpr std::uint64_t kThreads = 10'000;
  Target target("short_lived", {"--threads=" + std::to_string(kThreads)});
  // The smallest table that holds those who live at once: who has ended leaves its place.
  WaitsPlan plan = Plan();
  plan.task_storage = false;
  plan.max_threads = 64;
  plan.preallocate = true;
  Tracing tracing(target.pid(), plan);
  target.Signal(SIGUSR1);
  target.Await("DONE");
  const WaitCounters counters = tracing->Counters().value();
  EXPECT_EQ(counters.lost_thread, 0U);
  EXPECT_EQ(counters.lost_end, 0U);
  EXPECT_EQ(SumOfWaits(tracing->Locks().value()), counters.waits);
  // Each waits for the gate, unless that opens just before its call; and who made it joins it, or
  // finds it gone.
  EXPECT_GE(counters.waits, kThreads / 2);
  EXPECT_LE(counters.waits, 2 * kThreads + kThreads / 10);
}

// Names of the BPF programs that the kernel has now and that are ours.
Strings OurPrograms() {
  Strings names;
  for (std::uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
    const UniqueFd program(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    std::uint32_t size = sizeof(info);
    if (!program.ok() || bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) continue;
    const std::string name = info.name;
    if (name.starts_with("ct_")) names.push_back(name);
  }
  return names;
}

TEST(Waits, KillMinusNineLeavesNothingAttached) {
  const Strings before = OurPrograms();
  {
    const Target target("idle");
    Counting counting({"-p", std::to_string(target.pid())});
    EXPECT_GT(OurPrograms().size(), before.size());
    counting.child().Signal(SIGKILL);
  }
  // Programs are freed after a grace period.
  // Those of the test before may only just be.
  for (int i = 0; i < 100 && OurPrograms().size() > before.size(); ++i) {
    SleepFor(Milliseconds(50));
  }
  EXPECT_LE(OurPrograms().size(), before.size());
}

}  // namespace
}  // namespace ct::test
