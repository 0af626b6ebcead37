// One function, as five versions of CPython compile it:
//
//   async def f(self, pool):
//       conn = await self.pool.acquire(timeout=len("x"))
//       tl.user = conn
//       lock.acquire()
//       await pool.release(conn)
//       return tl.user
#include "runtimes/cpython/bytecode.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace ct::cpython {
namespace {

struct Compiled {
  std::uint32_t minor;
  std::string_view hex;
};
const std::vector<Compiled> kVersions = {
    {11,
     "4b00010097007c006a000000000000000000a00100000000000000000000000000000000000000007405000000000"
     "000000000006401a6010000ab010000000000000000ac02a6010000ab010000000000000000830064007b03560097"
     "0386047d027c027406000000000000000000005f040000000000000000740a00000000000000000000a0010000000"
     "000000000000000000000000000000000a6000000ab00000000000000000001007c01a00600000000000000000000"
     "000000000000000000007c02a6010000ab010000000000000000830064007b0356009703860401007406000000000"
     "000000000006a0400000000000000005300"},
    {12,
     "4b00010097007c006a000000000000000000000000000000000000006a03000000000000000000000000000000000"
     "000740500000000000000006401ab01000000000000ac02ab01000000000000830064007b03000096029703860505"
     "007d027c02740600000000000000005f040000000000000000740a00000000000000006a030000000000000000000"
     "00000000000000000ab0000000000000001007c016a0d0000000000000000000000000000000000007c02ab010000"
     "00000000830064007b03000096029703860505000100740600000000000000006a080000000000000000000000000"
     "00000000000530037008c4c37008c16ad037701"},
    {13,
     "230020009500550052000000000000000000000000000000000000005203000000000000000000000000000000000"
     "0005b05000000000000000053013501000000000000530239014900530068030000760195034e050c006e0255025b"
     "0600000000000000006c0400000000000000005b0a000000000000000052030000000000000000000000000000000"
     "00000350000000000000020005501520d000000000000000000000000000000000000550235010000000000004900"
     "530068030000760195034e050c0020005b06000000000000000052080000000000000000000000000000000000002"
     "40008004e4c08004e1637036601"},
    {14,
     "22001f008000560050000000000000000000000000000000000000005003000000000000000000000000000000000"
     "0005c0500000000000000005200340100000000000052013701000000000000470052026a030000780180034c050a"
     "00700256025c0600000000000000006e0400000000000000005c0a000000000000000050030000000000000000000"
     "0000000000000000034000000000000001f005601500d000000000000000000000000000000000000560234010000"
     "00000000470052026a030000780180034c050a001f005c06000000000000000050080000000000000000000000000"
     "00000000000230007004c4c07004c1635036901"},
    {15,
     "20001d008000000055004f000000000000000000000000000000000000004f0300000000000000000000000000000"
     "00000005b050000000000000000510032010000000000005101350100000000000045001f00500769040000770180"
     "0300004b060a006f0255025b0600000000000000006d0400000000000000005b0a00000000000000004f030000000"
     "0000000000000000000000000000032000000000000001d0055014f0d000000000000000000000000000000000000"
     "5502320100000000000045001f005007690400007701800300004b060a001d005b0600000000000000004f0800000"
     "0000000000000000000000000000000210007004b4e07004b1633036801"},
};
const std::vector<std::string> kNames = {"pool", "acquire", "len", "tl", "user", "lock", "release"};
const std::vector<std::string> kLocals = {"self", "pool", "conn"};

std::vector<std::byte> FromHex(std::string_view hex) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

std::string Text(const NameAccess& access) {
  std::string text = access.root_is_global ? kNames.at(access.root) : kLocals.at(access.root);
  for (const std::uint32_t name : access.attributes) text += "." + kNames.at(name);
  if (access.use == NameUse::kStore) text += " =";
  if (access.use == NameUse::kCall) text += "()";
  if (access.result) text = kLocals.at(*access.result) + " = " + text;
  if (access.ignored) text += ";";
  return text;
}

TEST(Bytecode, WhatAFunctionDoesWithDottedNames) {
  for (const auto& [minor, hex] : kVersions) {
    SCOPED_TRACE(fmt::format("3.{}", minor));
    const NameAccesses found = FindNameAccesses(Disassemble(FromHex(hex), minor), minor);
    std::vector<std::string> text;
    for (const NameAccess& access : found.accesses) text.push_back(Text(access));
    EXPECT_EQ(text, (std::vector<std::string>{"self.pool", "conn = self.pool.acquire()",
                                              "tl.user =", "lock.acquire();", "pool.release();",
                                              "tl.user"}));
    ASSERT_EQ(found.yields.size(), 2U);
    ASSERT_EQ(found.accesses.size(), 6U);
    // It is in the await of acquire() while suspended in the first yield, and behind it in the
    // second.
    const NameAccess& acquire = found.accesses[1];
    EXPECT_LT(found.yields[0], acquire.done);
    EXPECT_LE(acquire.done, found.accesses[2].offset);
    EXPECT_LT(found.accesses[3].done, found.yields[1]);
    EXPECT_LT(found.yields[1], found.accesses[4].done);
    EXPECT_TRUE(found.accesses[2].SameObject(found.accesses[5]));
    EXPECT_FALSE(found.accesses[1].SameObject(found.accesses[4]));
  }
}

//   def f(pool, ok):
//       a = None
//       try:
//           a = pool.take()
//           if ok:
//               return a.x
//       finally:
//           if a is not None:
//               pool.give(a)
const std::vector<Compiled> kGivesBack = {
    {11,
     "970064007d0209007c00a0000000000000000000000000000000000000000000a6000000ab00000000000000"
     "00007d027c01721f7c026a0100000000000000007c0281167c00a00200000000000000000000000000000000"
     "000000007c02a6010000ab01000000000000000001005300530009007c0281177c00a0020000000000000000"
     "0000000000000000000000007c02a6010000ab0100000000000000000100640053006400530023007c028116"
     "7c00a00200000000000000000000000000000000000000007c02a6010000ab01000000000000000001007700"
     "7700780359007701"},
    {12,
     "970064007d0209007c006a01000000000000000000000000000000000000ab000000000000007d027c017220"
     "7c026a020000000000000000000000000000000000007c0281127c006a050000000000000000000000000000"
     "000000007c02ab0100000000000001005300530009007c0281127c006a050000000000000000000000000000"
     "000000007c02ab0100000000000001007900790023007c0281127c006a050000000000000000000000000000"
     "000000007c02ab01000000000000010077007700780359007701"},
    {13,
     "950053006e021e005500520100000000000000000000000000000000000035000000000000006e0255012800"
     "0000000000006121000055025202000000000000000000000000000000000000550262120000550052050000"
     "00000000000000000000000000000000550235010000000000002000240024001e0055026212000055005205"
     "0000000000000000000000000000000000005502350100000000000020006700670021005502621200005500"
     "5205000000000000000000000000000000000000550235010000000000002000660066003d031f006601"},
    {14,
     "8000520070021b00560050010000000000000000000000000000000000003400000000000000700256012700"
     "000000000000642300001c00560250020000000000000000000000000000000000005602651300001c005600"
     "5005000000000000000000000000000000000000560234010000000000001f00230023001b00560265140000"
     "1c0056005005000000000000000000000000000000000000560234010000000000001f005200230052002300"
     "20005402651300001c0054005005000000000000000000000000000000000000540234010000000000001f00"
     "690069003b031d006901"},
    {15,
     "8000000050076f02190055004f0100000000000000000000000000000000000032000000000000006f025501"
     "2500000000000000632300001a0055024f020000000000000000000000000000000000005502641300001a00"
     "55004f05000000000000000000000000000000000000550232010000000000001d0021002100190055026414"
     "00001a0055004f05000000000000000000000000000000000000550232010000000000001d00500721005007"
     "21001e005302641300001a0053004f0500000000000000000000000000000000000053023201000000000000"
     "1d006800680039031b006801"},
};
//   def g(pool, ok):
//       while True:
//           a = pool.take()
//           if not ok(a):
//               pool.give(a)
const std::vector<Compiled> kTriesAgain = {
    {11,
     "970009007c00a0000000000000000000000000000000000000000000a6000000ab0000000000000000007d02"
     "02007c017c02a6010000ab01000000000000000073157c00a001000000000000000000000000000000000000"
     "00007c02a6010000ab01000000000000000001008c35"},
    {12,
     "970009007c006a01000000000000000000000000000000000000ab000000000000007d0202007c017c02ab01"
     "00000000000073117c006a030000000000000000000000000000000000007c02ab0100000000000001008c2a"},
    {13,
     "95001e005500520100000000000000000000000000000000000035000000000000006e025501220055023501"
     "0000000000002800000000000000641100005500520300000000000000000000000000000000000055023501"
     "00000000000020004d300000"},
    {14,
     "80001b0056005001000000000000000000000000000000000000340000000000000070025601210056023401"
     "0000000000002700000000000000640300001c004b2100005600500300000000000000000000000000000000"
     "0000560234010000000000001f004b340000"},
    {15,
     "80000000190055004f0100000000000000000000000000000000000032000000000000006f0255011f005502"
     "32010000000000002500000000000000630300001a004a21000055004f030000000000000000000000000000"
     "00000000550232010000000000001d004a340000"},
};

// By the order of the code: the first call of a method keeps what it returns.
Possession PossessionIn(const std::vector<Instruction>& code, std::uint32_t minor) {
  Possession possession;
  for (const NameAccess& access : FindNameAccesses(code, minor).accesses) {
    if (access.use != NameUse::kCall) continue;
    if (access.result) {
      possession.taken = access.offset;
      possession.begin = access.done;
      possession.slot = *access.result;
    } else if (access.argument == possession.slot) {
      possession.handed_on.push_back(access.offset);
    }
  }
  return possession;
}

TEST(Bytecode, WhatIsGivenBackOnEveryWay) {
  for (const auto& [minor, hex] : kGivesBack) {
    SCOPED_TRACE(fmt::format("3.{}", minor));
    const auto code = Disassemble(FromHex(hex), minor);
    Possession possession = PossessionIn(code, minor);
    ASSERT_GE(possession.handed_on.size(), 2U);  // of the finally, one for each way
    EXPECT_TRUE(IsAlwaysHandedOn(code, possession));
    possession.handed_on.clear();
    EXPECT_FALSE(IsAlwaysHandedOn(code, possession));
  }
}

TEST(Bytecode, WhatIsGivenBackOnSomeWays) {
  for (const auto& [minor, hex] : kTriesAgain) {
    SCOPED_TRACE(fmt::format("3.{}", minor));
    const auto code = Disassemble(FromHex(hex), minor);
    const Possession possession = PossessionIn(code, minor);
    ASSERT_EQ(possession.handed_on.size(), 1U);
    EXPECT_FALSE(IsAlwaysHandedOn(code, possession));
  }
}

TEST(Bytecode, OfCodeThatIsCutNothingIsAlwaysGivenBack) {
  for (const auto& [minor, hex] : kGivesBack) {
    const auto whole = Disassemble(FromHex(hex), minor);
    const Possession possession = PossessionIn(whole, minor);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::vector<Instruction> cut(whole.begin(),
                                         whole.begin() + static_cast<std::ptrdiff_t>(size));
      IsAlwaysHandedOn(cut, possession);  // ends
    }
  }
}

