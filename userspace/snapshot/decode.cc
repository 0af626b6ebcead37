#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>

#include "snapshot/envelope.h"
#include "snapshot/row_reader.h"
#include "snapshot/snapshot.h"

namespace ct {

std::string FormatNote(const FormatInfo& info) {
  if (!info.newer && info.unknown_values == 0 && info.unknown_findings == 0) return {};
  std::string note = fmt::format("written in format {}.{}, this program knows {}.{}", info.major,
                                 info.minor, kFormatMajor, kFormatMinor);
  if (info.unknown_findings > 0) {
    note +=
        fmt::format("; {} findings of kinds it does not know are not shown", info.unknown_findings);
  }
  if (info.unknown_values > 0) {
    note += fmt::format("; {} values it does not know are shown as unknown", info.unknown_values);
  }
  return note + "; a newer concurrency-tracer shows more";
}

Result<SnapshotContents> Decode(std::span<const std::byte> bytes, const DecodeLimits& limits) {
  // Our own error says what is wrong; protobuf would print another to stderr.
  const google::protobuf::LogSilencer quiet;
  auto envelope = OpenEnvelope(bytes);
  if (!envelope) return tl::unexpected(envelope.error());
  const auto observations = envelope->counts.find(pb::Snapshot::kObservationsFieldNumber);
  if (observations == envelope->counts.end() || observations->second != 1) {
    return Fail(ErrorCode::kMalformed, "malformed: not exactly one observation");
  }
  RowReader reader(envelope->counts, limits);
  auto status = ForEachRecord(envelope->records, [&](int field, auto payload) {
    return reader.ReadInterned(field, payload);
  });
  if (!status) return tl::unexpected(status.error());
  status = ForEachRecord(envelope->records,
                         [&](int field, auto payload) { return reader.ReadRow(field, payload); });
  if (status) status = reader.CheckSteps();
  if (!status) return tl::unexpected(status.error());
  SnapshotContents contents = reader.Take();
  contents.format.major = envelope->major;
  contents.format.minor = envelope->minor;
  contents.format.newer = envelope->minor > kFormatMinor;
  return contents;
}

Result<SnapshotContents> Decode(std::string_view bytes, const DecodeLimits& limits) {
  return Decode(std::as_bytes(std::span(bytes)), limits);
}

}  // namespace ct
