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

}  // namespace
}  // namespace ct::cpython
