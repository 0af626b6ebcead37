#include "target/call_site.h"

#include <array>

#include <gtest/gtest.h>

namespace ct {
namespace {

constexpr std::uint64_t kReturn = 0x401000;

// The call's bytes stand at the end; what is before them is a nop.
std::optional<CallSite> Decode(std::initializer_list<unsigned> call) {
  std::array<std::byte, kMaxCallLength> text;
  text.fill(std::byte{0x90});
  std::size_t at = kMaxCallLength - call.size();
  for (const unsigned value : call) text[at++] = static_cast<std::byte>(value);
  return DecodeCallBefore(text, kReturn);
}

bool IsIndirect(std::initializer_list<unsigned> call) {
  const auto site = Decode(call);
  return site && site->direct_target == 0;
}

TEST(DecodeCallBefore, ComputesTheTargetOfADirectCall) {
  const auto site = Decode({0xe8, 0xf0, 0xff, 0xff, 0xff});  // call -16
  ASSERT_TRUE(site);
  EXPECT_EQ(site->direct_target, kReturn - 16);
}

TEST(DecodeCallBefore, KnowsTheFormsOfIndirectCalls) {
  EXPECT_TRUE(IsIndirect({0xff, 0xd0}));                                // call *%rax
  EXPECT_TRUE(IsIndirect({0x41, 0xff, 0xd1}));                          // call *%r9
  EXPECT_TRUE(IsIndirect({0xff, 0x10}));                                // call *(%rax)
  EXPECT_TRUE(IsIndirect({0xff, 0x50, 0x18}));                          // call *0x18(%rax)
  EXPECT_TRUE(IsIndirect({0xff, 0x14, 0xc8}));                          // call *(%rax,%rcx,8)
  EXPECT_TRUE(IsIndirect({0xff, 0x54, 0x24, 0x08}));                    // call *8(%rsp)
  EXPECT_TRUE(IsIndirect({0xff, 0x90, 0x00, 0x01, 0x00, 0x00}));        // call *0x100(%rax)
  EXPECT_TRUE(IsIndirect({0xff, 0x15, 0x00, 0x01, 0x00, 0x00}));        // call *0x100(%rip)
  EXPECT_TRUE(IsIndirect({0xff, 0x94, 0x24, 0x00, 0x01, 0x00, 0x00}));  // call *0x100(%rsp)
}

TEST(DecodeCallBefore, RefusesWhatIsNoCall) {
  EXPECT_FALSE(Decode({}));
  EXPECT_FALSE(Decode({0xe9, 0x00, 0x00, 0x00, 0x00}));  // jmp
  EXPECT_FALSE(Decode({0xff, 0xe0}));                    // jmp *%rax
  EXPECT_FALSE(Decode({0xff, 0x30}));                    // push (%rax)
}

}  // namespace
}  // namespace ct
