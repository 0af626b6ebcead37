#include "runtimes/cpython/find.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_heap.h"

namespace ct::cpython {
namespace {

using testing::HasSubstr;

constexpr Address kRuntime = 0x100000;
constexpr Address kInterp = 0x200000;
constexpr Address kThread = 0x300000;

class Find : public testing::Test {
 protected:
  void Lay(std::uint32_t minor) {
    const Offsets& offsets = *OffsetsOf(minor);
    memory_.Write(kRuntime + 8192, 0);
    memory_.Write(kRuntime + offsets.runtime_interpreters, kInterp);
    memory_.Write(kInterp + offsets.interp_threads, kThread);
    memory_.Write(kThread + 16, kInterp);
  }
  // The words of 3.13.5's _Py_DebugOffsets that are compared.
  void LayDebugOffsets() {
    Lay(13);
    memory_.WriteBytes(kRuntime, std::as_bytes(std::span("xdebugpy", 8)));
    memory_.Write<std::uint64_t>(kRuntime + 8, 0x030d05f0);
    const std::vector<std::pair<int, std::uint64_t>> words = {
        {40, 632},  {64, 7264}, {72, 7344}, {88, 7656}, {112, 16}, {184, 72},
        {192, 152}, {200, 160}, {232, 8},   {240, 0},   {256, 72}, {264, 70},
        {312, 68},  {344, 200}, {408, 24},  {560, 40}};
    for (const auto& [at, value] : words) memory_.Write(kRuntime + at, value);
  }
  std::string Refusal(std::uint64_t version) {
    const auto found = IdentifyInterpreter(memory_, kRuntime, version);
    return found ? "" : found.error().message;
  }
  SparseMemory memory_;
};

TEST_F(Find, TakesTheVersionFromItsSymbolUpTo312) {
  Lay(11);
  const auto found = IdentifyInterpreter(memory_, kRuntime, 0x030b02f0);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->version, 0x030b02f0u);
  EXPECT_EQ(found->offsets, OffsetsOf(11));
}

TEST_F(Find, TakesTheVersionFromTheRuntimeFrom313) {
  LayDebugOffsets();
  const auto found = IdentifyInterpreter(memory_, kRuntime, 0);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->version, 0x030d05f0u);
}

TEST_F(Find, SaysWhyNot) {
  Lay(11);
  EXPECT_THAT(Refusal(0), HasSubstr("older than 3.11"));
  EXPECT_THAT(Refusal(0x030a01f0), HasSubstr("CPython 3.10.1: 3.11 to 3.15 are known"));
  EXPECT_THAT(Refusal(0x031000f0), HasSubstr("CPython 3.16.0: 3.11 to 3.15 are known"));
  EXPECT_THAT(Refusal(0x040000f0), HasSubstr("a Python of version"));
  EXPECT_THAT(Refusal(0x030c01f0), HasSubstr("not where they are known to be"));
  LayDebugOffsets();
  memory_.Write<std::uint64_t>(kRuntime + 16, 1);
  EXPECT_THAT(Refusal(0), HasSubstr("CPython 3.13.5, free-threaded"));
  LayDebugOffsets();
  memory_.Write<std::uint64_t>(kRuntime + 16, 0);
  memory_.Write<std::uint64_t>(kRuntime + 192, 168);
  EXPECT_THAT(Refusal(0), HasSubstr("CPython 3.13 with thread_state.thread_id at 168"));
}

TEST_F(Find, RefusesWhatCannotBeRead) {
  EXPECT_THAT(Refusal(0x030b02f0), HasSubstr("not readable"));
}

}  // namespace
}  // namespace ct::cpython
