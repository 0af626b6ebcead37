#include "base/text.h"

#include <gtest/gtest.h>

namespace ct {
namespace {

TEST(CleanText, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(CleanText("order-svc"), "order-svc");
  EXPECT_EQ(CleanText("größe €𝄞"), "größe €𝄞");
}

TEST(CleanText, DisarmsTerminalEscapes) {
  EXPECT_EQ(CleanText("a\x1b[31mred\nline\x7f"), "a?[31mred?line?");
  EXPECT_EQ(CleanText("c1: \xC2\x9B"
                      "31m"),
            "c1: ?31m");
}

TEST(CleanText, DisarmsWhatTurnsALineAround) {
  EXPECT_EQ(CleanText("a\u202Egpj.exe\u2066 \u2028b"), "a?gpj.exe? ?b");
}

TEST(CleanText, ReplacesInvalidUtf8) {
  EXPECT_EQ(CleanText("\xFF\xFE"), "??");
  EXPECT_EQ(CleanText("\xC0\xAF"), "??");            // overlong '/'
  EXPECT_EQ(CleanText("\xED\xA0\x80"), "???");       // surrogate
  EXPECT_EQ(CleanText("\xF4\x90\x80\x80"), "????");  // above U+10FFFF
  EXPECT_EQ(CleanText("cut \xE2\x82"), "cut ??");
}

TEST(CleanText, CutsAtACharactersBorder) {
  EXPECT_EQ(CleanText("abcdef", 3), "abc...");
  EXPECT_EQ(CleanText("ab€", 4), "ab...");
}

}  // namespace
}  // namespace ct
