#include "model/function_name.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

TEST(ShortFunction, KeepsTheNameAlone) {
  EXPECT_EQ(ShortFunction("main"), "main");
  EXPECT_EQ(ShortFunction("AccountStore::debit(long, long)"), "AccountStore::debit");
  EXPECT_EQ(ShortFunction("Store::get(std::map<int, Foo<int> > const&) const"), "Store::get");
  EXPECT_EQ(ShortFunction("void Stats::add<long>(char const*, long)"), "Stats::add");
  EXPECT_EQ(ShortFunction("std::vector<int, std::allocator<int> > f<int>(int)"), "f");
  EXPECT_EQ(ShortFunction("(anonymous namespace)::dump()"), "dump");
  EXPECT_EQ(ShortFunction("shop::(anonymous namespace)::dump()"), "shop::dump");
  EXPECT_EQ(ShortFunction("Pool<int>::take(unsigned long) &&"), "Pool::take");
  EXPECT_EQ(ShortFunction("decltype(auto) apply<int>(int)"), "apply");
}

TEST(ShortFunction, KeepsOperators) {
  EXPECT_EQ(ShortFunction("Money::operator<(Money const&) const"), "Money::operator<");
  EXPECT_EQ(ShortFunction("operator<<(std::ostream&, Money const&)"), "operator<<");
  EXPECT_EQ(ShortFunction("Handle<Db>::operator->() const"), "Handle::operator->");
  EXPECT_EQ(ShortFunction("Task::operator()(int)"), "Task::operator()");
  EXPECT_EQ(ShortFunction("operator new(unsigned long)"), "operator new");
  EXPECT_EQ(ShortFunction("Flag::operator bool() const"), "Flag::operator bool");
  EXPECT_EQ(ShortFunction("operators::run(int)"), "operators::run");
}

TEST(ShortFunction, KeepsLambdasAndLocalNames) {
  EXPECT_EQ(ShortFunction("main::{lambda()#1}::operator()() const"),
            "main::{lambda()#1}::operator()");
  EXPECT_EQ(ShortFunction("Server::start(int)::{lambda(int)#2}::operator()(int) const"),
            "Server::start::{lambda(int)#2}::operator()");
  EXPECT_EQ(ShortFunction("f(int) const::Local::run()"), "f::Local::run");
}

TEST(ShortFunction, LeavesOtherLanguagesAlone) {
  EXPECT_EQ(ShortFunction("shop::store::Store::get"), "shop::store::Store::get");
  EXPECT_EQ(ShortFunction("shop::main::{{closure}}"), "shop::main::{{closure}}");
  EXPECT_EQ(ShortFunction("<shop::Store as shop::Get>::get"), "<shop::Store as shop::Get>::get");
  EXPECT_EQ(ShortFunction("main.(*Store).Get"), "main.(*Store).Get");
  EXPECT_EQ(ShortFunction("refresh_prices"), "refresh_prices");
}

TEST(ShortFunction, LeavesWhatItDoesNotUnderstand) {
  for (const char* name : {"", "f>", "g<int", "{", "}x", " ", "(", "a<b>>"}) {
    EXPECT_EQ(ShortFunction(name), name);
  }
}

}  // namespace
}  // namespace ct
