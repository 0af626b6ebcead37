#include "target/symbol_table.h"

#include <elf.h>
#include <fcntl.h>

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "target/demangle.h"

namespace ct {
namespace {

std::string BestOf(std::vector<Symbol> names) {
  return std::min_element(names.begin(), names.end(), IsBetterName)->name;
}

TEST(IsBetterName, PrefersTheNameThatACallerUses) {
  EXPECT_EQ(BestOf({{0, 0, "___pthread_mutex_lock", STB_LOCAL},
                    {0, 0, "__pthread_mutex_lock", STB_GLOBAL},
                    {0, 0, "pthread_mutex_lock", STB_GLOBAL}}),
            "pthread_mutex_lock");
  EXPECT_EQ(BestOf({{0, 0, "local", STB_LOCAL}, {0, 0, "global_name", STB_GLOBAL}}), "global_name");
  EXPECT_EQ(BestOf({{0, 0, "longer", STB_GLOBAL}, {0, 0, "short", STB_GLOBAL}}), "short");
  EXPECT_EQ(BestOf({{0, 0, "b", STB_GLOBAL}, {0, 0, "a", STB_GLOBAL}}), "a");
  // The underscore of a mangled name is not one of a reserved name.
  EXPECT_EQ(BestOf({{0, 0, "_Z3foov", STB_GLOBAL}, {0, 0, "_foo", STB_GLOBAL}}), "_Z3foov");
}

class SymbolsOfVictim : public testing::Test {
 protected:
  void SetUp() override {
    auto source = FileSource::Open(UniqueFd(open(CT_VICTIM, O_RDONLY | O_CLOEXEC)));
    ASSERT_TRUE(source);
    const auto file = ElfFile::Read(*source);
    ASSERT_TRUE(file);
    table_.Add(*source, *file, ".symtab");
    table_.Finish();
  }
  const Symbol& Named(std::string_view demangled) {
    const auto& all = table_.functions();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Symbol& symbol) {
      return Demangle(symbol.name) == demangled;
    });
    EXPECT_NE(found, all.end()) << demangled;
    return *found;
  }
  SymbolTable table_;
};

TEST_F(SymbolsOfVictim, AreFoundFromTheFirstToTheLastByte) {
  const Symbol& function = Named("victim::Withdraw");
  ASSERT_GT(function.size, 1u);
  EXPECT_EQ(table_.Function(function.address), &function);
  EXPECT_EQ(table_.Function(function.address + function.size - 1), &function);
  EXPECT_NE(table_.Function(function.address + function.size), &function);
  EXPECT_EQ(table_.Function(0), nullptr);
  EXPECT_EQ(table_.Function(~0ULL), nullptr);
}

TEST_F(SymbolsOfVictim, KeepDataApart) {
  const Symbol& function = Named("VictimEntry");
  EXPECT_EQ(table_.Object(function.address), nullptr);
}

}  // namespace
}  // namespace ct
