// Every family of the shipped catalog that can be used here: an inversion and a long hold of each
// kind of lock, and its silent twin.
#include <gmock/gmock.h>

#include "tests/integration/holds.h"
#include "tests/integration/python_programs.h"

namespace ct::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

struct LockKind {
  const char* name;
  const char* what;   // kind, and variable if it has a name
  const char* marks;  // "call": lines "call takes" and "call gives"
  const char* evidence = "certain";
};

void PrintTo(const LockKind& kind, std::ostream* stream) { *stream << kind.name; }

class KindOfLock : public testing::TestWithParam<LockKind> {
 protected:
  static Followed FollowKind(bool healthy) {
    Strings arguments{std::string("--kind=") + GetParam().name};
    if (healthy) arguments.emplace_back("--healthy");
    return Follow("lock_kinds", arguments, {{"--long-hold", "200ms"}, "", {}});
  }
};

TEST_P(KindOfLock, IsFollowed) {
  const std::string file = "lock_kinds.cc";
  const LockKind& kind = GetParam();
  const std::string what = kind.what;
  const std::string taken = LineOf(file, std::string(kind.marks) + " takes");
  const std::string given = LineOf(file, std::string(kind.marks) + " gives");
  const Followed followed = FollowKind(false);
  const std::string& found = followed.answer.findings;
  // Two locks of one array: its name is the first one's.
  EXPECT_THAT(found,
              HasSubstr(std::string("LOCK_ORDER_INVERSION ") + kind.evidence + ", may end\n"));
  EXPECT_THAT(found, HasSubstr("  one has " + what));
  EXPECT_THAT(found, HasSubstr("  two has " + what));
  EXPECT_THAT(found, HasSubstr(" of " + taken + ", wants " + what));
  EXPECT_THAT(found, HasSubstr(" at " + taken + "\n"));
  EXPECT_THAT(found, HasSubstr("LONG_HOLD certain, may end\n  keeper had " + what));
  EXPECT_THAT(found, HasSubstr(" from " + taken + " to " + given + "\n"));
  EXPECT_EQ(followed.answer.snapshot.findings_size(), 2) << found;
  EXPECT_EQ(followed.answer.run.status, kFindings);
  EXPECT_EQ(followed.answer.relevant_losses, Strings{}) << followed.said;
}

TEST_P(KindOfLock, InOneOrderIsSilent) { ExpectSilence(FollowKind(true)); }

INSTANTIATE_TEST_SUITE_P(Holds, KindOfLock,
                         testing::Values(LockKind{"mutex", "mutex g_mutex", "call"},
                                         LockKind{"rwlock", "rw lock g_rwlock", "call"},
                                         LockKind{"spin", "mutex g_spin", "spin"},
                                         LockKind{"c11", "mutex g_c11", "call"},
                                         LockKind{"std", "mutex g_std", "std"},
                                         LockKind{"recursive", "mutex g_recursive", "std"},
                                         LockKind{"timed", "mutex g_timed", "std"},
                                         LockKind{"shared", "rw lock g_shared", "std"},
                                         LockKind{"glib_mutex", "mutex g_glib", "glib"},
                                         // These two are a pointer to one of glibc's on the heap.
                                         LockKind{"glib_recursive", "mutex", "glib", "probable"},
                                         LockKind{"glib_rwlock", "rw lock", "glib", "probable"}),
                         [](const auto& info) { return std::string(info.param.name); });

// Up to 3.12 a threading.Lock is a semaphore to us, and so is the lock that each thread has for its
// life; from 3.13 on what takes it and gives it back has no symbols.
Strings PythonsWithSemaphores() {
  Strings pythons = Interpreters();
  std::erase_if(pythons, [](const std::string& python) {
    Child ask({python, "-c", "import sys; sys.exit(sys.version_info >= (3, 13))"});
    return ask.Wait(std::chrono::seconds(20)) != 0;
  });
  return pythons;
}

Target PythonKeeper(const std::string& python, const Strings& arguments) {
  Strings command = PythonProgram(python, "held_locks.py");
  command.insert(command.end(), arguments.begin(), arguments.end());
  return Target(command);
}

// Its locks are semaphores: that one of these is a lock is probable, by how it was used before.
void ExpectHeldForLong(const std::string& python) {
  SCOPED_TRACE(python);
  Target target = PythonKeeper(python, {});
  const Followed followed = Follow(target, {{"--long-hold", "200ms"}, "LONG_HOLD", {}});
  EXPECT_EQ(followed.answer.run.status, kFindings) << followed.text;
  EXPECT_THAT(followed.answer.findings, HasSubstr("LONG_HOLD probable, may end\n"));
  const std::string place = LineOf("python/held_locks.py", "keeps").substr(sizeof("python"));
  EXPECT_THAT(followed.answer.findings, HasSubstr("keeper had probably semaphore from " + place +
                                                  " (stack too deep) to " + place));
  EXPECT_THAT(followed.text, HasSubstr("LONG_HOLD  CPython lock 0x"));
  ASSERT_EQ(followed.answer.snapshot.long_holds_size(), 1) << followed.text;
  const double took = static_cast<double>(followed.answer.snapshot.long_holds(0).duration_ns());
  EXPECT_GE(took, 0.49e9);
  EXPECT_LE(took, 1.5e9);
}

TEST(PythonLock, HeldForLongIsTold) {
  for (const std::string& python : PythonsWithSemaphores()) ExpectHeldForLong(python);
}

// CPython tries once with the GIL, and then waits without it: the line is that of the first try.
TEST(PythonLock, HeldForLongByWhoHadToWaitIsTold) {
  for (const std::string& python : PythonsWithSemaphores()) {
    SCOPED_TRACE(python);
    Target target = PythonKeeper(python, {"--heir"});
    const Followed followed = Follow(target, {{"--long-hold", "200ms"}, "LONG_HOLD", {}});
    const std::string place = LineOf("python/held_locks.py", "inherits").substr(sizeof("python"));
    EXPECT_THAT(followed.answer.findings, HasSubstr("heir had probably semaphore from " + place +
                                                    " (stack too deep) to " + place))
        << followed.text;
  }
}

// It is let go of by code of C, whatever Python code has called that.
TEST(PythonLock, AMutexOfCIsNotOne) {
  Target target = PythonKeeper(CT_PYTHON, {"--native"});
  const Followed followed = Follow(target, {{"--long-hold", "200ms"}, "LONG_HOLD", {}});
  EXPECT_THAT(followed.answer.findings, HasSubstr("LONG_HOLD certain, may end\n  keeper had mutex"))
      << followed.text;
  EXPECT_THAT(followed.answer.findings, Not(HasSubstr("held_locks.py")));
}

TEST(PythonLock, HeldForShortIsSilent) {
  for (const std::string& python : PythonsWithSemaphores()) {
    SCOPED_TRACE(python);
    Target target = PythonKeeper(python, {"--healthy"});
    ExpectSilence(Follow(target, {{"--long-hold", "200ms"}, "", {}}));
  }
}

}  // namespace
}  // namespace ct::test
