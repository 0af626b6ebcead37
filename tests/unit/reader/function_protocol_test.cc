// Functions that are to be probed, and bytes of memory: what is asked and what is believed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "reader/protocol.h"

namespace ct {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

FunctionFound EveryFieldSet() {
  FunctionFound found;
  found.query = 3;
  ProbeSite& site = found.site;
  site.function = "app::ConnectionPool::acquire(int)";
  site.module = "/srv/app";
  site.map_begin = 0x401000;
  site.map_end = 0x480000;
  site.inode = 4711;
  site.function_offset = 0x1200;
  site.entry_offset = 0x120e;
  site.entry_address = 0x40120e;
  site.emulated = true;
  site.pushed = 24;
  site.why = "+14 jne";
  site.returns = {0x1230, 0x1288};
  found.why_not = "it ends in another function";
  return found;
}

void ExpectSame(const FunctionFound& left, const FunctionFound& right) {
  EXPECT_EQ(left.query, right.query);
  EXPECT_EQ(left.site, right.site);
  EXPECT_EQ(left.why_not, right.why_not);
}

TEST(FunctionProtocol, CarriesEveryFieldOfAFunction) {
  wire::FunctionFound message;
  ToWire(EveryFieldSet(), message);
  ExpectSame(FromWire(message), EveryFieldSet());
}

TEST(FunctionProtocol, CarriesWhatIsAskedFor) {
  ProcessToRead request;
  request.functions.push_back({"pthread_mutex_lock", {"libc.so.6", "libpthread*.so*"}, {0}, false});
  request.functions.push_back({"Pool::release", {"exe"}, {0, 1}, true});
  request.memory.push_back({0x1000, 4});
  request.memory.push_back({0x7fff00001000, 64});
  wire::ReadRequest message;
  ToWire(request, message);
  const ProcessToRead back = FromWire(message);
  ASSERT_THAT(back.functions, SizeIs(2));
  EXPECT_EQ(back.functions[0].name, "pthread_mutex_lock");
  EXPECT_THAT(back.functions[0].files, ElementsAre("libc.so.6", "libpthread*.so*"));
  EXPECT_THAT(back.functions[0].arguments, ElementsAre(0));
  EXPECT_FALSE(back.functions[0].want_returns);
  EXPECT_THAT(back.functions[1].arguments, ElementsAre(0, 1));
  EXPECT_TRUE(back.functions[1].want_returns);
  ASSERT_THAT(back.memory, SizeIs(2));
  EXPECT_EQ(back.memory[1].address, 0x7fff00001000U);
  EXPECT_EQ(back.memory[1].bytes, 64U);
}

TEST(FunctionProtocol, TakesNoFunctionThatNobodyAskedFor) {
  wire::ReadResponse part;
  ToWire(EveryFieldSet(), *part.add_functions());
  std::vector<FunctionFound> functions;
  TakeFunctions(part, 3, functions);
  EXPECT_THAT(functions, IsEmpty());
  TakeFunctions(part, 4, functions);
  ASSERT_THAT(functions, SizeIs(1));
  ExpectSame(functions[0], EveryFieldSet());
}

TEST(FunctionProtocol, TakesNoMoreThanItsLimits) {
  wire::ReadResponse part;
  FunctionFound hostile = EveryFieldSet();
  hostile.query = 0;
  hostile.site.function = std::string(100'000, 'a') + "\x1b[2J";
  hostile.site.module = "/tmp/\x1b[31m\xff";
  hostile.site.returns.assign(10'000, 1);
  ToWire(hostile, *part.add_functions());
  for (std::size_t i = 0; i < 2 * kMaxFunctions; ++i) part.add_functions();
  std::vector<FunctionFound> functions;
  for (int i = 0; i < 3; ++i) TakeFunctions(part, 1, functions);
  ASSERT_THAT(functions, SizeIs(kMaxFunctions));
  EXPECT_LT(functions[0].site.function.size(), 5000U);
  EXPECT_EQ(functions[0].site.module, "/tmp/?[31m?");
  EXPECT_THAT(functions[0].site.returns, SizeIs(kMaxReturns));
}

TEST(FunctionProtocol, TakesOnlyMemoryThatWasAskedFor) {
  const std::vector<MemoryToRead> asked = {{0x1000, 4}, {0x2000, 2}, {0x3000, 8}};
  wire::ReadResponse part;
  const auto add = [&](std::uint64_t address, const std::string& content) {
    wire::MemoryCopy& copy = *part.add_memory();
    copy.set_address(address);
    copy.set_content(content);
  };
  add(0x1000, "abcd");
  add(0x3000, "12345678");
  std::vector<MemoryCopy> memory;
  TakeMemory(part, asked, memory);
  EXPECT_THAT(memory, ElementsAre(Field(&MemoryCopy::address, 0x1000U),
                                  Field(&MemoryCopy::bytes, "12345678")));
  part.Clear();
  memory.clear();
  add(0x1000, "more than four");
  add(0x9000, "abcd");
  add(0x2000, "xy");
  add(0x2000, "xy");
  TakeMemory(part, asked, memory);
  EXPECT_THAT(memory, IsEmpty());
}

}  // namespace
}  // namespace ct
