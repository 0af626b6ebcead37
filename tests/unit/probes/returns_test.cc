// By which instructions a function comes back, and when that cannot be said.
#include <gtest/gtest.h>

#include "probes/placement.h"
#include "tests/unit/probes/glibc_code.h"
#include "tests/unit/probes/machine_code.h"

namespace ct {
namespace {

using Addresses = std::vector<std::uint64_t>;
constexpr std::uint64_t kAddress = 0x401000;

Addresses Returns(std::string_view hex) {
  const auto found = FindReturns(Code(hex), kAddress);
  EXPECT_TRUE(found) << found.error().message;
  return found.value_or(Addresses{});
}

std::string WhyNot(std::string_view hex) {
  const auto found = FindReturns(Code(hex), kAddress);
  EXPECT_FALSE(found) << hex;
  if (found) return "";
  EXPECT_EQ(found.error().code, ErrorCode::kUnsupported);
  return found.error().message;
}

TEST(FindReturns, OfGlibc) {
  const auto at = [](const GlibcFunction& function, std::vector<std::uint64_t> offsets) {
    for (auto& offset : offsets) offset += function.address;
    return offsets;
  };
  const auto of = [](const GlibcFunction& function) {
    return FindReturns(Code(function.hex), function.address).value_or(Addresses{});
  };
  EXPECT_EQ(of(kSemTrywait), at(kSemTrywait, {20, 43}));
  EXPECT_EQ(of(kPthreadSpinLock), at(kPthreadSpinLock, {7}));
  EXPECT_EQ(of(kPthreadRwlockTrywrlock), at(kPthreadRwlockTrywrlock, {51, 69}));
  EXPECT_EQ(of(kPthreadCondWait), at(kPthreadCondWait, {267}));
  // With a jump table.
  EXPECT_EQ(of(kPthreadMutexTrylock), at(kPthreadMutexTrylock, {81, 126, 176}));
}

TEST(FindReturns, ATailCallIsFollowedIntoWhatItIsGiven) {
  const auto code = Code(kSemTimedwait.hex);
  const auto alone = FindReturns(code, kSemTimedwait.address);
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().message, "leaves by a jump at +0x4c to -0xe0");
  EXPECT_EQ(JumpsOut(code, kSemTimedwait.address), (Addresses{kSemTimedwaitSlow.address}));
  const auto slow = Code(kSemTimedwaitSlow.hex);
  const std::vector<CodeRange> others = {{kSemTimedwaitSlow.address, slow}};
  const auto both = FindReturns(code, kSemTimedwait.address, others);
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_EQ(*both, (Addresses{kSemTimedwaitSlow.address + 0x8a, kSemTimedwait.address + 53,
                              kSemTimedwait.address + 107}));
}

TEST(FindReturns, EveryForm) {
  EXPECT_EQ(Returns("c3"), (Addresses{kAddress}));
  EXPECT_EQ(Returns("c21000"), (Addresses{kAddress}));
  EXPECT_EQ(Returns("f3c3"), (Addresses{kAddress}));
  EXPECT_EQ(Returns("f2c3"), (Addresses{kAddress})) << "bnd ret";
  // je +1; ret; nop; ret; padding
  EXPECT_EQ(Returns("7401 c3 c3 0f1f4000 6690"), (Addresses{kAddress + 2, kAddress + 3}));
  // Behind a call that does not come back there may be a landing pad: it is looked at, too.
  // ret; call; pop %rbx; ret; call
  EXPECT_EQ(Returns("c3 e800000000 5b c3 e800000000"), (Addresses{kAddress, kAddress + 7}));
}

TEST(FindReturns, ASplitOffPartBelongsToIt) {
  // test %rdi,%rdi; je 0x402000; ret
  const auto function = Code("4885ff 0f84f70f0000 c3");
  EXPECT_EQ(FindReturns(function, kAddress).error().message, "leaves by a jump at +0x3 to +0x1000");
  // It throws: call; then a landing pad that comes back: jmp 0x401009
  const auto throws = Code("e800000000 e9ffefffff");
  const std::vector<CodeRange> cold = {{0x402000, throws}};
  EXPECT_EQ(FindReturns(function, kAddress, cold).value_or(Addresses{}), (Addresses{kAddress + 9}));
  // It returns by itself, and lies before the function.
  const auto before = Code("4885ff 0f84f7efffff c3");
  const auto returns = Code("31c0 c3");
  const std::vector<CodeRange> cold_before = {{0x400000, returns}};
  EXPECT_EQ(FindReturns(before, kAddress, cold_before).value_or(Addresses{}),
            (Addresses{0x400002, kAddress + 9}));
  // It goes on elsewhere itself.
  const auto leaves = Code("e9fb0f0000");
  const std::vector<CodeRange> on = {{0x402000, leaves}};
  EXPECT_EQ(FindReturns(function, kAddress, on).error().message,
            "leaves by a jump at +0x1000 to +0x2000");
  EXPECT_EQ(JumpsOut(function, kAddress, on), (Addresses{0x403000}));
  // The same part twice, and one that overlaps the function: neither counts twice.
  const std::vector<CodeRange> twice = {{0x402000, throws}, {0x402000, throws}, {kAddress, throws}};
  EXPECT_EQ(FindReturns(function, kAddress, twice).value_or(Addresses{}),
            (Addresses{kAddress + 9}));
}

TEST(FindReturns, NotMorePartsThanTheLimit) {
  const auto function = Code("c3");
  std::vector<CodeRange> others;
  for (std::uint64_t i = 1; i <= kMaxOtherParts; ++i) {
    others.push_back({kAddress + i * 16, function});
  }
  EXPECT_EQ(FindReturns(function, kAddress, others).value_or(Addresses{}).size(), 9U);
  others.push_back({kAddress - 16, function});
  const auto found = FindReturns(function, kAddress, others);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "it goes on in more than 8 other places");
}

