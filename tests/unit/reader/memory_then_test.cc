// Unwinding a moment that is over must not read what the thread has written since.
#include "reader/memory_then.h"

#include <pthread.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "target/memory_cache.h"
#include "target/target.h"

// A function that moves no stack pointer: its return address is where the stack pointer is. Written
// out, because no compiler promises that.
asm(R"(
  .text
  .globl LeafOfNops
  .type LeafOfNops, @function
LeafOfNops:
  .cfi_startproc
  nop; nop; nop; nop; nop; nop; nop; nop
  mov (%rdi), %eax
  ret
  .cfi_endproc
  .size LeafOfNops, . - LeafOfNops
)");
extern "C" int LeafOfNops(const int* value);

namespace ct {
namespace {

// Every byte reads as 'n': what is there now.
class Now final : public Memory {
 public:
  std::size_t Read(std::uint64_t, std::span<std::byte> out) override {
    for (std::byte& byte : out) byte = std::byte{'n'};
    return out.size();
  }
};

constexpr std::uint64_t kStack = 0x7f0000010000;
constexpr std::uint64_t kStackEnd = kStack + 0x10000;

class MemoryThenTest : public testing::Test {
 protected:
  static Mapping Stack() {
    Mapping mapping;
    mapping.begin = kStack;
    mapping.end = kStackEnd;
    return mapping;
  }
  // What can be read of `size` bytes.
  static std::string Read(Memory& memory, std::uint64_t address, std::size_t size) {
    std::string text(size, '\0');
    text.resize(memory.Read(address, std::as_writable_bytes(std::span(text))));
    return text;
  }
  const Mapping stack_ = Stack();
  Now now_;
};

TEST_F(MemoryThenTest, IsThatOfNowWithoutCopies) {
  OverlayMemory memory = MemoryThen(now_, {}, &stack_);
  EXPECT_EQ(Read(memory, kStack + 0x100, 4), "nnnn");
}

TEST_F(MemoryThenTest, OfItsStackIsNothingButTheCopies) {
  // A small one of when a lock was taken, and a bigger one, of later, at higher addresses.
  const std::uint64_t sp = kStack + 0x8010;
  OverlayMemory memory =
      MemoryThen(now_, {{sp, std::string(256, 'a')}, {sp + 0x400, std::string(64, 'b')}}, &stack_);
  EXPECT_EQ(Read(memory, sp, 4), "aaaa");
  EXPECT_EQ(Read(memory, sp + 252, 8), "aaaa") << "the gap";
  EXPECT_EQ(Read(memory, sp + 0x100, 1), "");
  EXPECT_EQ(Read(memory, sp + 0x3ff, 1), "");
  EXPECT_EQ(Read(memory, sp + 0x400, 64), std::string(64, 'b'));
  EXPECT_EQ(Read(memory, sp + 0x440, 1), "") << "above both";
  EXPECT_EQ(Read(memory, sp - 8, 8), "") << "below both";
  EXPECT_EQ(Read(memory, kStack, 8), "");
  EXPECT_EQ(Read(memory, kStackEnd - 1, 1), "");
  EXPECT_EQ(Read(memory, kStackEnd, 4), "nnnn") << "no stack of this thread";
  EXPECT_EQ(Read(memory, kStack - 4, 8), "nnnn");
}

TEST_F(MemoryThenTest, BelievesTheEarlierOfCopiesThatOverlap) {
  const std::uint64_t sp = kStack + 0x8010;
  // The later moment's stack reaches further down.
  OverlayMemory memory =
      MemoryThen(now_, {{sp, std::string(16, 'a')}, {sp - 16, std::string(64, 'b')}}, &stack_);
  EXPECT_EQ(Read(memory, sp - 16, 64),
            std::string(16, 'b') + std::string(16, 'a') + std::string(32, 'b'));
}

TEST_F(MemoryThenTest, IsThatOfNowAroundACopyOfSomethingElse) {
  OverlayMemory memory = MemoryThen(now_, {{0x5000, "lock"}}, &stack_);
  EXPECT_EQ(Read(memory, 0x4ffc, 12), "nnnnlocknnnn");
  EXPECT_EQ(Read(memory, kStack + 8, 4), "nnnn");
  OverlayMemory gone = MemoryThen(now_, {{kStack + 0x100, "abcd"}}, nullptr);
  EXPECT_EQ(Read(gone, kStack + 0x100, 8), "abcdnnnn");
}

// The unwinder reads whole pages, which begin below the copy and have gaps.
TEST_F(MemoryThenTest, CanBeReadThroughTheUnwindersCache) {
  const std::uint64_t sp = kStack + 0x8010;
  OverlayMemory memory =
      MemoryThen(now_, {{sp, std::string(256, 'a')}, {sp + 0x200, std::string(64, 'b')}}, &stack_);
  MemoryCache cache(memory);
  EXPECT_EQ(Read(cache, sp, 256), std::string(256, 'a'));
  EXPECT_EQ(Read(cache, sp + 248, 16), std::string(8, 'a'));
  EXPECT_EQ(Read(cache, sp + 0x200, 128), std::string(64, 'b'));
  std::uint64_t word = 0;
  EXPECT_TRUE(cache.ReadWord(sp + 0x238, word));
  EXPECT_FALSE(cache.ReadWord(sp + 0x23c, word));
  EXPECT_FALSE(cache.ReadWord(sp - 8, word));
  EXPECT_FALSE(cache.ReadWord(sp + 0x100, word));
}

// A stack of `frames` callers, as words from the stack pointer on.
std::string Callers(int frames) {
  const std::uint64_t inside = reinterpret_cast<std::uint64_t>(&LeafOfNops) + 4;
  std::string words;
  for (int i = 0; i < frames; ++i) {
    words.append(reinterpret_cast<const char*>(&inside), sizeof(inside));
  }
  return words;
}

// As a probe on a function's beginning saw it: the stack pointer is at the return address.
TEST(MemoryThenOfACall, IsUnwoundFromItsFirstInstructionAsFarAsTheCopiesGo) {
  const int live = 1;
  EXPECT_EQ(LeafOfNops(&live), 1);
  auto target = Target::Open(getpid(), MakeFileCache());
  ASSERT_TRUE(target) << target.error().message;
  Registers registers;
  registers.dwarf[kRip] = reinterpret_cast<std::uint64_t>(&pthread_mutex_lock);
  const std::uint64_t sp = (reinterpret_cast<std::uint64_t>(&live) & ~15ULL) - 8;
  registers.dwarf[kRsp] = sp;
  const Mapping* stack = (*target)->FindMapping(sp);
  ASSERT_NE(stack, nullptr);
  const auto unwind = [&](const std::vector<MemoryCopy>& copies) {
    OverlayMemory memory = MemoryThen((*target)->memory(), copies, stack);
    return (*target)->Unwind(registers, {.source_lines = false, .memory = &memory}).stack;
  };
  const Stack alone = unwind({{sp, Callers(2)}});
  ASSERT_EQ(alone.frames.size(), 3U);
  EXPECT_EQ(alone.frames[0].function, "pthread_mutex_lock");
  EXPECT_EQ(alone.frames[1].function, "LeafOfNops");
  EXPECT_EQ(alone.frames[2].function, "LeafOfNops");
  EXPECT_EQ(alone.end, StackEnd::kUnreadable);
  // A later copy goes on where the first ends; one with a gap before it does not.
  EXPECT_EQ(unwind({{sp, Callers(2)}, {sp + 16, Callers(3)}}).frames.size(), 6U);
  EXPECT_EQ(unwind({{sp, Callers(2)}, {sp + 24, Callers(3)}}).frames.size(), 3U);
}

}  // namespace
}  // namespace ct
