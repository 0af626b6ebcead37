// The plan is a pure function of the features: each missing one is a refusal with one clear line or
// a degradation that is told.
#include "kernel/features.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ct {
namespace {

KernelFeatures Everything() {
  KernelFeatures features;
  features.btf = features.task_iterator = features.task_pt_regs = features.task_stack = true;
  features.task_walk = features.init_pid_namespace = features.x86_64 = true;
  features.task_storage = features.ring_buffer = features.map_allocator = true;
  features.attach_cookie = features.uprobe_multi = true;
  return features;
}

TEST(PlanSweep, UsesWhatThereIs) {
  const Result<SweepPlan> plan = PlanSweep(Everything(), true);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->registers_by_helper);
  EXPECT_TRUE(plan->kernel_stacks);
  EXPECT_TRUE(plan->walk);
  EXPECT_TRUE(plan->degradations.empty());
}

TEST(PlanSweep, FallsBackWithoutTheRegisterHelper) {
  KernelFeatures features = Everything();
  features.task_pt_regs = false;  // 5.10
  const Result<SweepPlan> plan = PlanSweep(features, true);
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->registers_by_helper);
  EXPECT_TRUE(plan->degradations.empty());  // nothing is lost by it
}

TEST(PlanSweep, TellsThatSteadySweepsAreDear) {
  KernelFeatures features = Everything();
  features.task_walk = false;  // before 6.7
  const Result<SweepPlan> plan = PlanSweep(features, true);
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->walk);
  EXPECT_THAT(plan->degradations, testing::ElementsAre(testing::HasSubstr("sweeps cost more")));
}

TEST(PlanSweep, OfASnapshotHasNoUseForTheWalk) {
  for (const bool task_walk : {false, true}) {
    KernelFeatures features = Everything();
    features.task_walk = task_walk;
    const Result<SweepPlan> plan = PlanSweep(features, false);
    ASSERT_TRUE(plan);
    EXPECT_FALSE(plan->walk);
    EXPECT_TRUE(plan->degradations.empty());
  }
}

TEST(PlanSweep, TellsWhatIsDegraded) {
  KernelFeatures features = Everything();
  features.task_stack = false;
  const Result<SweepPlan> plan = PlanSweep(features, true);
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->kernel_stacks);
  EXPECT_THAT(plan->degradations, testing::ElementsAre(testing::HasSubstr("no kernel stacks")));
}

struct Refusal {
  void (*take)(KernelFeatures&);
  ErrorCode code;
  const char* says;
};

TEST(PlanSweep, RefusesWithOneClearLine) {
  const Refusal refusals[] = {
      {[](KernelFeatures& f) {
         f.missing_capabilities = {"CAP_BPF", "CAP_SYS_PTRACE"};
       },
       ErrorCode::kPermission, "run this as root: CAP_BPF, CAP_SYS_PTRACE are missing"},
      {[](KernelFeatures& f) { f.btf = false; }, ErrorCode::kUnsupported, "CONFIG_DEBUG_INFO_BTF"},
      {[](KernelFeatures& f) { f.task_iterator = false; }, ErrorCode::kUnsupported, "Linux 5.8"},
      {[](KernelFeatures& f) { f.init_pid_namespace = false; }, ErrorCode::kUnsupported,
       "--pid=host"},
      {[](KernelFeatures& f) { f.x86_64 = false; }, ErrorCode::kUnsupported, "x86-64"},
  };
  for (const Refusal& refusal : refusals) {
    KernelFeatures features = Everything();
    refusal.take(features);
    const Result<SweepPlan> plan = PlanSweep(features, true);
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, refusal.code);
    EXPECT_THAT(plan.error().message, testing::HasSubstr(refusal.says));
    EXPECT_THAT(plan.error().message, testing::Not(testing::HasSubstr("\n")));
  }
}

