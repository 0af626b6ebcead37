#include "locks/wait_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/locks/fakes.h"

namespace ct {
namespace {

using testing::ElementsAre;

const std::vector<Module> kModules{{"/usr/lib/libc.so.6", "", false}, {"/opt/app", "", false}};

WaitFrames Analyze(const std::vector<const char*>& functions) {
  return AnalyzeWaitFrames(Frames(functions), kModules);
}
std::vector<std::string> ApiNames(const WaitFrames& frames) {
  std::vector<std::string> names;
  for (const WaitApiFrame& frame : frames.api) names.push_back(frame.name);
  return names;
}

TEST(CName, StripsAliasesVersionsAndSuffixes) {
  EXPECT_EQ(CName("pthread_mutex_lock"), "pthread_mutex_lock");
  EXPECT_EQ(CName("___pthread_mutex_lock"), "pthread_mutex_lock");
  EXPECT_EQ(CName("__GI___pthread_mutex_lock"), "pthread_mutex_lock");
  EXPECT_EQ(CName("pthread_mutex_lock@@GLIBC_2.34"), "pthread_mutex_lock");
  EXPECT_EQ(CName("pthread_mutex_lock@plt"), "pthread_mutex_lock");
  EXPECT_EQ(CName("__new_sem_wait_slow64.constprop.0"), "sem_wait_slow64");
  EXPECT_EQ(CName("pthread_join (local)"), "pthread_join");
  EXPECT_EQ(CName("pthread_join+0x20"), "pthread_join");
  EXPECT_EQ(CName("__libc_malloc"), "malloc");
  EXPECT_EQ(CName("_IO_puts"), "IO_puts");
}

TEST(CName, IsEmptyForOtherLanguages) {
  EXPECT_EQ(CName("malloc(unsigned long)"), "");
  EXPECT_EQ(CName("pthread_mutex_lock::operator()"), "");
  EXPECT_EQ(CName("<std::sync::Mutex>::lock"), "");
  EXPECT_EQ(CName(""), "");
  EXPECT_EQ(CName("_"), "_");
}

TEST(WaitFrames, EndAtTheFirstFrameOfTheUser) {
  const WaitFrames frames =
      Analyze({"__lll_lock_wait", "___pthread_mutex_lock", "worker", "pthread_join"});
  EXPECT_THAT(ApiNames(frames), ElementsAre("pthread_mutex_lock"));
  EXPECT_EQ(frames.callers, 2u);
  EXPECT_TRUE(frames.named);
  EXPECT_TRUE(frames.plumbing);
  EXPECT_FALSE(frames.musl);
}

TEST(WaitFrames, PassNamelessFramesOfTheSameLibraryOnly) {
  auto frames = Frames({"", "sem_wait", "", "pthread_join"});
  frames[2].module = 1;
  const WaitFrames result = AnalyzeWaitFrames(frames, kModules);
  EXPECT_THAT(ApiNames(result), ElementsAre("sem_wait"));
  EXPECT_EQ(result.callers, 2u);
}

// A local function of a stripped library has its neighbour's name: the caller is what was called.
TEST(WaitFrames, OfSeveralPthreadCallsTheOutermostCounts) {
  const WaitFrames frames = Analyze({"pthread_cond_wait (local)", "sem_wait", "worker"});
  EXPECT_EQ(frames.PthreadCall()->name, "sem_wait");
}

TEST(WaitFrames, MallocInsideStdioIsNoPthreadCall) {
  const WaitFrames frames =
      Analyze({"__lll_lock_wait_private", "malloc", "_IO_file_doallocate", "puts", "worker"});
  EXPECT_EQ(frames.PthreadCall(), nullptr);
  EXPECT_NE(frames.Find(WaitApi::kMalloc), nullptr);
  EXPECT_EQ(frames.Find(WaitApi::kStdio)->name, "puts");
  EXPECT_TRUE(frames.internal_lock);
  EXPECT_EQ(frames.callers, 4u);
}

TEST(WaitFrames, MuslIsKnownByItsWrappersOrItsModule) {
  EXPECT_TRUE(Analyze({"__timedwait_cp", "__timedwait", "pthread_mutex_timedlock"}).musl);
  EXPECT_FALSE(Analyze({"wait", "sem_wait"}).musl);  // anybody's
  const std::vector<Module> modules{{"/lib/ld-musl-x86_64.so.1", "", false}};
  EXPECT_TRUE(AnalyzeWaitFrames(Frames({""}), modules).musl);
}

TEST(WaitFrames, OfNoFramesSayNothing) {
  const WaitFrames frames = Analyze({});
  EXPECT_FALSE(frames.named);
  EXPECT_EQ(frames.PthreadCall(), nullptr);
  EXPECT_EQ(frames.callers, 0u);
}

TEST(WaitFrames, AreBounded) {
  const std::vector<Frame> endless(100'000, Frames({"malloc"})[0]);
  EXPECT_LE(AnalyzeWaitFrames(endless, kModules).api.size(), 12u);
}

TEST(FindCaller, LooksAtABoundedNumberOfFrames) {
  auto frames = Frames({"a", "ct::Pool::acquire()", "b"});
  EXPECT_EQ(FindCaller(frames, 0, "Pool::acquire"), 1u);
  EXPECT_FALSE(HasCaller(frames, 2, "Pool::acquire"));
  frames.insert(frames.begin(), kCallerFrames, frames[0]);
  EXPECT_FALSE(HasCaller(frames, 0, "Pool::acquire"));
}

}  // namespace
}  // namespace ct