TEST(Bytecode, OfAnUnknownVersionNothingIsSaid) {
  EXPECT_TRUE(Disassemble(FromHex(kVersions.front().hex), 10).empty());
  EXPECT_TRUE(Disassemble(FromHex(kVersions.front().hex), 16).empty());
}

TEST(Bytecode, CutAnywhereItEnds) {
  for (const auto& [minor, hex] : kVersions) {
    const std::vector<std::byte> whole = FromHex(hex);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto code = Disassemble(std::span(whole).first(size), minor);
      EXPECT_LE(FindNameAccesses(code, minor).accesses.size(), 6U);
    }
  }
}

// 0: take, 2: if there: to 8; 4: release, 6: return, 8: work, 10: back to 0.
std::vector<Instruction> WithTwoWays() {
  const auto at = [](std::uint32_t offset, Op op, std::uint32_t argument = 0) {
    return Instruction{offset, offset + 2, op, argument};
  };
  return {at(0, Op::kLoadMethod), at(2, Op::kBranchIf, 2), at(4, Op::kLoadMethod),
          at(6, Op::kReturn),     at(8, Op::kOther),       at(10, Op::kJumpBack, 6)};
}

TEST(MayReach, AlongAllWaysButPastNone) {
  const auto code = WithTwoWays();
  EXPECT_TRUE(MayReach(code, 2, 8, {0, 4})) << "by the branch, though a release stands before it";
  EXPECT_TRUE(MayReach(code, 2, 9, {0, 4})) << "in the middle of the instruction";
  EXPECT_FALSE(MayReach(code, 4, 6, {0, 4})) << "only past the release";
  EXPECT_FALSE(MayReach(code, 2, 0, {0, 4})) << "only past taking it again";
  EXPECT_TRUE(MayReach(code, 8, 2, {4})) << "around the loop";
  EXPECT_FALSE(MayReach(code, 6, 8, {})) << "a return leads nowhere";
  EXPECT_FALSE(MayReach(code, 100, 8, {}));
  EXPECT_FALSE(MayReach({}, 0, 0, {}));
}

}  // namespace
}  // namespace ct::cpython
