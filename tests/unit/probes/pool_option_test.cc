// --pool, as people write C++ names.
#include <gtest/gtest.h>

#include "probes/catalog.h"

namespace ct {
namespace {

using Names = std::vector<std::string>;

CatalogFamily Pool(std::string_view text) {
  const auto parsed = ParsePool(text);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed.value_or(CatalogFamily{});
}

Names NamesOf(std::string_view text) {
  Names names;
  for (const CatalogFunction& function : Pool(text).functions) names.push_back(function.name);
  return names;
}

std::string Wrong(std::string_view text) {
  const auto parsed = ParsePool(text);
  EXPECT_FALSE(parsed) << text;
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, ErrorCode::kUsage);
  const std::string prefix = "--pool '" + std::string(text) + "': ";
  EXPECT_EQ(parsed.error().message.substr(0, prefix.size()), prefix);
  return parsed.error().message.substr(prefix.size());
}

TEST(PoolOption, IsAFamily) {
  const CatalogFamily pool = Pool("app:ConnectionPool::acquire,ConnectionPool::release");
  EXPECT_EQ(pool.name, "pool ConnectionPool::acquire");
  EXPECT_EQ(pool.files, (Names{"app"}));
  EXPECT_EQ(pool.kind, ResourceKind::kPool);
  EXPECT_EQ(pool.type, "ConnectionPool");
  EXPECT_TRUE(pool.has_units);
  EXPECT_EQ(pool.capacity, 0U);
  EXPECT_EQ(pool.source, "--pool");
  CatalogFunction acquire;
  acquire.name = "ConnectionPool::acquire";
  acquire.success = SuccessRule::kReturnValue;
  CatalogFunction release;
  release.name = "ConnectionPool::release";
  release.role = HoldRole::kRelease;
  EXPECT_EQ(pool.functions, (std::vector<CatalogFunction>{acquire, release}));
}

TEST(PoolOption, Options) {
  const CatalogFamily pool = Pool(
      "libx.so*:get,try_get,put;capacity=12;key=1; unit = 2 ;"
      "succeeds=nonzero");
  EXPECT_EQ(pool.files, (Names{"libx.so*"}));
  EXPECT_EQ(pool.capacity, 12U);
  EXPECT_EQ(pool.type, "");
  ASSERT_EQ(pool.functions.size(), 3U);
  for (const CatalogFunction& function : pool.functions) EXPECT_EQ(function.key_argument, 1U);
  EXPECT_EQ(pool.functions[1].role, HoldRole::kAcquire);
  EXPECT_EQ(pool.functions[1].succeeds, ReturnValue::kNonZero);
  EXPECT_EQ(pool.functions[2].unit_argument, 2U);
  EXPECT_EQ(pool.functions[2].succeeds, ReturnValue::kAny);
  EXPECT_FALSE(Pool("x:get,put;unit=none").has_units);
  EXPECT_EQ(Pool("x:get,put;succeeds=true").functions[0].succeeds, ReturnValue::kTrue);
}

TEST(PoolOption, CommasWithinANameDoNotSplitIt) {
  EXPECT_EQ(NamesOf("app:a::Pool<int, char>::get(int, a::B<c, d>),a::Pool<int, char>::put(int)"),
            (Names{"a::Pool<int, char>::get(int, a::B<c, d>)", "a::Pool<int, char>::put(int)"}));
  EXPECT_EQ(NamesOf("app: P::operator()(int, int) , P::operator,(int),P::operator[](x)"),
            (Names{"P::operator()(int, int)", "P::operator,(int)", "P::operator[](x)"}));
  EXPECT_EQ(
      NamesOf("app:P::operator<(P, P),P::operator->(),P::operator<=>(P),P::operator>>(P)"),
      (Names{"P::operator<(P, P)", "P::operator->()", "P::operator<=>(P)", "P::operator>>(P)"}));
  EXPECT_EQ(NamesOf("app:P::operator bool,P::my_operator<a, b>"),
            (Names{"P::operator bool", "P::my_operator<a, b>"}));
  EXPECT_EQ(NamesOf("app:(anonymous namespace)::get(int, int),a::{lambda(int, int)#1}::operator()"),
            (Names{"(anonymous namespace)::get(int, int)", "a::{lambda(int, int)#1}::operator()"}));
}

TEST(PoolOption, TheTypeIsTheReleasesClass) {
  EXPECT_EQ(Pool("x:get,a::b::Pool<c::D, 3>::put(c::D*)").type, "Pool<c::D, 3>");
  EXPECT_EQ(Pool("x:get,Pool::operator()(a::B)").type, "Pool");
  EXPECT_EQ(Pool("x:get,put(a::B)").type, "");
}

TEST(PoolOption, WhatIsWrong) {
  const std::string form = "FILE:ACQUIRE[,ACQUIRE...],RELEASE[;OPTION...]";
  EXPECT_EQ(Wrong(""), "does not begin with a file and a colon: " + form);
  EXPECT_EQ(Wrong("app"), "does not begin with a file and a colon: " + form);
  EXPECT_EQ(Wrong("Pool::get,Pool::put"), "does not begin with a file and a colon: " + form);
  EXPECT_EQ(Wrong(" :get,put"), "does not begin with a file and a colon: " + form);
  EXPECT_EQ(Wrong("/usr/bin/app:get,put"), "its file is a path: the name alone, wherever it lies");
  EXPECT_EQ(Wrong("app:"), "needs an acquire and a release: " + form);
  EXPECT_EQ(Wrong("app:get"), "needs an acquire and a release: " + form);
  EXPECT_EQ(Wrong("app:get,"), "needs an acquire and a release: " + form);
  EXPECT_EQ(Wrong("app:get,,put"), "needs an acquire and a release: " + form);
  EXPECT_EQ(Wrong("app:get,put,get"), "names get twice");
  EXPECT_EQ(Wrong("app:get(int,put"), "its brackets do not match");
  EXPECT_EQ(Wrong("app:get)(,put"), "its brackets do not match");
  EXPECT_EQ(Wrong("app:a<(>),put"), "its brackets do not match");
  EXPECT_EQ(Wrong("app:get,put;size=3"),
            "no option \"size\" (known: capacity, key, unit, succeeds)");
  EXPECT_EQ(Wrong("app:get,put;"), "no option \"\" (known: capacity, key, unit, succeeds)");
  EXPECT_EQ(Wrong("app:get,put;capacity"), "capacity is \"\", not 1 to 4294967295");
  EXPECT_EQ(Wrong("app:get,put;capacity=0"), "capacity is \"0\", not 1 to 4294967295");
  EXPECT_EQ(Wrong("app:get,put;capacity=4294967296"),
            "capacity is \"4294967296\", not 1 to 4294967295");
  EXPECT_EQ(Wrong("app:get,put;capacity=3x"), "capacity is \"3x\", not 1 to 4294967295");
  EXPECT_EQ(Wrong("app:get,put;key=6"), "key is \"6\", not 0 to 5");
  EXPECT_EQ(Wrong("app:get,put;key=-1"), "key is \"-1\", not 0 to 5");
  EXPECT_EQ(Wrong("app:get,put;unit=6"), "unit is \"6\", not 0 to 5");
  EXPECT_EQ(Wrong("app:get,put;key=1;key=1"), "key is said twice");
  EXPECT_EQ(Wrong("app:get,put;unit=1;unit=none"), "unit is said twice");
  EXPECT_EQ(Wrong("app:get,put;unit=none;unit=1"), "unit is said twice");
  EXPECT_EQ(Wrong("app:get,put;succeeds=owner"),
            "succeeds is \"owner\" (known: returns, zero, nonzero, one, true)");
  EXPECT_EQ(Wrong("app:get,put;succeeds=one;succeeds=one"), "succeeds is said twice");
}

TEST(PoolOption, TextThatIsNone) {
  EXPECT_EQ(ParsePool("app:get,put\x1b[2J").error().message,
            "--pool 'app:get,put?[2J': has control characters");
  const auto longer = ParsePool("app:" + std::string(9000, 'a') + ",put");
  ASSERT_FALSE(longer);
  EXPECT_EQ(longer.error().code, ErrorCode::kUsage);
  EXPECT_LT(longer.error().message.size(), 300U);
}

}  // namespace
}  // namespace ct
