// The outside of a snapshot file: magic, version, top-level records, trailer with checksum. Knows
// nothing of what the records mean.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "base/result.h"
#include "concurrency_tracer/v1/snapshot.pb.h"

namespace ct {

namespace pb = concurrency_tracer::v1;

inline constexpr std::uint64_t kSnapshotMagic = 0x0a0d'5041'4e53'5443;  // "CTSNAP\r\n"
inline constexpr std::uint32_t kFormatMajor = 1;
inline constexpr std::uint32_t kFormatMinor = 3;

// One record may not be larger: protobuf's objects can take some thirty times the bytes they are
// parsed from, and this bounds what a hostile file makes us allocate for one.
inline constexpr std::size_t kMaxRecordBytes = std::size_t{16} << 20;

// Rows by field number of the Snapshot message.
using RowCounts = std::map<int, std::uint64_t>;

struct Envelope {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::span<const std::byte> records;  // every byte before the last trailer
  RowCounts counts;                    // of `records`, in agreement with the trailer
};

// Appends a trailer for everything in `file`.
void AppendTrailer(std::string& file);

// Checks everything that can be checked without looking into a record.
Result<Envelope> OpenEnvelope(std::span<const std::byte> bytes);

// Calls `visit(field number, payload)` for every length-delimited field at the top level, in order,
// and passes over the others. `visit` returns an error to stop.
using RecordVisitor = std::function<Status(int field, std::span<const std::byte> payload)>;
Status ForEachRecord(std::span<const std::byte> records, const RecordVisitor& visit);

}  // namespace ct
