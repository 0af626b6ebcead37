// Guessing, on stacks and code made by hand; unwinding by call frame information is tested on real
// programs in live_target_test.cc.
#include "target/unwinder.h"

#include <map>

#include <gtest/gtest.h>

namespace ct {
namespace {

constexpr std::uint64_t kStack = 0x7ffe00000000;
constexpr std::uint64_t kText = 0x400000;
constexpr std::uint64_t kLeaf = kText + 0x100;
constexpr std::uint64_t kMiddle = kText + 0x200;
constexpr std::uint64_t kStart = kText + 0x300;
constexpr std::uint64_t kTextSize = 0x1000;
constexpr std::uint64_t kStackSize = 0x8000;

// A process whose code has no call frame information at all.
class Process final : public Memory, public CodeMap {
 public:
  CodeKind kind = CodeKind::kFile;
  std::uint64_t reads = 0;

  Process() : text_(kTextSize, std::byte{0x90}), stack_(kStackSize) {}

  void PutWord(std::uint64_t address, std::uint64_t value) {
    std::memcpy(&stack_[address - kStack], &value, sizeof(value));
  }
  // A direct call to `callee` that ends at the returned address.
  std::uint64_t PutCall(std::uint64_t at, std::uint64_t callee) {
    const auto relative = static_cast<std::int32_t>(callee - (at + 5));
    text_[at - kText] = std::byte{0xe8};
    std::memcpy(&text_[at - kText + 1], &relative, sizeof(relative));
    return at + 5;
  }
  std::uint64_t PutIndirectCall(std::uint64_t at) {
    text_[at - kText] = std::byte{0xff};
    text_[at - kText + 1] = std::byte{0xd0};
    return at + 2;
  }

  std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
    ++reads;
    const bool in_text = address >= kText && address < kText + text_.size();
    const auto& bytes = in_text ? text_ : stack_;
    const std::uint64_t begin = in_text ? kText : kStack;
    if (address < begin || address >= begin + bytes.size()) return 0;
    const std::size_t length = std::min<std::uint64_t>(out.size(), begin + bytes.size() - address);
    std::memcpy(out.data(), bytes.data() + (address - begin), length);
    return length;
  }
  Code Find(std::uint64_t pc) override {
    if (pc < kText || pc >= kText + kTextSize) return {};
    return {.kind = kind, .vaddr = pc};
  }
  std::uint64_t FunctionStart(std::uint64_t pc) override {
    for (const std::uint64_t start : {kStart, kMiddle, kLeaf}) {
      if (pc >= start && pc < start + 0x100) return start;
    }
    return 0;
  }
  bool IsThreadStart(std::uint64_t pc) override { return FunctionStart(pc) == kStart; }

