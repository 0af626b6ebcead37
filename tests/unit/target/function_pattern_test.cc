#include "target/function_pattern.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

bool Matches(std::string_view pattern, std::string_view path) {
  return FunctionPattern(pattern).MatchesPath(path);
}

// `full` begins with `path`.
bool MatchesCall(std::string_view pattern, std::string_view path, std::string_view full) {
  const FunctionPattern parsed(pattern);
  return parsed.MatchesPath(path) && parsed.MatchesParameters(path, full);
}

TEST(FunctionPattern, LeavesOutOuterScopes) {
  EXPECT_TRUE(Matches("app::Pool::acquire", "app::Pool::acquire"));
  EXPECT_TRUE(Matches("Pool::acquire", "app::Pool::acquire"));
  EXPECT_TRUE(Matches("Pool::acquire", "app::(anonymous namespace)::Pool::acquire"));
  EXPECT_FALSE(Matches("Pool::acquire", "app::CarPool::acquire"));
  EXPECT_FALSE(Matches("Pool::acquire", "Pool::acquire::operator()"));
  EXPECT_FALSE(Matches("app::Pool::acquire", "Pool::acquire"));
}

TEST(FunctionPattern, TakesABareNameForTheWholeName) {
  EXPECT_TRUE(Matches("acquire", "acquire"));
  EXPECT_FALSE(Matches("acquire", "app::acquire"));
  EXPECT_FALSE(Matches("", "app::acquire"));
}

TEST(FunctionPattern, DoesNotMindSpellings) {
  EXPECT_TRUE(Matches("Pool< int >::acquire", "app::Pool<int>::acquire"));
  EXPECT_TRUE(Matches("Pool::acquire", "app::Pool::acquire[abi:cxx11]"));
  EXPECT_TRUE(
      Matches("(anonymous namespace)::Pool::acquire", "app::(anonymous namespace)::Pool::acquire"));
  EXPECT_FALSE(Matches("(anonymous namespace)::Pool::acquire", "app::Pool::acquire"));
  EXPECT_TRUE(Matches("Shelf<std::string>::take",
                      "Shelf<std::__cxx11::basic_string<char, std::char_traits<char>, "
                      "std::allocator<char> > >::take"));
}

TEST(FunctionPattern, MeansEveryInstantiationUnlessOneIsGiven) {
  EXPECT_TRUE(Matches("Shelf::take", "app::Shelf<std::pair<int, char> >::take"));
  EXPECT_TRUE(Matches("Shelf::take", "app::Shelf<int>::take<3>"));
  EXPECT_TRUE(Matches("Shelf<int>::take", "app::Shelf<int>::take"));
  EXPECT_FALSE(Matches("Shelf<int>::take", "app::Shelf<long>::take"));
}

TEST(FunctionPattern, KnowsOperators) {
  EXPECT_TRUE(Matches("Pool::operator()", "app::Pool::operator()"));
  EXPECT_TRUE(Matches("Pool::operator<", "app::Pool<int>::operator<"));
  EXPECT_FALSE(Matches("Pool::operator<", "app::Pool::operator<<"));
  EXPECT_TRUE(
      MatchesCall("Pool::operator()(int)", "app::Pool::operator()", "app::Pool::operator()(int)"));
  EXPECT_TRUE(Matches("Pool::operators", "app::Pool::operators"));
}

TEST(FunctionPattern, ChoosesAnOverload) {
  EXPECT_TRUE(MatchesCall("Pool::acquire(int)", "app::Pool::acquire", "app::Pool::acquire(int)"));
  EXPECT_FALSE(MatchesCall("Pool::acquire(int)", "app::Pool::acquire", "app::Pool::acquire()"));
  EXPECT_TRUE(MatchesCall("Pool::acquire()", "app::Pool::acquire", "app::Pool::acquire()"));
  EXPECT_TRUE(MatchesCall("Pool::acquire(void)", "app::Pool::acquire", "app::Pool::acquire()"));
  EXPECT_FALSE(MatchesCall("Pool::acquire()", "app::Pool::acquire", "app::Pool::acquire(int)"));
  EXPECT_TRUE(MatchesCall("Pool::acquire(unsigned int, const char*)", "Pool::acquire",
                          "Pool::acquire(unsigned int, char const*)"));
  EXPECT_TRUE(MatchesCall("Pool::acquire(const std::string &,std::map<int,char>)", "Pool::acquire",
                          "Pool::acquire(std::__cxx11::basic_string<char, std::char_traits<char>, "
                          "std::allocator<char> > const&, std::map<int, char>)"));
  EXPECT_TRUE(MatchesCall(
      "Pool::acquire(std::map<int, std::vector<char>>&)", "Pool::acquire",
      "Pool::acquire(std::map<int, std::vector<char, std::allocator<char> >, std::less<int>, "
      "std::allocator<std::pair<int const, std::vector<char, std::allocator<char> > > > >&)"));
  EXPECT_TRUE(MatchesCall("Pool::acquire(void (*)(int, char))", "Pool::acquire",
                          "Pool::acquire(void (*)(int, char))"));
}

TEST(FunctionPattern, MindsQualifiersOnlyIfTheyAreWritten) {
  EXPECT_TRUE(MatchesCall("Pool::size()", "Pool::size", "Pool::size() const"));
  EXPECT_TRUE(MatchesCall("Pool::size() const", "Pool::size", "Pool::size() const"));
  EXPECT_FALSE(MatchesCall("Pool::size() const", "Pool::size", "Pool::size()"));
}

TEST(FunctionPattern, HasAWordOfTheMangledName) {
  EXPECT_EQ(FunctionPattern("app::Pool::acquire(int)").word(), "acquire");
  EXPECT_EQ(FunctionPattern("app::Pool::~Pool").word(), "Pool");
  EXPECT_EQ(FunctionPattern("Shelf<int>::take<long>").word(), "take");
  EXPECT_EQ(FunctionPattern("Pool::operator()").word(), "Pool");
  EXPECT_EQ(FunctionPattern("std::string::operator=").word(), "");
  EXPECT_EQ(FunctionPattern("operator new(unsigned long)").word(), "");
}

TEST(FunctionPattern, SurvivesNonsense) {
  int matches = 0;
  for (const char* text : {"", "(", ")", "<<<", "::", "a::(", "operator", "a<b(c>d", "f(,,)",
                           "[abi:", "(anonymous namespace)::", ")))(((", "const ", "f(const )"}) {
    const FunctionPattern pattern(text);
    for (const char* other : {"", "f", ">>>", "a::b(", "[abi:x", "operator<", "f)(", "a::b<"}) {
      matches += pattern.MatchesPath(other) ? 1 : 0;
      matches += pattern.MatchesParameters("", other) ? 1 : 0;
    }
  }
  EXPECT_GT(matches, 0);
}

}  // namespace
}  // namespace ct