TEST(FindReturns, OtherWaysOut) {
  EXPECT_EQ(WhyNot("e9fb0f0000"), "leaves by a jump at +0x0 to +0x1000");
  EXPECT_EQ(WhyNot("c3 e9fa6fffff"), "leaves by a jump at +0x1 to -0x9000");
  EXPECT_EQ(WhyNot("ff2500000000"), "leaves by an indirect jump at +0x0") << "an import";
  EXPECT_EQ(WhyNot("ffe0 c3"), "leaves by an indirect jump at +0x0") << "jmp *%rax";
  EXPECT_EQ(WhyNot("ff6010 c3"), "leaves by an indirect jump at +0x0") << "a virtual function";
  EXPECT_EQ(WhyNot("ff24f510000000 c3"), "leaves by an indirect jump at +0x0")
      << "a table of functions, or of labels: nobody can say";
  EXPECT_EQ(WhyNot("55 5d ffe0 c3"), "leaves by an indirect jump at +0x2");
}

TEST(FindReturns, AJumpTableIsNoWayOut) {
  // lea table(%rip),%rdx; movslq (%rdx,%rsi,4),%rax; add %rdx,%rax; jmp *%rax; ret
  EXPECT_EQ(Returns("488d1500100000 486304b2 4801d0 ffe0 c3"), (Addresses{kAddress + 16}));
  // notrack jmp *%rax
  EXPECT_EQ(Returns("3effe0 c3"), (Addresses{kAddress + 3}));
  // push %rbp; jmp *%rax; pop %rbp; ret: a tail call would not leave the push on the stack
  EXPECT_EQ(Returns("55 ffe0 5d c3"), (Addresses{kAddress + 4}));
  // The add without the load, and the load before a call, are not how it is done.
  EXPECT_EQ(WhyNot("4801d0 ffe0 c3"), "leaves by an indirect jump at +0x3");
  EXPECT_EQ(WhyNot("486304b2 e800000000 4801d0 ffe0 c3"), "leaves by an indirect jump at +0xc");
}

TEST(FindReturns, CodeThatCannotBeFollowed) {
  EXPECT_EQ(WhyNot(""), "the code at +0x0 goes on past its end");
  EXPECT_EQ(WhyNot("55"), "the code at +0x0 goes on past its end");
  EXPECT_EQ(WhyNot("90 90"), "the code at +0x0 goes on past its end");
  EXPECT_EQ(WhyNot("c3 7400"), "the code at +0x0 goes on past its end");
  EXPECT_EQ(WhyNot("c3 06 c3"), "no instruction at +0x1");
  EXPECT_EQ(WhyNot("c3 e90000"), "no instruction at +0x1");
  EXPECT_EQ(WhyNot("0f0b"), "it has no return instruction");
  EXPECT_EQ(WhyNot("ebfe"), "it has no return instruction");
  auto large = Code("c3");
  large.resize(kMaxFunctionCode, std::byte{0xcc});
  EXPECT_EQ(FindReturns(large, kAddress).error().message,
            "the code at +0x0 is longer than the 64 KiB that are looked at");
}

}  // namespace
}  // namespace ct