 private:
  std::vector<std::byte> text_;
  std::vector<std::byte> stack_;
};

Registers At(std::uint64_t pc, std::uint64_t sp, std::uint64_t rbp = 0) {
  Registers registers;
  registers.dwarf[kRip] = pc;
  registers.dwarf[kRsp] = sp;
  registers.dwarf[kRbp] = rbp;
  return registers;
}

std::vector<std::uint64_t> Addresses(const RawStack& stack) {
  std::vector<std::uint64_t> addresses;
  for (const RawFrame& frame : stack.frames) addresses.push_back(frame.pc);
  return addresses;
}

TEST(UnwindStack, ScansForReturnAddressesUpToTheThreadsStart) {
  Process process;
  const std::uint64_t in_middle = process.PutCall(kMiddle + 0x10, kLeaf);
  const std::uint64_t in_start = process.PutCall(kStart + 0x10, kMiddle);
  process.PutWord(kStack + 0x18, in_middle);
  process.PutWord(kStack + 0x40, in_start);
  const RawStack stack = UnwindStack(At(kLeaf + 2, kStack), process, process, 100);
  EXPECT_EQ(Addresses(stack), (std::vector<std::uint64_t>{kLeaf + 2, in_middle, in_start}));
  EXPECT_EQ(stack.end, StackEnd::kComplete);
  EXPECT_FALSE(stack.frames[0].guessed);
  EXPECT_TRUE(stack.frames[1].guessed);
  EXPECT_EQ(stack.frames[0].cfa, kStack + 0x20);
  EXPECT_EQ(stack.frames[1].lookup_pc, in_middle - 1);
}

// An old return address lies nearer, but it is not one that called this function.
TEST(UnwindStack, BelievesACallToThisFunctionOverANearerOne) {
  Process process;
  const std::uint64_t stale = process.PutCall(kMiddle + 0x80, kStart);
  const std::uint64_t in_start = process.PutCall(kStart + 0x10, kLeaf);
  process.PutWord(kStack + 0x8, stale);
  process.PutWord(kStack + 0x20, in_start);
  const RawStack stack = UnwindStack(At(kLeaf, kStack), process, process, 100);
  EXPECT_EQ(Addresses(stack), (std::vector<std::uint64_t>{kLeaf, in_start}));
}

TEST(UnwindStack, TakesAnIndirectCallWhenThereIsNoBetter) {
  Process process;
  const std::uint64_t in_start = process.PutIndirectCall(kStart + 0x10);
  process.PutWord(kStack + 0x8, kStart + 0x50);  // code, but no call before it
  process.PutWord(kStack + 0x20, in_start);
  const RawStack stack = UnwindStack(At(kLeaf, kStack), process, process, 100);
  EXPECT_EQ(Addresses(stack), (std::vector<std::uint64_t>{kLeaf, in_start}));
  EXPECT_EQ(stack.end, StackEnd::kComplete);
}

TEST(UnwindStack, FollowsFramePointersThroughJitCode) {
  Process process;
  process.kind = CodeKind::kAnonymous;
  process.PutWord(kStack + 0x20, kStack + 0x80);   // saved rbp
  process.PutWord(kStack + 0x28, kMiddle + 0x11);  // no call before it: an interpreter's
  process.PutWord(kStack + 0x80, 0);
  process.PutWord(kStack + 0x88, kStart + 0x11);
  const RawStack stack = UnwindStack(At(kLeaf, kStack, kStack + 0x20), process, process, 100);
  EXPECT_EQ(Addresses(stack), (std::vector<std::uint64_t>{kLeaf, kMiddle + 0x11, kStart + 0x11}));
  EXPECT_EQ(stack.end, StackEnd::kNoUnwindInfo);
}

TEST(UnwindStack, EndsAGoStackWhereTheFramePointerIsZero) {
  Process process;
  process.kind = CodeKind::kGoFile;
  process.PutWord(kStack + 0x20, 0);
  process.PutWord(kStack + 0x28, kMiddle + 1);  // runtime.goexit + 1
  const RawStack stack = UnwindStack(At(kLeaf, kStack, kStack + 0x20), process, process, 100);
  EXPECT_EQ(Addresses(stack), (std::vector<std::uint64_t>{kLeaf, kMiddle + 1}));
  EXPECT_EQ(stack.end, StackEnd::kComplete);
}

// The frames that the kernel builds for a handler, with a trampoline that has no information.
TEST(UnwindStack, CrossesASignalFrame) {
  Process process;
  constexpr std::uint64_t kTrampoline = kText + 0x800;
  const std::array<unsigned, 9> text = {0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05};
  class WithTrampoline final : public Memory {
   public:
    WithTrampoline(Process& process, std::span<const unsigned> text)
        : process_(process), text_(text) {}
    std::size_t Read(std::uint64_t address, std::span<std::byte> out) override {
      const std::size_t got = process_.Read(address, out);
      for (std::size_t i = 0; i < text_.size(); ++i) {
        const std::uint64_t at = kTrampoline + i;
        if (at >= address && at - address < got) out[at - address] = std::byte(text_[i]);
      }
      return got;
    }

   private:
    Process& process_;
    std::span<const unsigned> text_;
  } memory(process, text);
  // In the handler: only the trampoline's address is on the stack. Behind it the ucontext_t.
  constexpr std::uint64_t kContext = kStack + 0x10;
  constexpr std::uint64_t kInterruptedSp = kStack + 0x400;
  process.PutWord(kContext - 8, kTrampoline);
  process.PutWord(kContext + 40 + 15 * 8, kInterruptedSp);
  process.PutWord(kContext + 40 + 16 * 8, kMiddle);  // interrupted at its first instruction
  process.PutWord(kInterruptedSp + 8, process.PutCall(kStart + 0x10, kMiddle));
  const RawStack stack = UnwindStack(At(kLeaf + 4, kStack), memory, process, 100);
  EXPECT_EQ(Addresses(stack),
            (std::vector<std::uint64_t>{kLeaf + 4, kTrampoline, kMiddle, kStart + 0x15}));
  EXPECT_EQ(stack.frames[2].lookup_pc, kMiddle) << "interrupted, not calling";
  EXPECT_FALSE(stack.frames[2].guessed) << "the kernel wrote it down";
  EXPECT_EQ(stack.end, StackEnd::kComplete);
}

TEST(UnwindStack, SaysWhyItStopped) {
  Process process;
  EXPECT_EQ(UnwindStack(At(0x10, kStack), process, process, 100).end, StackEnd::kNoUnwindInfo);
  EXPECT_EQ(UnwindStack(At(kLeaf, kStack - 0x100000), process, process, 100).end,
            StackEnd::kUnreadable);
  EXPECT_EQ(UnwindStack(At(kLeaf, ~0ULL), process, process, 100).end, StackEnd::kUnreadable);
  EXPECT_EQ(UnwindStack(At(kLeaf, kStack), process, process, 0).end, StackEnd::kTooDeep);
}

// A stack full of pointers to itself and to calls: bounded by the frame limit.
TEST(UnwindStack, DoesNotLoop) {
  for (const CodeKind kind : {CodeKind::kFile, CodeKind::kGoFile, CodeKind::kAnonymous}) {
    Process process;
    process.kind = kind;
    const std::uint64_t call = process.PutCall(kMiddle + 0x10, kMiddle);
    for (std::uint64_t at = kStack; at < kStack + kStackSize; at += 16) {
      process.PutWord(at, at);
      process.PutWord(at + 8, call);
    }
    const RawStack stack = UnwindStack(At(kMiddle, kStack, kStack), process, process, 100'000);
    EXPECT_LE(stack.frames.size(), kStackSize / 8);
    EXPECT_NE(stack.end, StackEnd::kComplete);
  }
}

}  // namespace
}  // namespace ct
