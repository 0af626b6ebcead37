// What is shipped, as it is compiled in.
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "probes/catalog.h"

namespace ct {
namespace {

using ::testing::IsSupersetOf;

std::vector<CatalogFamily> Shipped() {
  const auto shipped = ShippedCatalog();
  EXPECT_TRUE(shipped) << shipped.error().message;
  return shipped.value_or(std::vector<CatalogFamily>{});
}

const CatalogFunction* Find(const std::vector<CatalogFamily>& families, std::string_view family,
                            std::string_view function) {
  for (const CatalogFamily& candidate : families) {
    if (candidate.name != family) continue;
    for (const CatalogFunction& found : candidate.functions) {
      if (found.name == function) return &found;
    }
  }
  return nullptr;
}

TEST(ShippedCatalog, HasItsFamilies) {
  std::vector<std::string> names;
  for (const CatalogFamily& family : Shipped()) names.push_back(family.name);
  EXPECT_THAT(names, IsSupersetOf({"glibc mutex", "glibc rwlock", "glibc spinlock",
                                   "glibc semaphore", "GLib mutex", "APR resource list",
                                   "libmongoc client pool", "Abseil mutex"}));
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

// A function that is in two families, or that calls another one of the same lock, counts twice.
TEST(ShippedCatalog, NoFunctionCountsTwice) {
  std::set<std::string> functions;
  for (const CatalogFamily& family : Shipped()) {
    for (const CatalogFunction& function : family.functions) {
      EXPECT_TRUE(functions.insert(function.name).second) << function.name;
    }
  }
  for (const char* inner : {"mtx_lock", "mtx_unlock", "mtx_trylock", "mtx_timedlock", "mtx_destroy",
                            "cnd_wait", "cnd_timedwait", "g_cond_wait", "g_rec_mutex_lock",
                            "g_rw_lock_reader_lock", "PyThread_acquire_lock_timed",
                            "PyThread_release_lock", "pthread_spin_init", "uv_sem_wait"}) {
    EXPECT_FALSE(functions.contains(inner)) << inner;
  }
}

TEST(ShippedCatalog, KnowsWhoseWordSaysWho) {
  const auto families = Shipped();
  for (const CatalogFamily& family : families) {
    const bool is_mutex = family.name == "glibc mutex";
    EXPECT_EQ(family.owner.is_glibc_mutex, is_mutex) << family.name;
    EXPECT_EQ(family.owner.has_state, is_mutex) << family.name;
    EXPECT_EQ(family.owner.has_owner, is_mutex || family.name == "glibc rwlock") << family.name;
  }
  const auto* wait = Find(families, "glibc mutex", "pthread_cond_timedwait");
  ASSERT_NE(wait, nullptr);
  EXPECT_EQ(wait->role, HoldRole::kConditionWait);
  EXPECT_EQ(wait->key_argument, 1U);
  const auto* reader = Find(families, "glibc rwlock", "pthread_rwlock_rdlock");
  ASSERT_NE(reader, nullptr);
  EXPECT_EQ(reader->mode, AccessMode::kShared);
  EXPECT_EQ(reader->success, SuccessRule::kReturns);
  const auto* timed = Find(families, "glibc semaphore", "sem_timedwait");
  ASSERT_NE(timed, nullptr);
  EXPECT_EQ(timed->succeeds, ReturnValue::kZero);
  const auto* push = Find(families, "libmongoc client pool", "mongoc_client_pool_push");
  ASSERT_NE(push, nullptr);
  EXPECT_EQ(push->unit_argument, 1U);
}

}  // namespace
}  // namespace ct
