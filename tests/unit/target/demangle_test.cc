#include "target/demangle.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

TEST(Demangle, WritesNamesWithoutParametersAndHashes) {
  EXPECT_EQ(Demangle("_ZN7Account7depositEiRKSs"), "Account::deposit");
  EXPECT_EQ(Demangle("_ZN4core3ptr13drop_in_place17h0123456789abcdefE"),
            "core::ptr::drop_in_place");
  EXPECT_EQ(Demangle("_RNvC6_123foo3bar"), "123foo::bar");
}

TEST(Demangle, KeepsPlainNamesAndDropsSymbolVersions) {
  EXPECT_EQ(Demangle("sem_wait@@GLIBC_2.34"), "sem_wait");
  EXPECT_EQ(Demangle("runtime.futex.abi0"), "runtime.futex.abi0");
  EXPECT_EQ(Demangle("_Znonsense"), "_Znonsense");
  EXPECT_EQ(Demangle(""), "");
}

// std::pair of two substitutions of the last pair, thirty times over: gigabytes when written out.
TEST(Demangle, GivesUpOnANameThatGrowsWithoutEnd) {
  std::string bomb = "_Z1fSt4pairIiiE";
  std::string nested = "St4pairIiiE";
  for (int i = 0; i < 30; ++i) nested = "St4pairI" + nested + "S" + (i == 0 ? "" : "0") + "_E";
  bomb = "_Z1fI" + nested + "Evv";
  EXPECT_LE(Demangle(bomb).size(), 4096u);
  EXPECT_LE(Demangle("_Z" + std::string(100'000, 'P')).size(), 4096u);
}

}  // namespace
}  // namespace ct