TEST(PlanWaits, TriesTheCheapestWayFirst) {
  const Result<WaitsPlan> plan = PlanWaits(Everything());
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->ways,
              testing::ElementsAre(AttachWay::kFentry, AttachWay::kKprobe, AttachWay::kTracepoint));
  EXPECT_TRUE(plan->task_storage);
  EXPECT_FALSE(plan->preallocate);
  EXPECT_THAT(plan->degradations, testing::IsEmpty());
}

TEST(PlanWaits, LeavesOutWhatIsPretendedAbsent) {
  KernelFeatures features = Everything();
  features.without = {"fentry"};
  EXPECT_THAT(PlanWaits(features)->ways,
              testing::ElementsAre(AttachWay::kKprobe, AttachWay::kTracepoint));
  features.without = {"tracepoint", "task_walk", "kprobe"};
  EXPECT_THAT(PlanWaits(features)->ways, testing::ElementsAre(AttachWay::kFentry));
  features.without = {"fentry", "kprobe", "tracepoint"};
  EXPECT_THAT(PlanWaits(features)->ways, testing::IsEmpty());
}

TEST(PlanWaits, RefusesWithoutARingBuffer) {
  KernelFeatures features = Everything();
  features.ring_buffer = false;
  const Result<WaitsPlan> plan = PlanWaits(features);
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(plan.error().message, "this kernel has no BPF ring buffer (it came with Linux 5.8)");
}

TEST(PlanWaits, KeepsThreadsInATableWithoutTaskStorage) {
  KernelFeatures features = Everything();
  features.task_storage = false;  // 5.10
  const Result<WaitsPlan> plan = PlanWaits(features);
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->task_storage);
  EXPECT_FALSE(plan->preallocate);
}

TEST(PlanHolds, TakesLessMemoryAllAtOnceWhereMapsCannotGrow) {
  const Result<HoldsPlan> plan = PlanHolds(Everything());
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->preallocate);
  EXPECT_TRUE(plan->uprobe_multi);
  KernelFeatures features = Everything();
  features.map_allocator = false;  // before 6.1
  features.attach_cookie = false;  // before 5.15
  const Result<HoldsPlan> old = PlanHolds(features);
  ASSERT_TRUE(old);
  EXPECT_TRUE(old->preallocate);
  EXPECT_FALSE(old->uprobe_multi);
  EXPECT_LT(old->max_threads, plan->max_threads);
}

TEST(PlanWaits, TakesAllMemoryAtOnceWhereMapsCannotGrow) {
  KernelFeatures features = Everything();
  features.map_allocator = false;  // before 6.1
  const Result<WaitsPlan> plan = PlanWaits(features);
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->preallocate);
  EXPECT_TRUE(plan->task_storage);
}

TEST(AttachWay, IsCalledAsInWithout) {
  for (const AttachWay way : {AttachWay::kFentry, AttachWay::kKprobe, AttachWay::kTracepoint}) {
    KernelFeatures features = Everything();
    features.without = {ToString(way)};
    EXPECT_THAT(PlanWaits(features)->ways, testing::Not(testing::Contains(way)));
    EXPECT_TRUE(ProbeFeatures({ToString(way)})) << ToString(way);
  }
}

TEST(ProbeFeatures, RefusesToForgetWhatItDoesNotKnow) {
  const Result<KernelFeatures> features = ProbeFeatures({"no_such_feature"});
  ASSERT_FALSE(features);
  EXPECT_EQ(features.error().code, ErrorCode::kUsage);
}

TEST(ProbeFeatures, CanBeForcedDown) {
  const Result<KernelFeatures> features =
      ProbeFeatures({"task_pt_regs", "task_stack", "task_walk", "task_storage", "map_allocator"});
  ASSERT_TRUE(features);
  EXPECT_FALSE(features->task_pt_regs);
  EXPECT_FALSE(features->task_stack);
  EXPECT_FALSE(features->task_walk);
  EXPECT_FALSE(features->task_storage);
  EXPECT_FALSE(features->map_allocator);
}

}  // namespace
}  // namespace ct
