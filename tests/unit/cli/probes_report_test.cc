#include "cli/probes_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ct {
namespace {

using testing::HasSubstr;
using testing::Not;

std::vector<CatalogFamily> Families() {
  CatalogFamily mutex;
  mutex.name = "glibc mutex";
  mutex.source = "glibc.toml:3";
  mutex.functions.resize(3);
  mutex.functions[0].name = "pthread_mutex_lock";
  mutex.functions[1].name = "pthread_mutex_clocklock";
  mutex.functions[2].name = "pthread_mutex_unlock";
  mutex.functions[2].role = HoldRole::kRelease;
  CatalogFamily pool;
  pool.name = "pool ConnectionPool";
  pool.files = {"app"};
  pool.source = "--pool";
  pool.functions.resize(1);
  pool.functions[0].name = "ConnectionPool::acquire";
  pool.functions[0].success = SuccessRule::kReturnValue;
  CatalogFamily other;
  other.name = "APR reslist";
  other.functions.resize(1);
  other.functions[0].name = "apr_reslist_acquire";
  return {mutex, pool, other};
}

FunctionFound Found(std::uint32_t query, const std::string& function, bool emulated) {
  FunctionFound found;
  found.query = query;
  found.site.function = function;
  found.site.module = "/usr/lib/libc.so.6";
  found.site.emulated = emulated;
  found.site.why = emulated ? "+14 jne: emulated" : "+0 endbr64: single-stepped";
  return found;
}

TEST(QueriesOf, AsksForReturnsWhereTheyDecide) {
  const CatalogQueries queries = QueriesOf(Families());
  ASSERT_EQ(queries.functions.size(), 5U);
  EXPECT_FALSE(queries.functions[0].want_returns);
  EXPECT_TRUE(queries.functions[3].want_returns);
  EXPECT_EQ(queries.entries[3].family, 1U);
  EXPECT_EQ(queries.entries[3].function, 0U);
}

TEST(QueriesOf, NeedsTheRegisterOfTheUnitThatComesBack) {
  CatalogFamily pool;
  pool.has_units = true;
  pool.functions.resize(2);
  pool.functions[1].role = HoldRole::kRelease;
  pool.functions[1].unit_argument = 1;
  const CatalogQueries queries = QueriesOf({pool});
  EXPECT_TRUE(queries.functions[0].want_returns);
  EXPECT_EQ(queries.functions[0].arguments, std::vector<std::uint32_t>({0}));
  EXPECT_FALSE(queries.functions[1].want_returns);
  EXPECT_EQ(queries.functions[1].arguments, std::vector<std::uint32_t>({0, 1}));
}

TEST(ReportProbes, HasAFamilysFunctionsAndWhatIsMissing) {
  FunctionFound impossible = Found(2, "pthread_mutex_unlock", false);
  impossible.why_not = "it only chooses";
  FunctionFound with_returns = Found(3, "app::ConnectionPool::acquire(int)", true);
  with_returns.site.module = "/srv/app";
  with_returns.site.why = "+0 push";
  with_returns.site.returns = {1, 2};
  const auto families = Families();
  const std::string text =
      ReportProbes(families, QueriesOf(families),
                   {Found(0, "pthread_mutex_lock", true), impossible, with_returns});
  EXPECT_EQ(text, R"(glibc mutex (glibc.toml:3)
  acquires  pthread_mutex_lock    libc.so.6  cheap   +14 jne: emulated
  releases  pthread_mutex_unlock  libc.so.6  -       cannot be probed: it only chooses
  not here: pthread_mutex_clocklock

pool ConnectionPool (--pool)
  acquires  app::ConnectionPool::acquire(int)  app  dear    +0 push; and 2 return instructions, single-stepped

Nothing here of: APR reslist
3 functions: 1 cheap, 1 dear, 1 cannot be probed
cheap: the kernel emulates the instruction that is probed; dear: it is single-stepped,
which costs up to 40 times as much for each call
)");
}

TEST(ReportProbes, SaysThatThereIsNothing) {
  const auto families = Families();
  const std::string text = ReportProbes(families, QueriesOf(families), {});
  EXPECT_THAT(text, HasSubstr("Nothing here of: glibc mutex, APR reslist\n"));
  EXPECT_THAT(text, HasSubstr("pool ConnectionPool (--pool)\n  not here: no file app with"));
  EXPECT_THAT(text, HasSubstr("0 functions"));
  EXPECT_THAT(text, Not(HasSubstr("cheap: ")));
}

TEST(ReportProbes, TellsVersionsOfOneNameApart) {
  const auto families = Families();
  FunctionFound old = Found(0, "pthread_mutex_lock", true);
  old.site.function_offset = 0x8d0f0;
  const std::string text =
      ReportProbes(families, QueriesOf(families), {old, Found(0, "pthread_mutex_lock", true)});
  EXPECT_THAT(text, HasSubstr("pthread_mutex_lock (at 0x8d0f0)"));
}

TEST(IsComplete, WantsAllThatTheUserNamed) {
  const auto families = Families();
  const CatalogQueries queries = QueriesOf(families);
  const FunctionFound acquire = Found(3, "app::ConnectionPool::acquire(int)", true);
  EXPECT_FALSE(IsComplete(families, queries, {}));
  EXPECT_TRUE(IsComplete(families, queries, {acquire}));
  FunctionFound impossible = Found(0, "pthread_mutex_lock", true);
  impossible.why_not = "a clone";
  EXPECT_FALSE(IsComplete(families, queries, {acquire, impossible}));
}

}  // namespace
}  // namespace ct
