#include "snapshot/crc32c.h"

#include <string_view>

#include <gtest/gtest.h>

namespace ct {
namespace {

std::uint32_t Of(std::string_view text) { return Crc32c(std::as_bytes(std::span(text))); }

TEST(Crc32c, AgreesWithTheKnownCheckValues) {
  EXPECT_EQ(Of(""), 0U);
  EXPECT_EQ(Of("123456789"), 0xe3069283U);  // the check value of CRC-32/ISCSI
  EXPECT_EQ(
      Of(std::string_view("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32)),
      0x8a9136aaU);  // RFC 3720, B.4: 32 bytes of zeroes
}

}  // namespace
}  // namespace ct
