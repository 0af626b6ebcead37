// CRC-32C (Castagnoli), the checksum of iSCSI, ext4 and SCTP.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace ct {

std::uint32_t Crc32c(std::span<const std::byte> bytes);

}  // namespace ct
