// A snapshot: an Observation and what was found in it <-> the bytes of a file
// (proto/concurrency_tracer/v1/snapshot.proto).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/finding.h"
#include "model/observation.h"

namespace ct {

// What a reader should be told about the file itself.
struct FormatInfo {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  // The file has a newer minor version than this program: fields and tables that this program does
  // not know were passed over.
  bool newer = false;
  std::uint64_t unknown_records = 0;   // rows of tables that this program does not know
  std::uint64_t unknown_values = 0;    // enum values, read as the most cautious known one
  std::uint64_t unknown_findings = 0;  // findings of a kind that this program does not know
  bool operator==(const FormatInfo&) const = default;
};

// One line to show with the contents; empty when there is nothing to say.
std::string FormatNote(const FormatInfo& info);

struct SnapshotContents {
  Observation observation;
  std::vector<Finding> findings;
  FormatInfo format;
};

struct DecodeLimits {
  // Memory that the contents may take, in bytes. Interning makes a file smaller than its contents:
  // 100,000 threads with stacks of their own, 60 frames deep, take about 1 GiB.
  std::size_t contents_bytes = std::size_t{2} << 30;
};

// The whole file. Texts are cleaned (base/text.h): what comes back from Decode is printable.
std::string Encode(const Observation& observation, std::span<const Finding> findings);

// Errors are one line each: kMalformed for a file that is empty, not a snapshot, truncated or
// damaged, or whose rows refer to nothing; kUnsupported for a newer major version. In what is
// returned every index is kNoIndex (where the model allows it) or inside its table, every time and
// difference of times fits an int64, and no actor has two waits.
Result<SnapshotContents> Decode(std::span<const std::byte> bytes, const DecodeLimits& limits = {});

// The same for bytes in a string.
Result<SnapshotContents> Decode(std::string_view bytes, const DecodeLimits& limits = {});

}  // namespace ct
