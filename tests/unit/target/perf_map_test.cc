#include "target/perf_map.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

std::vector<std::string> Names(std::string_view text) {
  std::vector<std::string> names;
  for (const JitSymbol& symbol : ParsePerfMap(text, 100)) names.push_back(symbol.name);
  return names;
}

TEST(ParsePerfMap, SortsAndKeepsNamesWithSpaces) {
  const auto symbols =
      ParsePerfMap("2000 10 int Foo.bar(java.lang.Object, int)\n1000 a0 stub\n", 100);
  ASSERT_EQ(symbols.size(), 2u);
  EXPECT_EQ(symbols[0].begin, 0x1000u);
  EXPECT_EQ(symbols[0].size, 0xa0u);
  EXPECT_EQ(symbols[0].name, "stub");
  EXPECT_EQ(symbols[1].name, "int Foo.bar(java.lang.Object, int)");
}

TEST(ParsePerfMap, ReadsThePrefixOfOpenJdk) {
  EXPECT_EQ(Names("0x00007f96f0940b80 0x0000000000017de0 Interpreter\n"),
            std::vector<std::string>{"Interpreter"});
}

TEST(ParsePerfMap, LeavesOutWhatMakesNoSense) {
  EXPECT_EQ(Names("\n\nxyz 10 a\n1000\n1000 \n1000 10\n1000 10 \n-5 10 b\n1000 10 good"),
            std::vector<std::string>{"good"});
}

TEST(ParsePerfMap, BoundsNamesAndCount) {
  const auto symbols = ParsePerfMap("1 1 " + std::string(100'000, 'x') + "\n2 1 b\n3 1 c\n", 2);
  ASSERT_EQ(symbols.size(), 2u);
  EXPECT_EQ(symbols[0].name.size(), 1024u);
}

}  // namespace
}  // namespace ct
