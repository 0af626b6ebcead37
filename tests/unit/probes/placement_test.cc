// Where functions are probed: glibc's own, byte by byte, and every reason for which a place that
// would be cheap is not safe.
#include "probes/placement.h"

#include <gtest/gtest.h>

#include "tests/unit/probes/glibc_code.h"
#include "tests/unit/probes/machine_code.h"

namespace ct {
namespace {

constexpr std::uint64_t kAddress = 0x401000;

EntryPlacement Place(std::string_view hex, std::vector<std::uint32_t> arguments = {0}) {
  const auto placed = PlaceEntry(Code(hex), kAddress, arguments);
  EXPECT_TRUE(placed) << placed.error().message;
  return placed.value_or(EntryPlacement{});
}

EntryPlacement PlaceIn(const GlibcFunction& function, std::vector<std::uint32_t> arguments = {0}) {
  const auto placed = PlaceEntry(Code(function.hex), function.address, arguments);
  EXPECT_TRUE(placed) << function.name;
  return placed.value_or(EntryPlacement{});
}

TEST(PlaceEntryInGlibc, TakesTheFirstEmulatedInstructionThatEveryCallPasses) {
  const EntryPlacement lock = PlaceIn(kPthreadMutexLock);
  EXPECT_EQ(lock.offset, 14U);
  EXPECT_TRUE(lock.emulated);
  EXPECT_EQ(lock.pushed, 0U);
  EXPECT_EQ(lock.why, "+14 jne: first emulated instruction that every call passes");

  const EntryPlacement unlock = PlaceIn(kPthreadMutexUnlock);
  EXPECT_EQ(unlock.offset, 5U);
  EXPECT_TRUE(unlock.emulated);
  EXPECT_EQ(unlock.why, "+5 jmp: first emulated instruction that every call passes");

  for (const auto& function : {kPthreadRwlockRdlock, kPthreadRwlockWrlock}) {
    const EntryPlacement place = PlaceIn(function);
    EXPECT_EQ(place.offset, 13U) << function.name;
    EXPECT_TRUE(place.emulated) << function.name;
    EXPECT_EQ(place.pushed, 0U) << function.name;
  }
  const EntryPlacement timed = PlaceIn(kSemTimedwait);
  EXPECT_EQ(timed.offset, 8U);
  EXPECT_TRUE(timed.emulated);
}

TEST(PlaceEntryInGlibc, APushAtTheVeryBeginningIsThePlace) {
  for (const auto& function :
       {kPthreadMutexTrylock, kSemWait, kPthreadCondWait, kPthreadRwlockUnlock}) {
    const EntryPlacement place = PlaceIn(function);
    EXPECT_EQ(place.offset, 0U) << function.name;
    EXPECT_TRUE(place.emulated) << function.name;
    EXPECT_EQ(place.pushed, 0U) << function.name;
    EXPECT_EQ(place.why, "+0 push: its first instruction, emulated") << function.name;
  }
}

// A compare-and-swap that fails goes around again: a probe in that loop would count one call twice.
TEST(PlaceEntryInGlibc, NoPlaceInALoop) {
  const EntryPlacement post = PlaceIn(kSemPost);
  EXPECT_EQ(post.offset, 0U);
  EXPECT_FALSE(post.emulated);
  EXPECT_EQ(post.why, "+0 mov: single-stepped: a jump at +0x16 comes back to +0x6");
  EXPECT_EQ(PlaceIn(kSemTrywait).why, "+0 mov: single-stepped: a jump at +0x10 comes back to +0x3");
  EXPECT_EQ(PlaceIn(kPthreadRwlockTrywrlock).why,
            "+0 mov: single-stepped: a jump at +0x19 comes back to +0x5");
}

// The loop is the whole function: every place has the same fault, so the cheapest is as good.
TEST(PlaceEntryInGlibc, SaysThatASpinningCallPassesItAgain) {
  const EntryPlacement spin = PlaceIn(kPthreadSpinLock);
  EXPECT_EQ(spin.offset, 3U);
  EXPECT_TRUE(spin.emulated);
  EXPECT_EQ(spin.why,
            "+3 jne: first emulated instruction that every call passes; a jump at +0x15 makes one "
            "call pass it again");
}

TEST(PlaceEntry, CountsWhatIsOnTheStackBeforeThePlace) {
  // endbr64; push %rbp
  EXPECT_EQ(Place("f30f1efa 55 c3").offset, 4U);
  EXPECT_EQ(Place("f30f1efa 55 c3").pushed, 0U);
  // endbr64; sub $0x28,%rsp; test %rdi,%rdi; je +2; ret
  const EntryPlacement sub = Place("f30f1efa 4883ec28 4885ff 7400 c3");
  EXPECT_EQ(sub.offset, 11U);
  EXPECT_EQ(sub.pushed, 0x28U);
  // add $-128,%rsp; pushq $1; lea -0x10(%rsp),%rsp; pushq (%rdi); pop %rax; push %r12
  const EntryPlacement many = Place("4883c480 6a01 488d6424f0 ff37 58 4154 c3");
  EXPECT_EQ(many.offset, 14U);
  EXPECT_EQ(many.pushed, 128U + 8 + 16);
  EXPECT_TRUE(many.emulated);
  // sub $0x1000,%rsp (four bytes of immediate); push %r15
  const EntryPlacement large = Place("4881ec00100000 4157 c3");
  EXPECT_EQ(large.offset, 7U);
  EXPECT_EQ(large.pushed, 0x1000U);
}

TEST(PlaceEntry, AMovedStackPointerThatCannotBeFollowedEndsIt) {
  // and $-32,%rsp; push %rbp
  const EntryPlacement aligned = Place("4883e4e0 55 c3");
  EXPECT_EQ(aligned.offset, 0U);
  EXPECT_FALSE(aligned.emulated);
  EXPECT_EQ(aligned.pushed, 0U);
  EXPECT_EQ(aligned.why,
            "+0 and: single-stepped: the and at +0x0 moves the stack pointer in a way that cannot "
            "be followed");
  // endbr64; pop %rax (the return address); push %rax
  EXPECT_EQ(Place("f30f1efa 58 50 c3").offset, 0U);
  // endbr64; sub %rax,%rsp; push %rbp
  EXPECT_EQ(Place("f30f1efa 4829c4 55 c3").offset, 0U);
  // endbr64; lea 8(%rsp,%rax),%rsp; push %rbp
  EXPECT_EQ(Place("f30f1efa 488d640408 55 c3").offset, 0U);
  // endbr64; mov %rdi,%rsp; push %rbp
  EXPECT_EQ(Place("f30f1efa 4889fc 55 c3").offset, 0U);
  // endbr64; pushw %ax; push %rbp
  EXPECT_EQ(Place("f30f1efa 6650 55 c3").offset, 0U);
}

TEST(PlaceEntry, AnOverwrittenArgumentEndsIt) {
  // mov %rsi,%rdi; jne +0; ret
  const std::string_view whole = "4889f7 7500 c3";
  EXPECT_EQ(Place(whole).offset, 0U);
  EXPECT_EQ(Place(whole).why, "+0 mov: single-stepped: the mov at +0x0 overwrites an argument");
  // The same is no matter to the other arguments.
  EXPECT_EQ(Place(whole, {1, 2, 3, 4, 5}).offset, 3U);
  EXPECT_EQ(Place(whole, {}).offset, 3U);
  EXPECT_EQ(Place(whole, {2, 0}).offset, 0U);

  EXPECT_EQ(Place("89f7 7500 c3").offset, 0U) << "mov %esi,%edi";
  EXPECT_EQ(Place("6689f7 7500 c3").offset, 0U) << "mov %si,%di";
  EXPECT_EQ(Place("4088f7 7500 c3").offset, 0U) << "mov %sil,%dil";
  EXPECT_EQ(Place("48ffc7 7500 c3").offset, 0U) << "inc %rdi";
  EXPECT_EQ(Place("4887f7 7500 c3", {1}).offset, 0U) << "xchg %rsi,%rdi";
  EXPECT_EQ(Place("480f44fe 7500 c3").offset, 0U) << "cmove %rsi,%rdi";
  EXPECT_EQ(Place("ab 7500 c3").offset, 0U) << "stos: moves rdi, hidden";
  EXPECT_EQ(Place("f3a4 7500 c3", {3}).offset, 0U) << "rep movsb: counts rcx down, hidden";
  EXPECT_EQ(Place("0fa2 7500 c3", {2}).offset, 0U) << "cpuid: writes edx, hidden";
  EXPECT_EQ(Place("48f7e6 7500 c3", {2}).offset, 0U) << "mul: writes rdx, hidden";
  EXPECT_EQ(Place("4989f0 7500 c3", {4}).offset, 0U) << "mov %rsi,%r8";
  EXPECT_EQ(Place("4989f1 7500 c3", {5}).offset, 0U) << "mov %rsi,%r9";
  EXPECT_EQ(Place("8a37 7500 c3", {2}).offset, 0U) << "mov (%rdi),%dh";
  EXPECT_EQ(Place("48893e 7500 c3").offset, 3U) << "mov %rdi,(%rsi) only reads it";
}

TEST(PlaceEntry, ABranchACallOrASystemCallEndsTheBlock) {
  // loop: not emulated; then push
  EXPECT_EQ(Place("e200 55 c3").why,
            "+0 loop: single-stepped: not every call gets past the loop at +0x0");
  // jrcxz
  EXPECT_EQ(Place("e300 55 c3").offset, 0U);
  // test %rdi,%rdi; syscall; push %rbp
  EXPECT_EQ(Place("4885ff 0f05 55 c3").offset, 0U);
  // call *(%rax); push %rbp
  EXPECT_EQ(Place("4885ff ff10 55 c3").offset, 0U);
  // test; jmp *%rax; push
  EXPECT_EQ(Place("4885ff ffe0 55 c3").offset, 0U);
  // test; ud2; push
  EXPECT_EQ(Place("4885ff 0f0b 55 c3").offset, 0U);
  // test; int3; push
  EXPECT_EQ(Place("4885ff cc 55 c3").offset, 0U);
  // test; xbegin +0; push: a transaction that aborts comes out elsewhere
  EXPECT_EQ(Place("4885ff c7f800000000 55 c3").offset, 0U);
  // mov; ret; push
  EXPECT_EQ(Place("4889f0 c3 55 c3").offset, 0U);
}

// No kernel to date puts the return address onto the shadow stack when it emulates a call.
TEST(PlaceEntry, ACallIsNoPlace) {
  // sub $8,%rsp; call +0
  const EntryPlacement place = Place("4883ec08 e800000000 c3");
  EXPECT_EQ(place.offset, 0U);
  EXPECT_FALSE(place.emulated);
  // Unless there is no choice: the first instruction is where the symbol is.
  const EntryPlacement first = Place("e800000000 c3");
  EXPECT_EQ(first.offset, 0U);
  EXPECT_TRUE(first.emulated);
}

TEST(PlaceEntry, TakesEveryEmulatedForm) {
  for (const char* instruction : {"50", "57", "54", "4157", "4150", "eb00", "e900000000", "7000",
                                  "7f00", "0f8000000000", "0f8f00000000", "90"}) {
    const EntryPlacement place = Place(std::string("4889f8") + instruction + "c3");
    EXPECT_EQ(place.offset, 3U) << instruction;
    EXPECT_TRUE(place.emulated) << instruction;
  }
}

// The kernel refuses some of these, and some it takes never fire.
TEST(PlaceEntry, NothingWithAPrefixIsAPlace) {
  for (const char* instruction : {"6690",
                                  "f390",
                                  "f2eb00",
                                  "f2e900000000",
                                  "2e7500",
                                  "3e7500",
                                  "66eb00",
                                  "4855",
                                  "4f50",
                                  "ff30",
                                  "6a00",
                                  "6655",
                                  "f20f8500000000",
                                  "660f1f440000",
                                  "0f1f4001",
                                  "0f19c0",
                                  "2e0f1f8400000000 00",
                                  "8bff",
                                  "0fa0",
                                  "9c"}) {
    const EntryPlacement place = Place(std::string("4889f8") + instruction + "c3");
    EXPECT_EQ(place.offset, 0U) << instruction;
    EXPECT_FALSE(place.emulated) << instruction;
  }
}

TEST(PlaceEntry, ALongNopIsTheSecondChoice) {
  for (const char* nop :
       {"0f1f00", "0f1f4000", "0f1f440000", "0f1f8000000000", "0f1f840000000000"}) {
    const EntryPlacement only = Place(std::string("4889f8") + nop + "c3");
    EXPECT_EQ(only.offset, 3U) << nop;
    EXPECT_FALSE(only.emulated) << nop;
    EXPECT_EQ(only.why, "+3 nop: emulated by kernels since 6.16");
    // Every kernel emulates a push.
    const EntryPlacement push = Place(std::string("4889f8") + nop + "55 c3");
    EXPECT_EQ(push.offset, 3U + Code(nop).size()) << nop;
    EXPECT_TRUE(push.emulated);
    EXPECT_EQ(Place(std::string(nop) + "c3").why,
              "+0 nop: its first instruction, emulated by kernels since 6.16");
  }
}

TEST(PlaceEntry, AWayBackIntoTheEntryBlockEndsIt) {
  // mov (%rdi),%eax; test %eax,%eax; je +4; jmp -8 (to the test); nop; nop; ret
  EXPECT_EQ(Place("8b07 85c0 7404 ebfa 9090 c3").why,
            "+0 mov: single-stepped: a jump at +0x6 comes back to +0x2");
  // The same jump to behind the place is harmless: mov; test; je +3; nop; jmp -3 (to the nop); ret
  EXPECT_EQ(Place("8b07 85c0 7403 90 ebfd c3").offset, 4U);
  // To the place itself: mov; test; je +2; jmp -4; ret
  EXPECT_EQ(Place("8b07 85c0 7402 ebfc c3").offset, 0U);
  // Into the middle of an instruction on the way: mov; test; je +2; jmp -5; ret
  EXPECT_EQ(Place("8b07 85c0 7402 ebfb c3").offset, 0U);
}

TEST(PlaceEntry, AJumpTableMayComeBackWhereTheStackIsTheSame) {
  // endbr64; cmp $4,%esi; mov %esi,%esi; jmp *0x10(,%rsi,8)
  const EntryPlacement table = Place("f30f1efa 83fe04 89f6 ff24f510000000 55 c3");
  EXPECT_EQ(table.offset, 0U);
  // endbr64; push %rbp; jmp *0x10(,%rsi,8): its targets have the push behind them
  const EntryPlacement deeper = Place("f30f1efa 55 ff24f510000000 5d c3");
  EXPECT_EQ(deeper.offset, 4U);
  EXPECT_TRUE(deeper.emulated);
  // mov; test; je +3; push; pop; nop; jmp *0x10(,%rsi,8): at the depth of the je
  EXPECT_EQ(Place("8b07 85c0 7403 55 5d 90 ff24f510000000 c3").why,
            "+0 mov: single-stepped: a jump at +0x9 may come back");
  // The same through an import, as a call of a library that is the last thing is compiled.
  EXPECT_EQ(Place("8b07 85c0 7403 55 5d 90 ff2500000000 c3").offset, 4U);
  // An indirect jump that no way leads to: nothing is known of its stack.
  EXPECT_EQ(Place("8b07 85c0 7400 c3 ffe0").why,
            "+0 mov: single-stepped: a jump at +0x7 may come back");
}

TEST(PlaceEntry, KeepsCountOfTheStackThroughFramePointers) {
  // endbr64; push %rbp; mov %rsp,%rbp; and $-32,%rsp; jmp *%rax: not known
  EXPECT_EQ(Place("f30f1efa 55 4889e5 4883e4e0 ffe0").offset, 0U);
  // The same, lea -16(%rbp),%rsp before the jump: known again, and deeper than at the push
  EXPECT_EQ(Place("f30f1efa 55 4889e5 4883e4e0 488d65f0 ffe0").offset, 4U);
  // The same, leave before it: what it was at the function's beginning
  EXPECT_EQ(Place("f30f1efa 55 4889e5 4883e4e0 c9 ffe0").offset, 0U);
  // The same, mov %rbp,%rsp before it: deeper again
  EXPECT_EQ(Place("f30f1efa 55 4889e5 4883e4e0 4889ec ffe0").offset, 4U);
}

// What the compiler split off may come back in the same way; it can be shown.
TEST(PlaceEntry, APartThatIsNotShownMayComeBack) {
  // mov (%rdi),%eax; test %eax,%eax; jne 0x402000; ret
  const auto function = Code("8b07 85c0 0f85f60f0000 c3");
  const std::vector<std::uint32_t> arguments = {0};
  const auto alone = PlaceEntry(function, kAddress, arguments);
  ASSERT_TRUE(alone);
  EXPECT_EQ(alone->why, "+0 mov: single-stepped: a jump at +0x4 may come back");

  EXPECT_EQ(JumpsOut(function, kAddress), (std::vector<std::uint64_t>{0x402000}));
  const auto harmless = Code("0f0b");
  const std::vector<CodeRange> parts = {{0x402000, harmless}};
  EXPECT_TRUE(JumpsOut(function, kAddress, parts).empty());
  EXPECT_EQ(PlaceEntry(function, kAddress, arguments, parts)->offset, 4U);

  // It does: jmp 0x401002
  const auto back = Code("e9fdefffff");
  const std::vector<CodeRange> looping = {{0x402000, back}};
  EXPECT_EQ(PlaceEntry(function, kAddress, arguments, looping)->why,
            "+0 mov: single-stepped: a jump at +0x1000 comes back to +0x2");

  // One that cannot be read to its end.
  const auto garbage = Code("06");
  const std::vector<CodeRange> unreadable = {{0x402000, garbage}};
  EXPECT_EQ(PlaceEntry(function, kAddress, arguments, unreadable)->why,
            "+0 mov: single-stepped: no instruction at +0x1000");
}

TEST(PlaceEntry, RefusesWhatIsNoInstruction) {
  const std::vector<std::uint32_t> arguments = {0};
  for (const char* hex : {"", "06", "f3", "0f", "e80000", "48", "ffff"}) {
    const auto placed = PlaceEntry(Code(hex), kAddress, arguments);
    ASSERT_FALSE(placed) << hex;
    EXPECT_EQ(placed.error().code, ErrorCode::kMalformed);
    EXPECT_EQ(placed.error().message, "no instruction at the function's beginning");
  }
}

TEST(PlaceEntry, RefusesAnArgumentOnTheStack) {
  const std::vector<std::uint32_t> arguments = {0, 6};
  const auto placed = PlaceEntry(Code("55 c3"), kAddress, arguments);
  ASSERT_FALSE(placed);
  EXPECT_EQ(placed.error().code, ErrorCode::kUsage);
  EXPECT_EQ(placed.error().message, "argument 6 is in no register");
}

TEST(PlaceEntry, CodeThatCannotBeFollowedToItsEndHasOnlyItsFirstInstruction) {
  // mov; push; garbage
  EXPECT_EQ(Place("4889f8 55 06").why, "+0 mov: single-stepped: no instruction at +0x4");
  // mov; push; an instruction that is cut off
  EXPECT_EQ(Place("4889f8 55 e90000").why, "+0 mov: single-stepped: no instruction at +0x4");
  // A push in the first place needs nothing else.
  EXPECT_TRUE(Place("55 06").emulated);
  EXPECT_TRUE(Place("55").emulated);
  EXPECT_EQ(Place("4889f8").why, "+0 mov: single-stepped: its code ends");
  EXPECT_EQ(Place("4889f8 55").offset, 3U);
}

TEST(PlaceEntry, AFunctionLongerThanTheLimitHasOnlyItsFirstInstruction) {
  auto code = Code("4889f8 55");
  code.resize(kMaxFunctionCode - 1, std::byte{0x90});
  const std::vector<std::uint32_t> arguments = {0};
  EXPECT_EQ(PlaceEntry(code, kAddress, arguments)->offset, 3U);
  code.resize(kMaxFunctionCode, std::byte{0x90});
  EXPECT_EQ(
      PlaceEntry(code, kAddress, arguments)->why,
      "+0 mov: single-stepped: the code at +0x0 is longer than the 64 KiB that are looked at");
  code.resize(kMaxFunctionCode * 16, std::byte{0x90});
  EXPECT_EQ(PlaceEntry(code, kAddress, arguments)->offset, 0U);
}

TEST(PlaceEntry, AddressesAtTheEndsOfMemoryDoNotWrap) {
  const std::vector<std::uint32_t> arguments = {0};
  for (const std::uint64_t address : {std::uint64_t{0}, ~std::uint64_t{0}, ~std::uint64_t{0} - 4}) {
    EXPECT_TRUE(PlaceEntry(Code("4889f8 7500 55 c3"), address, arguments));
  }
}

}  // namespace
}  // namespace ct
